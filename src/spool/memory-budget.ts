import { Waiters } from './waiters.ts'

/** Below this share of the limit, callbacks that wait for space are called. */
const SPACE_AGAIN = 7 / 8

/**
 * Counts the bytes that an acceptor holds in memory for its clients: incomplete heads and bodies,
 * requests that wait, and responses that clients have not taken. Each holder calls {@link add}, and
 * `add(-bytes)` when the bytes are gone.
 *
 * | held | flag | what the holders do |
 * |---|---|---|
 * | half of the limit | `pressed` | spill to the disk early |
 * | the limit | `full` | stop reading from clients that add to it; refuse new requests that would |
 * | 1.5 times the limit | `over` | begin nothing that may add to it; drop idle clients |
 *
 * @example
 * const memory = new MemoryBudget(64 * 1024 * 1024)
 * memory.add(chunk.length)
 * if (memory.full) memory.whenSpace(() => socket.resume())
 */
export class MemoryBudget {
  /** The limit in bytes; Infinity for none. */
  readonly limit: number
  pressed = false
  full = false
  over = false
  #held = 0
  readonly #filled: (held: number) => void
  readonly #waiters = new Waiters()

  /** @param filled called each time the limit is reached, with the bytes held */
  constructor(limit: number, filled: (held: number) => void = () => {}) {
    this.limit = limit
    this.#filled = filled
  }

  /** Bytes held now. */
  get held(): number {
    return this.#held
  }

  /** Counts bytes that are held from now on or, if negative, that are not held any more. */
  add(bytes: number): void {
    const { limit } = this
    const held = this.#held + bytes
    const wasFull = this.full
    this.#held = held
    this.pressed = held * 2 >= limit
    this.full = held >= limit
    this.over = held >= limit * 1.5
    if (this.full && !wasFull) this.#filled(held)
    if (bytes < 0 && held < limit * SPACE_AGAIN) this.#waiters.wake(this.#hasSpace)
  }

  /**
   * Calls back in a later turn of the event loop when there is space again.
   *
   * @returns a function that cancels the wait
   */
  whenSpace(callback: () => void): () => void {
    return this.#waiters.add(callback)
  }

  readonly #hasSpace = () => !this.full
}

/** A budget without a limit. */
export const UNLIMITED_MEMORY = new MemoryBudget(Number.POSITIVE_INFINITY)
