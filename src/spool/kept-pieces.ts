/** A piece of at least this size is kept as it came. */
const KEPT_AS_IT_CAME = 16 * 1024
const SMALLEST_BLOCK = 1024
const LARGEST_BLOCK = 64 * 1024
/** What keeping a piece costs beside its bytes. */
const PIECE_COST = 128

/**
 * Pieces of a body that wait, in order. The first and large ones are kept as they came; small ones
 * are copied behind each other, because each is a view of a read that may be thousands of times its
 * size.
 */
export class KeptPieces {
  /** How much memory they take, with what they are views of, in bytes. */
  held = 0
  #pieces: Buffer[] = []
  /** What each takes of `held`. */
  #costs: number[] = []
  /** Where small pieces are put, after all others; the last of `#costs` is its. */
  #block: Buffer | null = null
  #used = 0

  get empty(): boolean {
    return this.#pieces.length === 0 && this.#block === null
  }

  push(chunk: Buffer): void {
    const { length } = chunk
    if (this.empty || length >= KEPT_AS_IT_CAME) {
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

  /** Takes out the first one; undefined when there is none. */
  shift(): Buffer | undefined {
    if (this.#pieces.length === 0) this.#closeBlock()
    const piece = this.#pieces.shift()
    if (piece !== undefined) this.held -= this.#costs.shift()!
    return piece
  }

  /** Puts one back that has been taken out, or what is left of it. */
  unshift(piece: Buffer): void {
    this.#pieces.unshift(piece)
    const cost = piece.buffer.byteLength + PIECE_COST
    this.#costs.unshift(cost)
    this.held += cost
  }

  /** Takes all of them out. */
  take(): Buffer[] {
    this.#closeBlock()
    const pieces = this.#pieces
    this.clear()
    return pieces
  }

  /** All of them, which stay. */
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
