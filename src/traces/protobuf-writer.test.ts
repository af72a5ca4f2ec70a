import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ProtobufWriter } from './protobuf-writer.ts'

function written(write: (writer: ProtobufWriter) => void): string {
  const writer = new ProtobufWriter()
  write(writer)
  return writer.take().toString('hex')
}

// The examples of https://protobuf.dev/programming-guides/encoding/.
it('writes numbers, texts and messages', () => {
  expect(written((w) => w.number(1, 150))).toBe('089601')
  expect(written((w) => w.text(2, 'testing'))).toBe('120774657374696e67')
  expect(written((w) => w.message(3, () => w.number(1, 150)))).toBe('1a03089601')
  expect(written((w) => w.number(16, 2 ** 40))).toBe('8001808080808020')
  expect(written((w) => w.hex(4, '00ff'))).toBe('220200ff')
})

it('writes microseconds as nanoseconds, exactly', () => {
  const micros = 1_795_949_163_986_065
  const bytes = Buffer.from(
    written((w) => w.nanoseconds(7, micros)),
    'hex',
  )
  expect(bytes[0]).toBe(0x39)
  expect(bytes.readBigUInt64LE(1)).toBe(BigInt(micros) * 1000n)
})

it.each([127, 128, 16_383, 16_384, 100_000])('writes a message of %s bytes', (length) => {
  const text = 'x'.repeat(length)
  const whole = Buffer.from(
    written((w) =>
      w.message(1, () =>
        w.message(2, () => {
          w.text(3, text)
          w.number(4, 1)
        }),
      ),
    ),
    'hex',
  )
  const inner = Buffer.from(
    written((w) => {
      w.text(3, text)
      w.number(4, 1)
    }),
    'hex',
  )
  const head = written((w) => w.messageOf(2, inner.length))
  const outer = Buffer.concat([Buffer.from(head, 'hex'), inner])
  const expected = Buffer.concat([
    Buffer.from(
      written((w) => w.messageOf(1, outer.length)),
      'hex',
    ),
    outer,
  ])
  expect(whole.equals(expected)).toBe(true)
})

it('property: writes any text and any bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const bytes = Buffer.from(text)
      const length =
        bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
      const expected = Buffer.concat([Buffer.from([0x12, ...length]), bytes])
      expect(written((w) => w.text(2, text))).toBe(expected.toString('hex'))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 127 }), (bytes) => {
      const digits = Buffer.from(bytes).toString('hex')
      const length = bytes.length.toString(16).padStart(2, '0')
      expect(written((w) => w.hex(4, digits))).toBe(`22${length}${digits}`)
    }),
  )
})
