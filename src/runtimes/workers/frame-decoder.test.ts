import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameDecoder } from './frame-decoder.ts'
import {
  BODY_WINDOW,
  BROKEN,
  DATA,
  END,
  ENDED,
  encodeFrame,
  FAIL,
  FILE,
  FILES,
  FINDINGS,
  FORKED,
  FrameError,
  HEAD,
  INFORM,
  INTERRUPTED,
  LAST,
  LOG,
  MAX_PAYLOAD,
  OFFER,
  PRINTED,
  READY,
  RETURNED,
  SENT,
  STACKS,
  SUSPENDED,
  VIOLATION,
  writeU32,
} from './frames.ts'

interface Seen {
  type: number
  flags: number
  stream: number
  payload: string
}

/**
 * What a decoder makes of these bytes; a DATA frame that came in pieces is put together. As real
 * sinks do it writes over all that it may, and needs every third frame (`keep`) for longer.
 */
function decode(pieces: readonly Uint8Array[], keep = 3): { seen: Seen[]; clean: boolean } {
  const seen: Seen[] = []
  const kept: { bytes: Buffer; start: number; end: number; payload: string }[] = []
  let open: Seen | null = null
  let count = 0
  const decoder = new FrameDecoder({
    frame: ({ type, flags, stream, payload: { bytes, start, end, free } }) => {
      const payload = bytes.toString('latin1', start, end)
      if (
        open !== null &&
        type === DATA &&
        stream === open.stream &&
        open.flags === 0 &&
        seen.at(-1) === open
      ) {
        open.payload += payload
        open.flags = flags
      } else {
        open = { type, flags, stream, payload }
        seen.push(open)
        if (type !== DATA) open = null
      }
      bytes.fill(0xee, free, start)
      const needed = count++ % keep === 0
      if (needed) kept.push({ bytes, start, end, payload })
      else bytes.fill(0xee, start, end)
      return needed
    },
  })
  for (const piece of pieces) decoder.feed(Buffer.from(piece))
  for (const { bytes, start, end, payload } of kept) {
    if (bytes.toString('latin1', start, end) !== payload)
      throw new Error('a frame that was needed was written over')
  }
  return { seen, clean: decoder.clean }
}

const someFrame = fc.record({
  type: fc.constantFrom(READY, HEAD, DATA, FILE, END, FAIL, BODY_WINDOW, RETURNED, LOG),
  last: fc.boolean(),
  stream: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 200 }),
})

