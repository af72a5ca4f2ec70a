import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Span } from '../../bytes/span.ts'
import { FirstRecord, type Opening } from './first-record.ts'

const span = (bytes: Buffer) => new Span().set(bytes, 0, bytes.length)

/** What a whole connection is taken for, when it arrives in these pieces. */
function openings(...pieces: readonly Buffer[]): Opening[] {
  const record = new FirstRecord()
  return pieces.map((piece) => record.take(span(piece)))
}

function handshake(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length)
  bytes.set([22, 3, 1, length >> 8, length & 255])
  return bytes
}

/** Has the message in that record say that it is so long. */
function hello(record: Buffer, length: number): Buffer {
  record.writeUInt32BE((1 << 24) | length, 5)
  return record
}

/** A record for each byte of that one's. */
function inBytes(record: Buffer): Buffer {
  return Buffer.from([...record.subarray(5)].flatMap((byte) => [22, 3, 1, 0, 1, byte]))
}

describe('the first record of a connection', () => {
  it.each<[string, Buffer, Opening]>([
    ['a ClientHello', handshake(300), 'record'],
    ['the longest record', hello(handshake(1 << 14), 16_380), 'record'],
    ['the longest message, in two records', hello(handshake(1 << 14), 1 << 14), 'record'],
    ['a message that is too long', hello(handshake(9), (1 << 14) + 1), 'long'],
    ['its beginning', hello(handshake(1 << 14), 130_000).subarray(0, 9), 'long'],
    ['the same in records of a byte', inBytes(hello(handshake(9), 130_000)), 'long'],
    ['a message in records of a byte', inBytes(hello(handshake(9), 9)), 'record'],
    ['half of its header in records of a byte', inBytes(handshake(2)), 'incomplete'],
    ['a record of a byte, and another type', Buffer.from([22, 3, 1, 0, 1, 1, 23]), 'unknown'],
    ['a record of a byte, and another version', Buffer.from([22, 3, 1, 0, 1, 1, 22, 2]), 'unknown'],
    ['more than a record', Buffer.concat([handshake(10), Buffer.from('more')]), 'record'],
    ['a part of a header', Buffer.from([22, 3, 1]), 'incomplete'],
    ['a header alone', Buffer.from([22, 3, 1, 1, 0]), 'incomplete'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), 'unknown'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'unknown'],
    ['another version', Buffer.from([22, 2]), 'unknown'],
    ['application data', Buffer.from([23, 3, 3, 0, 1, 1]), 'unknown'],
    ['a ClientHello of SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'unknown'],
    ['a request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'plain'],
    ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\n'), 'plain'],
    ['the first letter of a request', Buffer.from('G'), 'plain'],
  ])('%s', (_, bytes, opening) => {
    expect(openings(bytes)).toEqual([opening])
  })

  it('is found in pieces of any size, and keeps every byte', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 600 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 8 }),
        (length, cuts) => {
          const whole = handshake(length)
          const record = new FirstRecord()
          const at = [...new Set(cuts.filter((cut) => cut < whole.length))].sort((a, b) => a - b)
          let from = 0
          for (const cut of [...at, whole.length]) {
            const opening = record.take(span(whole.subarray(from, cut)))
            expect(opening).toBe(cut === whole.length ? 'record' : 'incomplete')
            expect(record.held).toBe(cut)
            from = cut
          }
          expect(record.bytes).toEqual(whole)
        },
      ),
    )
  })

  it('never holds more than a record and one read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        const record = new FirstRecord()
        let taken: Opening = 'incomplete'
        for (const byte of bytes) {
          if (taken !== 'incomplete') break
          taken = record.take(span(Buffer.from([byte])))
        }
        expect(record.held).toBeLessThanOrEqual(4 * 5 + 3 + (1 << 14))
        if (taken !== 'incomplete' && taken !== 'record') expect(record.held).toBe(0)
      }),
    )
  })

  it('is a copy: the memory that it was read into may be used again', () => {
    const record = new FirstRecord()
    const bytes = handshake(20)
    const before = Buffer.from(bytes)
    record.take(span(bytes.subarray(0, 10)))
    bytes.fill(0)
    record.take(span(before.subarray(10)))
    expect(record.bytes).toEqual(before)
  })
})
