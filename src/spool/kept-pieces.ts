import { isLent, owned } from '../bytes/lent-memory.ts'
import type { BlockPool } from './block-pool.ts'

/** A piece of at least this size is not copied. */
const NOT_COPIED = 16 * 1024
const SMALLEST_BLOCK = 1024
const LARGEST_BLOCK = 64 * 1024
/** The memory that a piece takes in addition to its bytes. */
const PIECE_COST = 128

/**
 * Pieces of a body that wait, in order. The first piece and large pieces are kept as they are.
 * Small ones are copied together, because each is a view of memory that may be thousands of times
 * its size. Lent ones are copied into blocks of the pool, if there is one.
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
  readonly #pool: BlockPool | null
  /** Blocks of the pool that pieces are views of. */
  #pooled: Buffer[] = []

  constructor(pool: BlockPool | null = null) {
    this.#pool = pool
  }

  get empty(): boolean {
    return this.#pieces.length === 0 && this.#block === null
  }

  /** @param more how many bytes are known to follow */
  push(chunk: Buffer, more = 0): void {
    const { length } = chunk
    if (isLent(chunk)) {
      if (this.#pool !== null) return this.#copy(chunk, more, this.#pool)
      this.#closeBlock()
      this.#pieces.push(owned(chunk))
      this.#charge(length + PIECE_COST)
      return
    }
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

  #copy(chunk: Buffer, more: number, pool: BlockPool): void {
    const { length } = chunk
    for (let at = 0; at < length; ) {
      let block = this.#block
      if (block === null || this.#used === block.length) {
        this.#closeBlock()
        block = pool.take(length - at + more)
        this.#block = block
        this.#pooled.push(block)
        this.#charge(block.length + PIECE_COST)
      }
      const copied = chunk.copy(block, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  /**
   * Removes and returns the blocks of the pool that the pieces are views of. Give them back when
   * nobody reads the pieces any more.
   */
  takeBlocks(): Buffer[] {
    const blocks = this.#pooled
    if (blocks.length > 0) this.#pooled = []
    return blocks
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
    if (this.#pooled.length > 0) this.#pooled = []
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
