import { expect, test } from 'vitest'
import { CodedError, coded, splitCode } from './coded.ts'

test('the code ends the first line', () => {
  expect(coded('MONO1001', 'Unknown option')).toBe('Unknown option [MONO1001]')
  expect(coded('MONO2003', 'It broke\nTraceback')).toBe('It broke [MONO2003]\nTraceback')
})

test('a text keeps the code that it has, since that is more precise', () => {
  const text = coded('MONO2003', 'It broke\nTraceback')
  expect(coded('MONO5202', text)).toBe(text)
})

test('a code within a line, or in a later one, is not that of the text', () => {
  expect(coded('MONO5202', 'a [MONO2003] b')).toBe('a [MONO2003] b [MONO5202]')
  expect(coded('MONO5202', 'a\nb [MONO2003]')).toBe('a [MONO5202]\nb [MONO2003]')
})

test('a text and its code are taken apart', () => {
  expect(splitCode('It broke [MONO2003]\nTraceback')).toEqual({
    text: 'It broke\nTraceback',
    code: 'MONO2003',
  })
  expect(splitCode('It broke')).toBeNull()
  expect(splitCode('[MONO2003]')).toBeNull()
  expect(splitCode('a [MONO20031]')).toBeNull()
})

test('an error has the code in its message', () => {
  expect(new CodedError(coded('MONO1001', 'x')).message).toBe('x [MONO1001]')
})
