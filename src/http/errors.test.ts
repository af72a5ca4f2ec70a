import { describe, expect, it } from 'vitest'
import { HttpError } from './errors.ts'

describe('a refusal', () => {
  it('has a status, a stable code and a reason', () => {
    const error = new HttpError(431, 'too-many-fields', 'The request has more than 100 fields')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ status: 431, code: 'too-many-fields', name: 'HttpError' })
    expect(error.message).toBe('The request has more than 100 fields')
  })
})
