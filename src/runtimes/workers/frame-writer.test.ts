import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { waitFor, within } from '../../../tests/support/wait-for.ts'
import { type FrameChannel, FrameWriter } from './frame-writer.ts'
import { BODY, HEADER_SIZE, REQUEST, readU32, START, WINDOW } from './frames.ts'

interface Seen {
  type: number
  flags: number
  stream: number
  payload: string
}

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
      while (buffer.length - at >= HEADER_SIZE) {
        const end = at + HEADER_SIZE + readU32(buffer, at)
        if (end > buffer.length) break
        seen.push({
          type: buffer[at + 4]!,
          flags: buffer[at + 5]!,
          stream: readU32(buffer, at + 8),
          payload: buffer.toString('latin1', at + HEADER_SIZE, end),
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

/** A channel that needs what it is given until {@link take}. */
class SlowChannel implements FrameChannel {
  readonly destroyed = false
  readonly written: Buffer[] = []
  /** How many pieces were written until each `uncork`. */
  readonly uncorked: number[] = []
  #waiting: { bytes: Buffer; done: (() => void) | undefined }[] = []

  get writableLength(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  write(bytes: Buffer, done?: () => void): void {
    this.written.push(bytes)
    this.#waiting.push({ bytes, done })
  }

  cork(): void {}

  uncork(): void {
    this.uncorked.push(this.written.length)
  }

  destroy(): void {}

  /** Takes the first of what waits. */
  take(): string {
    const { bytes, done } = this.#waiting.shift()!
    const text = bytes.toString('latin1')
    done?.()
    return text
  }
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

  it('has space for a part that is larger than its batch', async () => {
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

  it('says while a large piece is needed, because nobody has read it yet', async () => {
    const [near, far] = await pair()
    if (near.connecting) await once(near, 'connect')
    const writer = new FrameWriter(near)
    let uses = 0
    let used = 0
    const owner = {
      memoryInUse: () => {
        uses++
        used++
      },
      memoryUnused: () => void uses--,
    }
    const begun = (rest: Buffer[]) => writer.end(writer.begin(REQUEST, 1, 0).at, 0, rest, owner)
    begun([Buffer.alloc(16 * 1024), Buffer.alloc(1000)])
    expect(used).toBe(0) // copied
    begun([Buffer.alloc(1024 * 1024), Buffer.alloc(17_000)])
    await new Promise((resolve) => setImmediate(resolve))
    expect(uses).toBeGreaterThan(0)
    await read(far, 2)
    await waitFor('all to be written', () => uses === 0)
    expect(used).toBe(2)
    begun([Buffer.alloc(17_000)])
    near.destroy()
    await waitFor('the end of the channel', () => uses === 0)
    expect(used).toBe(3)
  })

  it('uses its memory again while the channel always has something to do', () => {
    const channel = new SlowChannel()
    const writer = new FrameWriter(channel)
    const size = 10_000
    for (let i = 0; i < 300; i++) {
      const { bytes, at } = writer.begin(REQUEST, i + 1, size)
      bytes.fill(97 + (i % 26), at, at + size)
      writer.end(at + size)
      writer.flush()
      // Three are never taken before the next one is written.
      if (i < 3) continue
      const letter = String.fromCharCode(97 + ((i - 3) % 26))
      expect(channel.take().slice(HEADER_SIZE) === letter.repeat(size), `frame ${i - 2}`).toBe(true)
    }
    expect(new Set(channel.written.map(({ buffer }) => buffer)).size).toBeLessThan(5)
  })

  it('sends a large piece together with what comes before and after it', () => {
    const channel = new SlowChannel()
    const writer = new FrameWriter(channel)
    const large = [Buffer.alloc(64 * 1024), Buffer.alloc(20_000)]
    writer.write(BODY, 1, 0, large)
    writer.write(BODY, 2, 0, large)
    writer.writeU32(WINDOW, 3, 1)
    expect(channel.uncorked).toEqual([])
    writer.flush()
    expect(channel.uncorked).toEqual([7])
    expect(channel.written.map(({ length }) => length)).toEqual([
      HEADER_SIZE,
      ...[64 * 1024, 20_000],
      HEADER_SIZE,
      ...[64 * 1024, 20_000],
      HEADER_SIZE + 4,
    ])
    writer.flush()
    expect(channel.uncorked).toEqual([7])
  })
})
