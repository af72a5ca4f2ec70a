const NOTHING = Buffer.alloc(0)

/**
 * A stretch of memory on its way through the server: bytes [`start`, `end`) of `bytes`.
 *
 * One span is made per owner and used again for each stretch, because a new object for every read,
 * frame and piece of a response would be the largest cost of a small request. So a span that is
 * passed to a function is valid **until that function returns**. A function that needs the bytes
 * for longer keeps `bytes`, `start` and `end`, and documents that.
 *
 * A function that reads from a span step by step may move its `start`, so that the span is a cursor
 * for the next function.
 *
 * @example
 * ```ts
 * const span = new Span()
 * reply.data(span.set(buffer, 0, length))
 * ```
 */
export class Span {
  bytes: Buffer = NOTHING
  start = 0
  end = 0
  /**
   * Headroom: bytes [`free`, `start`) of `bytes` are not needed any more. The holder of the span
   * may write there, for example to put a response's head before its body and send both at once.
   */
  free = 0
  /**
   * The owner uses the memory again as soon as the call returns, unless the callee says that it
   * still needs it.
   */
  lent = false

  /** How many bytes it has. */
  get length(): number {
    return this.end - this.start
  }

  /** Points it at other bytes, without headroom and not lent. Returns the span itself. */
  set(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.free = start
    this.lent = false
    return this
  }

  /** The same for memory that is lent, with bytes [`free`, `start`) before it to write to. */
  lend(bytes: Buffer, start: number, end: number, free: number): this {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.free = free
    this.lent = true
    return this
  }

  /** Forgets the memory, so that a span that waits for its next use does not keep it alive. */
  clear(): void {
    this.set(NOTHING, 0, 0)
  }

  /** The bytes as a view of the same memory. */
  view(): Buffer {
    return this.bytes.subarray(this.start, this.end)
  }

  /** The bytes as text, one character a byte. */
  latin1(): string {
    return this.bytes.toString('latin1', this.start, this.end)
  }
}

/** A span that has nothing in it. Nobody may point it at anything. */
export const EMPTY: Readonly<Span> = Object.freeze(new Span())
