import { expect, test } from 'vitest'
import { CodedError, coded, splitCode } from './coded.ts'

test('the code ends the first line', () => {
  expect(coded('MONO1001', 'Unknown option')).toBe('Unknown option [MONO1001]')
  expect(coded('MONO2003', 'It broke\nTraceback')).toBe('It broke [MONO2003]\nTraceback')
})

test('a code stands before what introduces the next lines', () => {
  expect(coded('MONO2032', 'It cannot be used:\n  - a')).toBe(
    'It cannot be used [MONO2032]:\n  - a',
  )
  expect(coded('MONO2031', 'No x 3.9 was found. Tried:\n  - a. b\nInstall it.')).toBe(
    'No x 3.9 was found [MONO2031]. Tried:\n  - a. b\nInstall it.',
  )
  expect(coded('MONO1001', 'Nothing follows. Tried:')).toBe('Nothing follows. Tried: [MONO1001]')
})

test('a text keeps the code that it has, since that is more precise', () => {
  for (const plain of ['It broke', 'It broke\nTraceback', 'It broke:\n  a', 'It broke. At:\n  a']) {
    const text = coded('MONO2003', plain)
    expect(coded('MONO5202', text)).toBe(text)
  }
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
  for (const text of ['It broke:\n  a', 'It broke. It was at:\n  a'])
    expect(splitCode(coded('MONO2003', text))).toEqual({ text, code: 'MONO2003' })
  expect(splitCode('It broke')).toBeNull()
  expect(splitCode('[MONO2003]')).toBeNull()
  expect(splitCode('a [MONO20031]')).toBeNull()
})

test('an error has the code in its message', () => {
  expect(new CodedError(coded('MONO1001', 'x')).message).toBe('x [MONO1001]')
})
