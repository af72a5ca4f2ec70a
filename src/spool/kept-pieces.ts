/** A piece of at least this size is not copied. */
const NOT_COPIED = 16 * 1024
const SMALLEST_BLOCK = 1024
const LARGEST_BLOCK = 64 * 1024
/** The memory that a piece takes in addition to its bytes. */
const PIECE_COST = 128

/**
 * Pieces of a body that wait, in order. The first piece and large pieces are kept as they are.
 * Small ones are copied together, because each is a view of memory that may be thousands of times
 * its size.
 */
export class KeptPieces {
  /** How much memory the pieces take, including what they are views of, in bytes. */
  held = 0
  #pieces: Buffer[] = []
  /** The part of `held` that each piece takes. */
  #costs: number[] = []
  /** The block for small pieces, after all other pieces. Its cost is the last of `#costs`. */
  #block: Buffer | null = null
  #used = 0

  get empty(): boolean {
    return this.#pieces.length === 0 && this.#block === null
  }

  push(chunk: Buffer): void {
    const { length } = chunk
    if (this.empty || length >= NOT_COPIED) {
      this.#closeBlock()
      this.#pieces.push(chunk)
      this.#charge(chunk.buffer.byteLength + PIECE_COST)
      return
    }
    let block = this.#block
    if (block === null || this.#used + length > block.length) {
      this.#closeBlock()
      const size = Math.max(length, Math.min(LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, this.held)))
      block = Buffer.allocUnsafeSlow(size)
      this.#block = block
      this.#charge(size + PIECE_COST)
    }
    block.set(chunk, this.#used)
    this.#used += length
  }

  /** Removes and returns the first piece; undefined if there is none. */
  shift(): Buffer | undefined {
    if (this.#pieces.length === 0) this.#closeBlock()
    const piece = this.#pieces.shift()
    if (piece !== undefined) this.held -= this.#costs.shift()!
    return piece
  }

  /** Puts back a piece that was removed, or the rest of it. */
  unshift(piece: Buffer): void {
    this.#pieces.unshift(piece)
    const cost = piece.buffer.byteLength + PIECE_COST
    this.#costs.unshift(cost)
    this.held += cost
  }

  /** Removes and returns all pieces. */
  take(): Buffer[] {
    this.#closeBlock()
    const pieces = this.#pieces
    this.clear()
    return pieces
  }

  /** All pieces. They stay here. */
  all(): readonly Buffer[] {
    this.#closeBlock()
    return this.#pieces
  }

  clear(): void {
    this.#pieces = []
    this.#costs = []
    this.#block = null
    this.#used = 0
    this.held = 0
  }

  #charge(bytes: number): void {
    this.#costs.push(bytes)
    this.held += bytes
  }

  #closeBlock(): void {
    if (this.#block === null) return
    this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = null
    this.#used = 0
  }
}
