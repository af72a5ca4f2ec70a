/** The sizes of blocks, in bytes. */
const SMALL = 16 * 1024
const LARGE = 64 * 1024
/** How many free blocks of each size are kept: 1 MiB, and 16 MiB. */
const SMALL_KEPT = 64
const LARGE_KEPT = 256

/**
 * Blocks of memory that are used again, for the bodies of requests. A body keeps its bytes for a
 * few milliseconds; with memory of its own for each, V8 would count that against its limits and
 * collect the whole heap several times a second.
 */
export class BlockPool {
  readonly #small: Buffer[] = []
  readonly #large: Buffer[] = []

  /** A block of 16 KiB if that is enough for so many bytes, else one of 64 KiB. */
  take(bytes: number): Buffer {
    return bytes <= SMALL
      ? (this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL))
      : (this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE))
  }

  /** Takes a block back. Nobody may read or write it any more. */
  give(block: Buffer): void {
    if (block.length === SMALL) {
      if (this.#small.length < SMALL_KEPT) this.#small.push(block)
    } else if (this.#large.length < LARGE_KEPT) {
      this.#large.push(block)
    }
  }
}

/** The blocks of this process. */
export const BLOCKS = new BlockPool()
