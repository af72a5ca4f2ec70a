import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatByteSize, parseByteSize } from './byte-size.ts'

test.each([
  ['0', 0],
  ['1', 1],
  ['4094', 4094],
  ['64k', 65536],
  ['64K', 65536],
  ['1M', 1048576],
  ['1MiB', 1048576],
  ['1mb', 1048576],
  ['2G', 2147483648],
  ['10b', 10],
])('%s is a size', (text, size) => {
  expect(parseByteSize(text)).toBe(size)
})

test.each([
  '',
  'k',
  '-1',
  '+1',
  '1.5M',
  '1 M',
  '0x10',
  '1T',
  '1kk',
  '1e3',
  '9007199254740992',
  '9007199254740991k',
  '１',
])('%j is not a size', (text) => {
  expect(parseByteSize(text)).toBeUndefined()
})

test('every size survives being written and read', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (size) => {
      expect(parseByteSize(formatByteSize(size))).toBe(size)
    }),
  )
  fc.assert(
    fc.property(fc.nat(4095), fc.constantFrom(1024, 1024 ** 2, 1024 ** 3), (count, unit) => {
      expect(parseByteSize(formatByteSize(count * unit))).toBe(count * unit)
    }),
  )
  expect(formatByteSize(262144)).toBe('256k')
})
