import { eachLine, readLines } from '../../wsgi/input-stream.ts'
import type { Bytes, InputStream } from '../../wsgi/types.ts'

/**
 * The body of a request is larger than `bodyLimit` allows. Reads from `wsgi.input` reject with it.
 * Its `code` is `body-too-large`.
 */
export class BodyTooLargeError extends Error {
  readonly code = 'body-too-large'
  /** The status to answer with. */
  readonly status = 413
  /** An error of the client: `errorHandler` shows its message and does not log it. */
  readonly expose = true

  constructor(maxBytes: number) {
    super(`The body of the request has more than ${maxBytes} bytes, the limit`)
    this.name = 'BodyTooLargeError'
  }
}

const PIECE = 64 * 1024

/**
 * An input stream that gives at most `maxBytes` bytes and fails if there are more. It asks the
 * stream behind it for at most one byte beyond.
 *
 * Reads that begin while another is pending are done in order, because each depends on the bytes
 * that are left.
 */
export class LimitedInput implements InputStream {
  readonly #input: InputStream
  readonly #maxBytes: number
  #left: number
  #last: Promise<unknown> = Promise.resolve()
  /** The error of all reads after the first byte too many. */
  error: BodyTooLargeError | undefined

  constructor(input: InputStream, maxBytes: number) {
    this.#input = input
    this.#maxBytes = maxBytes
    this.#left = maxBytes
  }

  get exceeded(): boolean {
    return this.error !== undefined
  }

  read(size = -1): Promise<Bytes> {
    return this.#inTurn(() => this.#counted((most) => this.#input.read(most), size))
  }

  read1(size = -1): Promise<Bytes> {
    const wanted = size < 0 ? PIECE : size
    return this.#inTurn(() =>
      this.#counted(
        (most) =>
          this.#input.read1 === undefined ? this.#input.read(most) : this.#input.read1(most),
        wanted,
      ),
    )
  }

  readline(size = -1): Promise<Bytes> {
    return this.#inTurn(() => this.#line(size))
  }

  readlines(hint = -1): Promise<Bytes[]> {
    return this.#inTurn(() => readLines(() => this.#line(-1), hint))
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes> {
    return eachLine(() => this.readline())
  }

  #line(size: number): Promise<Bytes> {
    return this.#counted((most) => this.#input.readline(most), size)
  }

  async #counted(read: (most: number) => Promise<Bytes>, size: number): Promise<Bytes> {
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
