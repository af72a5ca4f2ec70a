import { METHODS } from 'node:http'
import { describe, expect, it } from 'vitest'
import { methodName } from './methods.ts'

describe('a method', () => {
  it('is what was sent, common or not, case kept', () => {
    for (const method of [
      ...METHODS,
      'get',
      'GETS',
      'GE',
      'X',
      'BREW',
      'PROPPATCHING',
      'GEX',
      'PUX',
    ]) {
      const bytes = Buffer.from(`..${method} /`)
      expect(methodName(bytes, 2, 2 + method.length)).toBe(method)
    }
  })
})
