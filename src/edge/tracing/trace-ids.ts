import { randomFillSync } from 'node:crypto'

/** Random bytes are fetched for this many requests at once, because each call costs as much. */
const REQUESTS = 128
/** 16 bytes of a trace, and 8 of each of two spans. */
const BYTES = 32

/** Makes the ids of traces and spans: random, hexadecimal, in lower case (§3.2.2.3). */
export class TraceIds {
  readonly #bytes = Buffer.alloc(REQUESTS * BYTES)
  #at = this.#bytes.length

  /** 64 digits: the first 32 for a trace, then 16 for each of two spans. */
  next(): string {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes)
      this.#at = 0
    }
    const start = this.#at
    this.#at += BYTES
    return this.#bytes.toString('hex', start, this.#at)
  }
}
