import { expect, test } from 'vitest'
import { pbkdf2, scrypt } from './key-derivation.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const hex = (key: Uint8Array | undefined) => key && Buffer.from(key).toString('hex')

test('pbkdf2 gives the keys of RFC 6070 and RFC 7914 §11', () => {
  expect(hex(pbkdf2('sha1', bytes('password'), bytes('salt'), 4096, 20))).toBe(
    '4b007901b765489abead49d926f721d065a429c1',
  )
  expect(hex(pbkdf2('sha256', bytes('passwd'), bytes('salt'), 1, 64))).toBe(
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc' +
      '49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783',
  )
})

test('scrypt gives the keys of RFC 7914 §12', () => {
  expect(hex(scrypt(bytes(''), bytes(''), 16, 1, 1, 1 << 25, 64))).toBe(
    '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442' +
      'fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
  )
})

test('hashes are named as Python names them, and those that cannot be had are no key', () => {
  for (const [hash, length] of Object.entries({
    sha3_256: 32,
    sha512_256: 32,
    blake2b: 64,
    blake2s: 32,
  }))
    expect(pbkdf2(hash, bytes('a'), bytes('b'), 1, length)).toHaveLength(length)
  for (const hash of ['shake_128', 'shake_256', 'md4', 'nosuch'])
    expect(pbkdf2(hash, bytes('a'), bytes('b'), 1, 32)).toBeUndefined()
})

test('scrypt with more memory than it may use is no key', () => {
  expect(scrypt(bytes('a'), bytes('b'), 32768, 8, 1, 1 << 25, 64)).toBeUndefined()
  expect(scrypt(bytes('a'), bytes('b'), 32768, 8, 1, 132 * 32768 * 8, 64)).toHaveLength(64)
})
