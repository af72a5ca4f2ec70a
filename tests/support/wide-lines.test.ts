import { describe, expect, test } from 'vitest'
import { wideLines } from './wide-lines.ts'

const long = 'word '.repeat(30).trim()

describe('lines of at most 100 columns', () => {
  test.each([
    `test('${long}', () => {})`,
    `describe.each([1])('${long}', () => {})`,
    `const pattern = /^${long}$/`,
    `const url = '${long.replaceAll(' ', '/')}'`,
    `const program = \`\nprint("${long}")\n\``,
    `const x = ${'1'.repeat(90)}`,
  ])('%j may be as it is', (code) => {
    expect(wideLines('a.ts', code)).toEqual([])
  })

  test.each([`// ${long}`, `const text = '${long}'`, `call('${long}')`])('%j may not', (line) => {
    expect(wideLines('a.ts', `\n${line}`)).toEqual([`2: ${line}`])
  })

  test('there are no exceptions in Python', () => {
    expect(wideLines('a.py', `"""${long}"""`)).toEqual([`1: """${long}"""`])
  })
})
