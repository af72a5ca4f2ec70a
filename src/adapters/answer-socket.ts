import { isIP } from 'node:net'
import { Duplex } from 'node:stream'
import type { WSGIEnvironment } from '../wsgi/types.ts'

type Step = IteratorResult<Uint8Array, undefined>

const HEAD_END = Buffer.from('\r\n\r\n')
const NO_BYTES = Buffer.alloc(0)

/**
 * Acts as the socket of a ServerResponse. The response writes a head, which it also keeps itself
 * and which is skipped here, and a body, which is read piece by piece with {@link next}. A write
 * completes when its piece was read, so a response is written as fast as it is read.
 */
export class AnswerSocket extends Duplex {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly remoteFamily: string | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  /** Present only if it is true, as on Node's own sockets. */
  declare readonly encrypted?: boolean
  readonly connecting = false
  readonly timeout = 0
  /** Called once, when the head has been written. */
  onHead: () => void = () => {}
  #headLeft: Buffer | null = NO_BYTES
  #pieces: Buffer[] = []
  #written: (() => void) | null = null
  #waiting: { resolve(step: Step): void; reject(error: unknown): void } | null = null
  #finished = false
  #error: { readonly reason: unknown } | null = null

  constructor(environ: WSGIEnvironment) {
    super({ highWaterMark: 64 * 1024 })
    const family = isIP(environ.REMOTE_ADDR ?? '')
    this.remoteAddress = environ.REMOTE_ADDR === '' ? undefined : environ.REMOTE_ADDR
    this.remoteFamily = family === 0 ? undefined : `IPv${family}`
    this.remotePort = Number(environ.REMOTE_PORT) || undefined
    this.localAddress = isIP(environ.SERVER_NAME) === 0 ? undefined : environ.SERVER_NAME
    this.localPort = Number(environ.SERVER_PORT) || undefined
    if (environ['wsgi.url_scheme'] === 'https') this.encrypted = true
  }

  /** Whether the response was written to its end. */
  get isFinished(): boolean {
    return this.#finished
  }

  /** Whether the head of the final response was written, and not only an interim one. */
  get hasHead(): boolean {
    return this.#headLeft === null
  }

  /** The error of the first call of {@link fail}. */
  get failure(): unknown {
    return this.#error?.reason
  }

  /** The next piece of the body. Await it before the next call. */
  next(): Promise<Step> {
    const piece = this.#pieces.shift()
    if (piece !== undefined) {
      if (this.#pieces.length === 0) this.#taken()
      return Promise.resolve({ done: false, value: piece })
    }
    if (this.#finished) return Promise.resolve({ done: true, value: undefined })
    if (this.#error !== null) return Promise.reject(this.#error.reason)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** All pieces of a response that was ended. */
  takeAll(): Uint8Array[] {
    const all: Uint8Array[] = []
    do {
      all.push(...this.#pieces)
      this.#pieces = []
      this.#taken()
    } while (this.#pieces.length > 0 || this.#written !== null)
    return all
  }

  /** The response was written to its end. */
  finish(): void {
    this.#finished = true
    this.#tell()
  }

  /** Makes the reading of the body fail. The first error is kept. */
  fail(reason: unknown): void {
    this.#error ??= { reason }
    this.#tell()
  }

  /** Fails and closes, as a connection that was lost. */
  lose(reason: unknown): void {
    this.fail(reason)
    this.destroy()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.#take([chunk], written)
  }

  override _writev(chunks: { chunk: Buffer }[], written: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      written,
    )
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#written = null
    // This is not a real connection, so its errors have no listener: the reader gets them.
    if (error !== null) this.fail(error)
    callback(null)
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  destroySoon(): void {
    this.destroy()
  }

  address(): object {
    return this.localAddress === undefined
      ? {}
      : {
          address: this.localAddress,
          port: this.localPort,
          family: `IPv${isIP(this.localAddress)}`,
        }
  }

  #take(chunks: Buffer[], written: () => void): void {
    for (const chunk of chunks) {
      const body = this.#headLeft === null ? chunk : this.#skipHead(chunk)
      if (body.length > 0) this.#pieces.push(body)
    }
    if (this.#pieces.length === 0) {
      written()
      return
    }
    this.#written = written
    this.#tell()
  }

  /** @returns the bytes after the head */
  #skipHead(chunk: Buffer): Buffer {
    let bytes = Buffer.concat([this.#headLeft!, chunk])
    for (;;) {
      const end = bytes.indexOf(HEAD_END)
      if (end === -1) {
        this.#headLeft = bytes
        return NO_BYTES
      }
      const interim = bytes.toString('latin1', 0, 10) === 'HTTP/1.1 1'
      bytes = bytes.subarray(end + HEAD_END.length)
      if (interim) continue
      this.#headLeft = null
      this.onHead()
      return bytes
    }
  }

  /** Completes the write of the response, which then continues. */
  #taken(): void {
    const written = this.#written
    this.#written = null
    written?.()
  }

  #tell(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    const piece = this.#pieces.shift()
    if (piece === undefined && !this.#finished && this.#error === null) return
    this.#waiting = null
    if (piece !== undefined) {
      waiting.resolve({ done: false, value: piece })
      if (this.#pieces.length === 0) this.#taken()
    } else if (this.#finished) {
      waiting.resolve({ done: true, value: undefined })
    } else {
      waiting.reject(this.#error!.reason)
    }
  }
}
