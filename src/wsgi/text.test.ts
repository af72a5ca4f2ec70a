import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeText, encodeText, latin1Bytes, latin1Text } from './text.ts'
import { WSGIError } from './wsgi-error.ts'

const anyBytes = fc.uint8Array({ maxLength: 300 })
const anyText = fc
  .array(fc.oneof(fc.integer({ max: 0xd7ff, min: 0 }), fc.integer({ min: 0xe000, max: 0x10ffff })))
  .map((points) => String.fromCodePoint(...points))

test('every byte value is one character, both ways', () => {
  for (let value = 0; value < 256; value++) {
    expect(latin1Text(Uint8Array.of(value))).toBe(String.fromCharCode(value))
    expect(latin1Bytes(String.fromCharCode(value))).toEqual(Uint8Array.of(value))
  }
})

test('bytes in are bytes out', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(latin1Bytes(latin1Text(bytes))).toEqual(bytes)
    }),
  )
})

test('text encodes to its UTF-8 bytes and decodes to itself', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const view = encodeText(text)
      expect(Buffer.from(latin1Bytes(view)).equals(Buffer.from(text, 'utf8'))).toBe(true)
      expect(decodeText(view)).toBe(text)
    }),
  )
})

test('a byte order mark is not lost', () => {
  expect(decodeText(encodeText('\ufeffabc'))).toBe('\ufeffabc')
})

test('what is not UTF-8 becomes U+FFFD, as in Python', () => {
  expect(decodeText('caf\xe9')).toBe('caf\ufffd')
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(decodeText(latin1Text(bytes))).toBe(Buffer.from(bytes).toString('utf8'))
    }),
  )
})

test('a lone surrogate becomes U+FFFD', () => {
  expect(decodeText(encodeText('a\ud800b'))).toBe('a\ufffdb')
})

test('a character beyond latin-1 is an error that names it and what to do', () => {
  expect(() => latin1Bytes('10 €')).toThrow(WSGIError)
  expect(() => latin1Bytes('10 €')).toThrow(
    /"10 €" has a character beyond latin-1 \(U\+20AC\); encode it with encodeText\(\)/,
  )
  expect(() => decodeText('é€')).toThrow(/U\+20AC/)
})

test('long views are taken in pieces', () => {
  const bytes = new Uint8Array(1_000_000).map((_, i) => i % 256)
  expect(Buffer.compare(latin1Bytes(latin1Text(bytes)), bytes)).toBe(0)
})
