import { expect, test } from 'vitest'
import {
  duration,
  harmless,
  harmlessJson,
  harmlessLines,
  plural,
  shortened,
  size,
  table,
} from './tables.ts'

const ESCAPE = '\u001b'

test('what a terminal would obey is shown as text', () => {
  expect(harmless(`a${ESCAPE}[2Jb`)).toBe('a\\x1b[2Jb')
  expect(harmless('\r\n\t\u007f\u009b31m')).toBe('\\x0d\\x0a\\x09\\x7f\\x9b31m')
  expect(harmless('\u202egpj.exe')).toBe('\\x202egpj.exe')
  expect(harmless('Grüße, 世界')).toBe('Grüße, 世界')
  expect(harmlessLines(`a\nb${ESCAPE}`)).toBe('a\nb\\x1b')
  // Twice is the same as once.
  expect(harmless(harmless(ESCAPE))).toBe('\\x1b')
})

test('JSON stays the same JSON, without anything that a terminal would obey', () => {
  const value = { path: `\u009b31m${ESCAPE}[2J\u007f\u202e\n`, list: [1] }
  const text = harmlessJson(value)
  expect(JSON.parse(text)).toEqual(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is about these
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
})

test('columns are as wide as their widest cell, and lines are cut to a width', () => {
  const rows = [
    ['a', '1'],
    ['long', '1000'],
  ]
  expect(table(['NAME', 'N'], ['left', 'right'], rows)).toEqual([
    'NAME     N',
    'a        1',
    'long  1000',
  ])
  const narrow = table(['NAME', 'N'], ['left', 'right'], rows).map((line) => shortened(line, 6))
  expect(narrow).toEqual(['NAME …', 'a    …', 'long …'])
  expect([shortened('ab', 2), shortened('ab', 1)]).toEqual(['ab', '…'])
  expect(table(['A'], ['left'], [[`${ESCAPE}c`]])).toEqual(['A', '\\x1bc'])
})

test('sizes and times have a unit', () => {
  expect([0, 1023, 1024, 10 * 1024, 1024 ** 2 - 1, 5 * 1024 ** 3].map(size)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KB',
    '10 KB',
    '1.0 MB',
    '5.0 GB',
  ])
  expect([0.25, 9.999, 59.6, 184, 3599.6, 18_120, 273_600].map(duration)).toEqual([
    '0.25 s',
    '10 s',
    '1 m 00 s',
    '3 m 04 s',
    '1 h 00 m',
    '5 h 02 m',
    '3 d 4 h',
  ])
  expect([plural(1, 'worker'), plural(0, 'worker')]).toEqual(['1 worker', '0 workers'])
})
