import { expect, test } from 'vitest'
import { formatBytes, formatSeconds, formatValue } from './page/format.ts'

test.each([
  [0, '0 ms'],
  [0.00034, '340 µs'],
  [0.0123, '12.3 ms'],
  [1.5, '1.5 s'],
  [600, '10 min'],
  [36_000, '10 h'],
  [864_000, '10 d'],
])('%d seconds are %s', (value, text) => expect(formatSeconds(value)).toBe(text))

test.each([
  [0, '0 B'],
  [1536, '1.5 KiB'],
  [104_857_600, '100 MiB'],
])('%d bytes are %s', (value, text) => expect(formatBytes(value)).toBe(text))

test('what is not known is a dash', () => {
  expect(formatValue(null, 'rate')).toBe('–')
  expect(formatValue(Number.NaN, 'count')).toBe('–')
  expect(formatValue(12345.6, 'rate')).toBe('12,346/s')
  expect(formatValue(0.256, 'processors')).toBe('25.6 %')
})