describe('decoding frames', () => {
  it('gives the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(someFrame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        (any, cuts) => {
          // Two DATA frames of one stream behind each other look like two pieces of one, which is
          // all the same to whoever takes them.
          const frames = any.map((frame, n) => ({
            ...frame,
            stream: ((frame.stream & ~7) | n) >>> 0,
          }))
          const flagged = (frame: { type: number; last: boolean }): number =>
            frame.last && (frame.type === HEAD || frame.type === DATA || frame.type === END)
              ? LAST
              : 0
          const bytes = Buffer.concat(
            frames.map((frame) =>
              encodeFrame(frame.type, frame.stream, Buffer.from(frame.payload), flagged(frame)),
            ),
          )
          const expected = frames.map((frame) => ({
            type: frame.type,
            flags: flagged(frame),
            stream: frame.stream,
            payload: Buffer.from(frame.payload).toString('latin1'),
          }))
          const at = [
            0,
            ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
            bytes.length,
          ]
          const pieces = at.slice(1).map((cut, i) => bytes.subarray(at[i], cut))
          expect(decode(pieces)).toEqual({ seen: expected, clean: true })
        },
      ),
    )
  })

  it('gives the same frames when they are as large as what is read at once, or larger', () => {
    const sizes = fc.array(fc.nat(300_000), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 1, max: 4 }), (payloads, cuts, keep) => {
        const frames = payloads.map((size, stream) => {
          const payload = Buffer.alloc(size, String.fromCharCode(65 + stream))
          return encodeFrame(stream % 3 === 0 ? HEAD : DATA, stream + 1, payload, stream % 2)
        })
        const bytes = Buffer.concat(frames)
        const at = [
          0,
          ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
          bytes.length,
        ]
        const pieces = at.slice(1).map((cut, i) => bytes.subarray(at[i], cut))
        const { seen, clean } = decode(pieces, keep)
        expect(clean).toBe(true)
        expect(seen.map(({ stream, flags, payload }) => [stream, flags, payload.length])).toEqual(
          payloads.map((size, stream) => [stream + 1, stream % 2, size]),
        )
        for (const { stream, payload } of seen) {
          if (payload !== '' && payload !== String.fromCharCode(64 + stream).repeat(payload.length))
            throw new Error(`the payload of stream ${stream} is another`)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('gives the same frames byte by byte, empty ones included', () => {
    const bytes = Buffer.concat([
      encodeFrame(END, 1, null, BROKEN),
      encodeFrame(DATA, 2, Buffer.from('abc')),
      encodeFrame(RETURNED, 0),
      encodeFrame(DATA, 0xffffffff, Buffer.alloc(70_000, 'x'), LAST),
    ])
    const { seen, clean } = decode(Array.from(bytes, (byte) => Uint8Array.of(byte)))
    expect(
      seen.map(({ type, stream, flags, payload }) => [type, stream, flags, payload.length]),
    ).toEqual([
      [END, 1, BROKEN, 0],
      [DATA, 2, 0, 3],
      [RETURNED, 0, 0, 0],
      [DATA, 0xffffffff, LAST, 70_000],
    ])
    expect(clean).toBe(true)
  })

  it('knows when a frame is half received', () => {
    const bytes = encodeFrame(DATA, 2, Buffer.from('abc'))
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(decode([bytes.subarray(0, cut)])).toEqual({ seen: [], clean: false })
    }
  })

  it('takes a payload of the greatest length and none longer', () => {
    const header = encodeFrame(DATA, 1)
    writeU32(header, 0, MAX_PAYLOAD)
    expect(decode([header]).seen).toEqual([])
    expect(decode([header, Buffer.alloc(MAX_PAYLOAD)]).seen[0]!.payload.length).toBe(MAX_PAYLOAD)
    writeU32(header, 0, MAX_PAYLOAD + 1)
    expect(() => decode([header])).toThrow(FrameError)
    expect(() => decode([header.subarray(0, 5), header.subarray(5)])).toThrow(FrameError)
    writeU32(header, 0, 0xffffffff)
    expect(() => decode([header])).toThrow(FrameError)
  })

  it('refuses every type that a worker does not send', () => {
    const known = [
      READY,
      HEAD,
      DATA,
      FILE,
      END,
      FAIL,
      BODY_WINDOW,
      RETURNED,
      LOG,
      SUSPENDED,
      STACKS,
      VIOLATION,
      FORKED,
      ENDED,
      FILES,
      INTERRUPTED,
      INFORM,
      OFFER,
      SENT,
      FINDINGS,
      PRINTED,
    ]
    for (let type = 0; type < 256; type++) {
      const decoding = () => decode([encodeFrame(type, 1)])
      if (known.includes(type)) expect(decoding).not.toThrow()
      else expect(decoding).toThrow(/unknown frame type/)
    }
  })

  it('refuses flags that a type does not have', () => {
    for (const [type, allowed] of [
      [READY, 0],
      [HEAD, 1],
      [DATA, 1],
      [FILE, 0],
      [END, 1],
      [FAIL, 0],
      [BODY_WINDOW, 0],
      [RETURNED, 0],
      [LOG, 0],
      [SUSPENDED, 0],
      [VIOLATION, 0],
      [FILES, 0],
    ] as const) {
      for (let flags = 0; flags < 256; flags++) {
        const decoding = () => decode([encodeFrame(type, 1, null, flags)])
        if (flags <= allowed) expect(decoding).not.toThrow()
        else expect(decoding).toThrow(/unknown flags/)
      }
    }
  })

  it('refuses a reserved field that is not 0', () => {
    for (const at of [6, 7]) {
      const bytes = encodeFrame(END, 1)
      bytes[at] = 1
      expect(() => decode([bytes])).toThrow(/reserved/)
    }
  })

  it('refuses in the middle of a chunk what it refuses alone, after the frames before it', () => {
    const seen: number[] = []
    const decoder = new FrameDecoder({ frame: ({ stream }) => seen.push(stream) < 0 })
    const bytes = Buffer.concat([encodeFrame(END, 7), encodeFrame(0x42, 8), encodeFrame(END, 9)])
    expect(() => decoder.feed(bytes)).toThrow(FrameError)
    expect(seen).toEqual([7])
  })
})
