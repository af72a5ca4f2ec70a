import fc from 'fast-check'
import { expect, test } from 'vitest'
import { harmlessLine, harmlessText } from './log-text.ts'

test('control characters are escaped, tabs and other text are not', () => {
  expect(harmlessLine('a\tb é € 😀')).toBe('a\tb é € 😀')
  expect(harmlessLine('a\nb\rc\0d\x1b[2Je\x7ff\x9bg\u2028h')).toBe(
    'a\\nb\\rc\\x00d\\x1b[2Je\\x7ff\\x9bg\\u2028h',
  )
})

test('colours pass when they may, other sequences do not', () => {
  expect(harmlessLine('\x1b[1;31mred\x1b[0m \x1b]0;title\x07 \x1b[2J', true)).toBe(
    '\x1b[1;31mred\x1b[0m \\x1b]0;title\\x07 \\x1b[2J',
  )
  expect(harmlessLine('\x1b[31mred')).toBe('\\x1b[31mred')
})

test('line ends of a text stay, and no line of it passes for an entry of its own', () => {
  expect(harmlessText('Traceback:\r\n  File "a"\x1b\nValueError\n')).toBe(
    'Traceback:\n  File "a"\\x1b\nValueError',
  )
  expect(harmlessText('ValueError: x\n[2026-01-01 00:00:00 +0000] [1] [INFO] forged')).toBe(
    'ValueError: x\n  [2026-01-01 00:00:00 +0000] [1] [INFO] forged',
  )
})

test('whatever the text, no control character but tab and line feed comes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that must not appear
      expect(harmlessLine(text)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that must not appear
      expect(harmlessText(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    }),
  )
})
