import { eachLine, readLines } from '../../wsgi/input-stream.ts'
import type { InputStream } from '../../wsgi/types.ts'

/** The request's body is larger than `bodyLimit` allows. Reads from `wsgi.input` reject with it. */
export class BodyTooLargeError extends Error {
  readonly code = 'body-too-large'
  /** The status that says so. */
  readonly status = 413
  /**
   * It is the client's doing, and may be told: `errorHandler` answers with it, and logs nothing.
   */
  readonly expose = true

  constructor(maxBytes: number) {
    super(`The request's body has more than the ${maxBytes} bytes that are allowed`)
    this.name = 'BodyTooLargeError'
  }
}

const PIECE = 64 * 1024

/**
 * An input stream that gives a number of bytes, and fails where there are more. Of the stream
 * behind it, it never asks for more than one byte beyond.
 *
 * Reads that are begun while another is under way come after it, as what they may ask for depends
 * on it.
 */
export class LimitedInput implements InputStream {
  readonly #input: InputStream
  readonly #maxBytes: number
  #left: number
  #last: Promise<unknown> = Promise.resolve()
  /** What reads fail with, once there have been too many bytes. */
  error: BodyTooLargeError | undefined

  constructor(input: InputStream, maxBytes: number) {
    this.#input = input
    this.#maxBytes = maxBytes
    this.#left = maxBytes
  }

  get exceeded(): boolean {
    return this.error !== undefined
  }

  read(size = -1): Promise<Uint8Array> {
    return this.#inTurn(() => this.#counted((most) => this.#input.read(most), size))
  }

  read1(size = -1): Promise<Uint8Array> {
    const wanted = size < 0 ? PIECE : size
    return this.#inTurn(() =>
      this.#counted(
        (most) =>
          this.#input.read1 === undefined ? this.#input.read(most) : this.#input.read1(most),
        wanted,
      ),
    )
  }

  readline(size = -1): Promise<Uint8Array> {
    return this.#inTurn(() => this.#line(size))
  }

  readlines(hint = -1): Promise<Uint8Array[]> {
    return this.#inTurn(() => readLines(() => this.#line(-1), hint))
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return eachLine(() => this.readline())
  }

  #line(size: number): Promise<Uint8Array> {
    return this.#counted((most) => this.#input.readline(most), size)
  }

  async #counted(read: (most: number) => Promise<Uint8Array>, size: number): Promise<Uint8Array> {
    if (this.error !== undefined) throw this.error
    const bytes = await read(size < 0 ? this.#left + 1 : Math.min(size, this.#left + 1))
    if (bytes.length > this.#left) {
      this.error = new BodyTooLargeError(this.#maxBytes)
      throw this.error
    }
    this.#left -= bytes.length
    return bytes
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const result = this.#last.then(read, read)
    this.#last = result
    return result
  }
}
