/**
 * How far all spooled responses of a process together may be ahead of their files: this share of
 * the memory budget, and at most a fixed number of bytes.
 */
const AHEAD_SHARE = 1 / 4
const AHEAD_OF_ALL = 128 * 1024 * 1024
/**
 * The size of the blocks for bytes that wait. Copying a piece into a block costs less than
 * allocating memory for each piece.
 */
export const BLOCK = 128 * 1024
/** How many unused blocks are kept. */
const SPARE_BLOCKS = 64

/**
 * What all spooled responses of a process share: how far they may be ahead of their files in total,
 * and blocks of memory for bytes that wait.
 */
export class SpoolAhead {
  #left: number
  readonly #spare: Buffer[] = []

  constructor(memoryLimit: number) {
    this.#left = Math.min(AHEAD_OF_ALL, Math.floor(memoryLimit * AHEAD_SHARE))
  }

  /** Returns a block to write to. */
  block(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK)
  }

  /** Takes back a block that is not needed any more. */
  reuse(block: Buffer): void {
    if (this.#spare.length < SPARE_BLOCKS) this.#spare.push(block)
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#left
  }

  /**
   * Takes up to `most` bytes, but at most half of what is left, so that there is always some for
   * the next response.
   *
   * @returns how many were taken; 0 if that would be less than `least`
   */
  take(least: number, most: number): number {
    const taken = Math.min(most, this.#left >> 1)
    if (taken < least) return 0
    this.#left -= taken
    return taken
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#left += bytes
  }
}
