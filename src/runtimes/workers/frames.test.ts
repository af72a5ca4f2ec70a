import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { within } from '../../../tests/support/wait-for.ts'
import {
  ASIDE,
  BODY,
  BROKEN,
  DATA,
  END,
  encodeFrame,
  FAIL,
  FILE,
  FrameDecoder,
  FrameError,
  FrameWriter,
  HEAD,
  HEADER_BYTES,
  LAST,
  LOG,
  MAX_PAYLOAD,
  NOTE,
  READY,
  REQUEST,
  RETURNED,
  readU32,
  STANDS,
  START,
  WANT,
  WINDOW,
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
  type: fc.constantFrom(READY, HEAD, DATA, FILE, END, FAIL, WANT, RETURNED, LOG),
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
    const known = [READY, HEAD, DATA, FILE, END, FAIL, WANT, RETURNED, LOG, ASIDE, STANDS, NOTE]
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
      [WANT, 0],
      [RETURNED, 0],
      [LOG, 0],
      [ASIDE, 0],
      [NOTE, 0],
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

describe('u32', () => {
  it('is written and read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        const bytes = Buffer.alloc(6)
        writeU32(bytes, 1, value)
        expect(bytes.readUInt32LE(1)).toBe(value)
        expect(readU32(bytes, 1)).toBe(value)
        expect([bytes[0], bytes[5]]).toEqual([0, 0])
      }),
    )
  })
})

/** Two ends of a unix socket. */
async function pair(): Promise<[Socket, Socket]> {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-frames-'))
  const path = join(directory, 's')
  const server = createServer({ pauseOnConnect: true })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const other = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect(path)
  const far = await other
  server.close()
  onTestFinished(() => {
    near.destroy()
    far.destroy()
    rmSync(directory, { recursive: true, force: true })
  })
  return [near, far]
}

/** Reads acceptor → worker frames from `socket` until there are `count`. */
function read(socket: Socket, count: number): Promise<Seen[]> {
  const seen: Seen[] = []
  let buffer = Buffer.alloc(0)
  const reading = new Promise<Seen[]>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      let at = 0
      while (buffer.length - at >= HEADER_BYTES) {
        const end = at + HEADER_BYTES + readU32(buffer, at)
        if (end > buffer.length) break
        seen.push({
          type: buffer[at + 4]!,
          flags: buffer[at + 5]!,
          stream: readU32(buffer, at + 8),
          payload: buffer.toString('latin1', at + HEADER_BYTES, end),
        })
        at = end
      }
      buffer = buffer.subarray(at)
      if (seen.length >= count) resolve(seen)
    })
  })
  socket.resume()
  return within(`${count} frames`, 10_000, reading)
}

describe('writing frames', () => {
  it('sends those of one turn of the event loop together', async () => {
    const [near, far] = await pair()
    const writer = new FrameWriter(near)
    let writes = 0
    const write = near.write.bind(near) as (chunk: Buffer) => boolean
    near.write = ((chunk: Buffer) => {
      writes++
      return write(chunk)
    }) as typeof near.write
    const reading = read(far, 3)
    writer.write(BODY, 1, 2)
    writer.writeU32(WINDOW, 2, 0x01020304)
    writer.write(BODY, 3, 0, [Buffer.from('ab'), Buffer.from('c')])
    expect(await reading).toEqual([
      { type: BODY, flags: 2, stream: 1, payload: '' },
      { type: WINDOW, flags: 0, stream: 2, payload: '\x04\x03\x02\x01' },
      { type: BODY, flags: 0, stream: 3, payload: 'abc' },
    ])
    expect(writes).toBe(1)
  })

  it('writes over no bytes that a slow reader has not got yet', async () => {
    const [near, far] = await pair()
    const writer = new FrameWriter(near)
    const expected: Seen[] = []
    // Far more than the kernel takes, in all sizes there are: within the batch, over its rest,
    // copied or not.
    const sizes = [0, 1, 300, 5000, 16_384, 16_385, 40_000, 65_524, 65_536, 100_000]
    for (let i = 0; i < 120; i++) {
      const size = sizes[i % sizes.length]!
      const letter = String.fromCharCode(97 + (i % 26))
      const inline = i % 3 === 0 ? 20_000 : 200
      const { bytes, at } = writer.begin(REQUEST, i + 1, inline)
      bytes.fill(letter.toUpperCase(), at, at + inline)
      writer.end(at + inline, 0, [Buffer.alloc(size, letter)])
      expected.push({
        type: REQUEST,
        flags: 0,
        stream: i + 1,
        payload: letter.toUpperCase().repeat(inline) + letter.repeat(size),
      })
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(near.writableLength).toBeGreaterThan(0)
    const seen = await read(far, expected.length)
    expect(seen.length).toBe(expected.length)
    for (const [i, frame] of seen.entries()) {
      expect(frame.stream).toBe(i + 1)
      expect(frame.payload === expected[i]!.payload, `frame ${i + 1} is as it was written`).toBe(
        true,
      )
    }
  })

  it('has room for a part that is larger than its batch', async () => {
    const [near, far] = await pair()
    const writer = new FrameWriter(near)
    writer.writeU32(WINDOW, 1, 1)
    const { bytes, at } = writer.begin(REQUEST, 2, 300_000)
    bytes.fill('q', at, at + 299_000)
    writer.end(at + 299_000)
    writer.writeU32(WINDOW, 3, 1)
    const seen = await read(far, 3)
    expect(seen.map(({ stream, payload }) => [stream, payload.length])).toEqual([
      [1, 4],
      [2, 299_000],
      [3, 4],
    ])
    expect(/^q+$/.test(seen[1]!.payload)).toBe(true)
  })

  it('keeps what was written before when a frame that was begun is given up', async () => {
    const [near, far] = await pair()
    const writer = new FrameWriter(near)
    writer.writeU32(WINDOW, 1, 1)
    writer.begin(REQUEST, 2, 10)
    writer.writeU32(WINDOW, 2, 1)
    expect((await read(far, 2)).map(({ stream }) => stream)).toEqual([1, 2])
  })

  it('does nothing once the channel is closed', async () => {
    const [near] = await pair()
    const writer = new FrameWriter(near)
    near.on('error', () => {})
    writer.write(START, 0)
    near.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    writer.write(BODY, 1, 0, [Buffer.alloc(100_000)])
    await new Promise((resolve) => setImmediate(resolve))
  })
})
