import { connect, type Socket } from 'node:net'
import { KeepAliveClient } from './keep-alive-client.ts'
import { get } from './plain-application.ts'
import type { Target } from './raw-client.ts'

// Clients for gigabytes: one block is sent again and again, and what comes is looked at but not
// kept. Byte n of a body is n % 256, as tests/apps/endurance.py makes and wants it.

/** How the length of a body is said. */
export type Framing = 'length' | 'chunked'

/** What one client did of a body. */
export interface Transfer {
  bytes: number
  seconds: number
}

const blockSize = 1024 * 1024
const block = Buffer.alloc(
  blockSize,
  Uint8Array.from({ length: 256 }, (_, n) => n),
)
const chunk = Buffer.concat([
  Buffer.from(`${blockSize.toString(16)}\r\n`),
  block,
  Buffer.from('\r\n'),
])

function uploadHead(path: string, size: number, framing: Framing): string {
  const header = framing === 'length' ? `Content-Length: ${size}` : 'Transfer-Encoding: chunked'
  return `POST ${path} HTTP/1.1\r\nHost: test\r\n${header}\r\n\r\n`
}

/**
 * Sends so many blocks as fast as they are taken; false when the connection has closed before that.
 */
function sendBlocks(socket: Socket, count: number, framing: Framing): Promise<boolean> {
  const piece = framing === 'length' ? block : chunk
  return new Promise((resolve) => {
    let left = count
    const closed = () => resolve(false)
    socket.once('close', closed)
    const more = () => {
      while (left > 0) {
        left--
        if (!socket.write(piece)) {
          socket.once('drain', more)
          return
        }
      }
      socket.off('close', closed)
      resolve(true)
    }
    more()
  })
}

/**
 * Uploads a body to `/upload` and throws when the application did not get just that.
 *
 * @param size In bytes, a multiple of 1 MiB.
 */
export async function upload(target: Target, size: number, framing: Framing): Promise<Transfer> {
  const client = await KeepAliveClient.open(target)
  const since = performance.now()
  const answered = client.request(uploadHead('/upload', size, framing))
  if ((await sendBlocks(client.socket, size / blockSize, framing)) && framing === 'chunked') {
    client.socket.write('0\r\n\r\n')
  }
  const { status, body } = await answered
  client.close()
  if (status !== 200 || body !== `${size} intact`) throw new Error(`answered ${status}: ${body}`)
  return { bytes: size, seconds: (performance.now() - since) / 1000 }
}

/**
 * Begins an upload of `size` bytes, sends the first `count` MiB of it, and resets the connection.
 */
export async function abandonUpload(
  target: Target,
  size: number,
  framing: Framing,
  count: number,
): Promise<void> {
  const client = await KeepAliveClient.open(target)
  const answered = client.request(uploadHead('/upload', size, framing))
  await sendBlocks(client.socket, count, framing)
  client.socket.resetAndDestroy()
  await answered.then(
    () => {
      throw new Error('half an upload was answered')
    },
    () => {},
  )
}

/**
 * Downloads and throws when it was not the body that was to come.
 *
 * @param options.zeros The body is of zeros, not of the pattern.
 * @param options.pause Milliseconds to wait before each further 64 KiB: a slow reader.
 * @param options.abandonAfter Reset the connection when so many bytes have come; then the rest is
 * not missed.
 */
export function download(
  target: Target,
  path: string,
  size: number,
  options: { zeros?: boolean; pause?: number; abandonAfter?: number } = {},
): Promise<Transfer & { framing: Framing }> {
  return new Promise((resolve, reject) => {
    const since = performance.now()
    const body = new DownloadedBody(options.zeros ?? false)
    const limit = options.abandonAfter ?? Number.POSITIVE_INFINITY
    const finish = () =>
      resolve({
        bytes: body.length,
        seconds: (performance.now() - since) / 1000,
        framing: body.framing,
      })
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    const socket = connect({
      port: target.port,
      host: target.host ?? '127.0.0.1',
      onread: {
        buffer: Buffer.alloc(options.pause === undefined ? blockSize : 65536),
        callback: (count, buffer) => {
          try {
            body.take(Buffer.from(buffer.buffer, buffer.byteOffset, count))
          } catch (error) {
            fail(error as Error)
            return false
          }
          if (body.length >= limit) {
            socket.resetAndDestroy()
            finish()
            return false
          }
          if (options.pause === undefined) return true
          setTimeout(() => socket.resume(), options.pause)
          return false
        },
      },
    })
    socket.once('connect', () => socket.write(get(path, 'Connection: close')))
    socket.once('error', fail)
    socket.once('end', () => {
      socket.destroy()
      if (!body.complete || body.length !== size)
        fail(new Error(`got ${body.length} of ${size} bytes`))
      else finish()
    })
  })
}

/** Takes a response apart as it comes, keeping nothing of it. */
class DownloadedBody {
  framing: Framing = 'length'
  length = 0
  /** The framing has said that this was all. */
  complete = false
  /** Text of the head, or of a line between two chunks, that is not complete. */
  #text = ''
  #state: 'head' | 'content' | 'size' | 'after' | 'last' = 'head'
  /** Bytes that are still to come of the content, or of this chunk. */
  #left = 0
  readonly #zeros: boolean

  constructor(zeros: boolean) {
    this.#zeros = zeros
  }

  take(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.complete) throw new Error('bytes after the end of the body')
      if (this.#state === 'content') {
        const end = Math.min(bytes.length, at + this.#left)
        this.#look(bytes, at, end)
        this.#left -= end - at
        at = end
        if (this.#left === 0) {
          if (this.framing === 'length') this.complete = true
          else this.#state = 'after'
        }
        continue
      }
      const mark = this.#state === 'head' ? '\r\n\r\n' : '\r\n'
      const seen = this.#text.length
      this.#text += bytes.toString('latin1', at, Math.min(bytes.length, at + 4096))
      const end = this.#text.indexOf(mark)
      if (end < 0) {
        at += this.#text.length - seen
        continue
      }
      at += end + mark.length - seen
      const line = this.#text.slice(0, end)
      this.#text = ''
      this.#line(line)
    }
  }

  #line(line: string): void {
    switch (this.#state) {
      case 'head': {
        if (!line.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${line.slice(0, 80)}`)
        const length = /\r\nContent-Length: (\d+)/i.exec(line)?.[1]
        this.framing = length === undefined ? 'chunked' : 'length'
        if (length === undefined && !/\r\nTransfer-Encoding: chunked/i.test(line))
          throw new Error(line)
        this.#left = Number(length)
        this.#state = length === undefined ? 'size' : 'content'
        return
      }
      case 'size':
        if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`not the size of a chunk: ${line}`)
        this.#left = Number.parseInt(line, 16)
        this.#state = this.#left === 0 ? 'last' : 'content'
        return
      case 'after':
        if (line !== '') throw new Error('a chunk that is longer than its size')
        this.#state = 'size'
        return
      default:
        if (line !== '') throw new Error(`a trailer: ${line}`)
        this.complete = true
    }
  }

  /** The first and the last byte of each piece are in their place. */
  #look(bytes: Buffer, start: number, end: number): void {
    for (const at of [start, end - 1]) {
      const wanted = this.#zeros ? 0 : (this.length + at - start) % 256
      if (bytes[at] !== wanted) throw new Error(`byte ${this.length + at - start} is ${bytes[at]}`)
    }
    this.length += end - start
  }
}
