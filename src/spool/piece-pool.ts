import type { MemoryBudget } from './memory-budget.ts'

/** The sizes of the memory for pieces, in bytes. The smallest is for when memory is short. */
const SIZES = [16 * 1024, 64 * 1024, 256 * 1024] as const
const LARGE = 2
/** How many of the largest there may be at once. Who gets none takes smaller pieces. */
const MOST_LARGE = 32
/** How many of each size wait for their next use at most: 4.75 MiB together. */
const IDLE = [16, 8, 16] as const

/**
 * Memory for pieces of files on their way to clients, used again and again: fresh memory for each
 * would be garbage faster than it is collected.
 *
 * {@link take} memory, fill it, say when it is {@link given} to a client, and give it {@link back}
 * when the client has taken it; or {@link drop} it, if nobody can tell when that is. What waits
 * here, and what is being filled, counts in the budget. What was given counts at its connection.
 *
 * Clients that stop reading hold 32 of the largest pieces together, and then small ones.
 */
export class PiecePool {
  readonly #memory: MemoryBudget
  readonly #idle: Buffer[][] = SIZES.map(() => [])
  /** How many of the largest are in use. */
  #large = 0

  constructor(memory: MemoryBudget) {
    this.#memory = memory
  }

  /** The pool of a budget. */
  static of(memory: MemoryBudget): PiecePool {
    let pool = pools.get(memory)
    if (pool === undefined) {
      pool = new PiecePool(memory)
      pools.set(memory, pool)
    }
    return pool
  }

  /** See `MemoryBudget`. */
  get pressed(): boolean {
    return this.#memory.pressed
  }

  /** Memory for up to that many bytes, which may be less. */
  take(size: number): Buffer {
    const { pressed } = this.#memory
    let kind = pressed || size <= SIZES[0] ? 0 : size <= SIZES[1] ? 1 : LARGE
    if (kind === LARGE && this.#large >= MOST_LARGE) kind = 1
    if (kind === LARGE) this.#large++
    const idle = this.#idle[kind]!.pop()
    if (idle !== undefined) return idle
    this.#memory.add(SIZES[kind]!)
    return Buffer.allocUnsafeSlow(SIZES[kind]!)
  }

  /** A client has it now. */
  given(piece: Buffer): void {
    this.#memory.add(-piece.length)
  }

  /** Nobody uses it any more, after it was given. */
  back(piece: Buffer): void {
    this.#memory.add(piece.length)
    this.unused(piece)
  }

  /** It is not needed after all. */
  unused(piece: Buffer): void {
    const kind = SIZES.indexOf(piece.length as (typeof SIZES)[number])
    if (kind === LARGE) this.#large--
    const idle = this.#idle[kind]!
    if (this.#memory.pressed) this.#clear()
    if (this.#memory.pressed || idle.length >= IDLE[kind]!) this.#memory.add(-piece.length)
    else idle.push(piece)
  }

  /** It was given, and somebody may have it for longer. */
  drop(piece: Buffer): void {
    if (piece.length === SIZES[LARGE]) this.#large--
  }

  /** Memory is short. */
  #clear(): void {
    for (const idle of this.#idle) {
      for (const piece of idle) this.#memory.add(-piece.length)
      idle.length = 0
    }
  }
}

/** Memory for pieces whose takers keep them: always fresh. */
export class FreshPieces {
  readonly #memory: MemoryBudget

  constructor(memory: MemoryBudget) {
    this.#memory = memory
  }

  /** See `MemoryBudget`. */
  get pressed(): boolean {
    return this.#memory.pressed
  }

  /** Memory for up to that many bytes, which may be less. */
  take(size: number): Buffer {
    return Buffer.allocUnsafeSlow(this.pressed ? Math.min(size, SIZES[0]) : size)
  }

  given(): void {}
  back(): void {}
  unused(): void {}
  drop(): void {}
}

const pools = new WeakMap<MemoryBudget, PiecePool>()
