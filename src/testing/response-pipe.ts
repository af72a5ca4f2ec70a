import type { Bytes } from '../wsgi/types.ts'

/**
 * Passes the body of a response from the application to the test. The application is asked for its
 * next piece when the test asks for one, so at most one piece waits, unless the application sends
 * more without waiting.
 */
export class ResponsePipe {
  readonly #pieces: Bytes[] = []
  #reader: { resolve(piece: Bytes | null): void; reject(error: unknown): void } | null = null
  #producers: (() => void)[] = []
  #ended = false
  #failure: { error: unknown } | null = null

  /** @returns false: the next piece may be given only when the reader asks for it */
  push(piece: Uint8Array): boolean {
    // A copy, because the application may reuse its buffer when it is asked for the next piece.
    const copy = piece.slice()
    const reader = this.#reader
    this.#reader = null
    if (reader === null) this.#pieces.push(copy)
    else reader.resolve(copy)
    return false
  }

  /** Calls back when the next piece is asked for. */
  whenWanted(callback: () => void): void {
    if (this.#reader === null) this.#producers.push(callback)
    else queueMicrotask(callback)
  }

  end(): void {
    if (this.#failure !== null) return
    this.#ended = true
    this.#reader?.resolve(null)
    this.#reader = null
  }

  fail(error: unknown): void {
    if (this.#ended || this.#failure !== null) return
    this.#failure = { error }
    this.#producers = []
    this.#reader?.reject(error)
    this.#reader = null
  }

  /** Drops the pieces that were not read. */
  discard(): void {
    this.#pieces.length = 0
  }

  /** The next piece, or null at the end. */
  next(): Promise<Bytes | null> {
    const piece = this.#pieces.shift()
    if (piece !== undefined) return Promise.resolve(piece)
    if (this.#failure !== null) return Promise.reject(this.#failure.error)
    if (this.#ended) return Promise.resolve(null)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      const producers = this.#producers
      this.#producers = []
      for (const producer of producers) producer()
    })
  }
}
