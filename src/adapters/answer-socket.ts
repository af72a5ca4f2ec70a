import { isIP } from 'node:net'
import { Duplex } from 'node:stream'
import type { WSGIEnvironment } from '../wsgi/types.ts'

type Step = IteratorResult<Uint8Array, undefined>

const HEAD_END = Buffer.from('\r\n\r\n')
const NO_BYTES = Buffer.alloc(0)

/**
 * What a ServerResponse takes for its connection. What it writes is a head, which it remembers
 * itself and which is skipped here, and a body, which is handed out piece by piece; a write is done
 * when its piece has been taken, so a response is written as fast as it is read.
 */
export class AnswerSocket extends Duplex {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly remoteFamily: string | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  /** There only where it is true, as with Node's own. */
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

  /** The response has been written to its end. */
  get isFinished(): boolean {
    return this.#finished
  }

  /** The head of the answer, not only of an interim one, has been written. */
  get hasHead(): boolean {
    return this.#headLeft === null
  }

  /** What {@link fail} was called with first. */
  get failure(): unknown {
    return this.#error?.reason
  }

  /** The next piece of the body. One at a time. */
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

  /** All pieces of a response that has been ended. */
  takeAll(): Uint8Array[] {
    const all: Uint8Array[] = []
    do {
      all.push(...this.#pieces)
      this.#pieces = []
      this.#taken()
    } while (this.#pieces.length > 0 || this.#written !== null)
    return all
  }

  finish(): void {
    this.#finished = true
    this.#tell()
  }

  /** Whoever reads the body gets this error; the first counts. */
  fail(reason: unknown): void {
    this.#error ??= { reason }
    this.#tell()
  }

  /** The connection is lost. */
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
    // Nobody listens for errors of a connection that is none; who reads the answer is told.
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

  /** @returns what of the bytes is behind the head */
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

  /** Lets the response write on. */
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
