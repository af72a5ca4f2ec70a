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
 * The body of a request as an environ has it: `wsgi.input`, whatever a middleware has made of it,
 * and how much of it there is to read. It is read through its methods only.
 */
export class PythonInput {
  /** Nobody has said how long the body is; it ends where `wsgi.input` ends. */
  readonly lengthUnknown: boolean
  readonly #input: InputStream
  /** Bytes that may be read; Infinity where `wsgi.input` ends by itself. */
  #left: number

  private constructor(input: InputStream, left: number, lengthUnknown: boolean) {
    this.#input = input
    this.#left = left
    this.lengthUnknown = lengthUnknown
  }

  /**
   * Null for a request without a body: then there is nothing to wait for.
   *
   * @throws WSGIError where the environ contradicts itself
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

  /** At most that many bytes; none at the end. @throws what the stream throws, as a rejection */
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
   * Reads it to its end: into memory or, where it is larger, into a file. It is read as fast as the
   * file can be written.
   *
   * @throws what the stream throws, or what the file met, as a rejection; nothing is kept then
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

/** Sends a body on to a worker while it arrives, no more than the application has asked for. */
export class InputRelay {
  /** What reading the body failed with; null while it has not. */
  failure: Error | null = null
  readonly #input: PythonInput
  readonly #handle: () => TaskHandle | null
  #wanted = 0
  #running = false
  #ended = false

  /** @param handle who is sent to; null when nobody wants more */
  constructor(input: PythonInput, handle: () => TaskHandle | null) {
    this.#input = input
    this.#handle = handle
  }

  /** That many more bytes are asked for. */
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
