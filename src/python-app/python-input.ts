import type { TaskHandle } from '../runtimes/runtime.ts'
import { RequestBody } from '../spool/request-body.ts'
import type { BodyStore } from '../spool/spool.ts'
import { emptyInput } from '../wsgi/input-stream.ts'
import { toError } from '../wsgi/stranger.ts'
import type { InputStream, WSGIEnvironment } from '../wsgi/types.ts'
import { describeValue, WSGIError } from '../wsgi/wsgi-error.ts'

const PIECE = 64 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * The body of a request in an environ: `wsgi.input`, which middleware may have wrapped, and how
 * much of it there is to read. Only its methods are used.
 */
export class PythonInput {
  /** The length of the body is not known; it ends where `wsgi.input` ends. */
  readonly lengthUnknown: boolean
  readonly #input: InputStream
  /** Bytes that may be read; Infinity if `wsgi.input` has an end. */
  #left: number

  private constructor(input: InputStream, left: number, lengthUnknown: boolean) {
    this.#input = input
    this.#left = left
    this.lengthUnknown = lengthUnknown
  }

  /**
   * Null for a request without a body.
   * @throws WSGIError if the environ contradicts itself
   */
  static of(environ: WSGIEnvironment): PythonInput | null {
    const input = environ['wsgi.input']
    const declared = environ.CONTENT_LENGTH
    const hasLength = declared !== undefined && declared !== ''
    if (input === emptyInput || (hasLength && declared === '0')) return null
    if (hasLength && (typeof declared !== 'string' || !/^[0-9]{1,15}$/.test(declared))) {
      throw new WSGIError(
        'environ Variables',
        `CONTENT_LENGTH must be a number of bytes in digits, not ${describeValue(declared)}`,
      )
    }
    const ends = environ['wsgi.input_terminated'] === true
    if (!hasLength && !ends) return null
    if (typeof input !== 'object' || input === null || typeof input.read !== 'function') {
      throw new WSGIError(
        'Input and Error Streams',
        `wsgi.input must be an input stream, not ${describeValue(input)}`,
      )
    }
    return new PythonInput(input, ends ? Number.POSITIVE_INFINITY : Number(declared), !hasLength)
  }

  /** Reads up to that many bytes; none at the end. Rejects with what the stream throws. */
  async read(size: number): Promise<Buffer> {
    const most = Math.min(size, this.#left)
    if (most === 0) return NOTHING
    const input = this.#input
    const piece: unknown = await (input.read1 === undefined ? input.read(most) : input.read1(most))
    if (!(piece instanceof Uint8Array)) {
      throw new WSGIError(
        'Input and Error Streams',
        `wsgi.input must give Uint8Array, not ${describeValue(piece)}`,
      )
    }
    if (piece.length > most) {
      throw new WSGIError(
        'Input and Error Streams',
        `wsgi.input gave ${piece.length} bytes and was asked for ${most}`,
      )
    }
    this.#left = piece.length === 0 ? 0 : this.#left - piece.length
    return Buffer.from(piece.buffer, piece.byteOffset, piece.length)
  }

  /**
   * Reads it to its end: into memory, or into a file if it is larger. It is read as fast as the
   * file can be written. Rejects with what the stream throws, or an error of the file; then nothing
   * is kept.
   */
  async store(store: BodyStore): Promise<RequestBody> {
    const body = new RequestBody(store)
    try {
      for (;;) {
        const piece = await this.read(PIECE)
        if (piece.length === 0) break
        body.append(piece)
        if (body.behind) await new Promise<void>((resolve) => body.whenWritten(resolve))
        if (body.failure !== null) throw body.failure
      }
    } catch (error) {
      body.discard()
      throw error
    }
    return body
  }
}

/** Sends a body to a worker while it arrives, as far as the application has asked for it. */
export class InputRelay {
  /** The error of reading the body; null if there was none. */
  failure: Error | null = null
  readonly #input: PythonInput
  readonly #handle: () => TaskHandle | null
  #wanted = 0
  #running = false
  #ended = false

  /** @param handle the task to send to; null if the body is not wanted any more */
  constructor(input: PythonInput, handle: () => TaskHandle | null) {
    this.#input = input
    this.#handle = handle
  }

  /** The application asks for that many more bytes. */
  want(bytes: number): void {
    this.#wanted += bytes
    if (!this.#running && !this.#ended) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#wanted > 0) {
        const piece = await this.#input.read(Math.min(this.#wanted, PIECE))
        const handle = this.#handle()
        if (handle === null) return
        this.#wanted -= piece.length
        this.#ended = piece.length === 0
        handle.sendBody(piece, this.#ended)
        if (this.#ended) return
      }
    } catch (error) {
      this.#ended = true
      this.failure = toError(error)
      this.#handle()?.abortBody()
    } finally {
      this.#running = false
    }
  }
}
