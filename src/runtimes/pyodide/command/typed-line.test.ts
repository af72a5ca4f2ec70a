import { expect, test } from 'vitest'
import { TypedLine } from './typed-line.ts'

const typed = (...pieces: string[]) => {
  const line = new TypedLine()
  let result: ReturnType<TypedLine['type']> = null
  for (const piece of pieces) result = line.type(Buffer.from(piece))
  return Buffer.isBuffer(result) ? result.toString() : result
}

test('a line ends with Return and comes with a newline', () => {
  expect(typed('se', 'cret')).toBeNull()
  expect(typed('se', 'cret\r')).toBe('secret\n')
  expect(typed('\n')).toBe('\n')
})

test('Backspace takes a whole character, and nothing from an empty line', () => {
  expect(typed('a\x7f\x7f\bb\r')).toBe('b\n')
  expect(typed('xü€\x7f\x7fy\r')).toBe('xy\n')
})

test('Ctrl-U begins anew', () => {
  expect(typed('wrong\x15right\r')).toBe('right\n')
})

test('Ctrl-D is the end on an empty line only', () => {
  expect(typed('\x04')).toBe('')
  expect(typed('a\x04b\r')).toBe('ab\n')
})

test('Ctrl-C interrupts, wherever', () => {
  expect(typed('abc', 'd\x03e')).toBe('interrupt')
})
