import { Waiters } from './room.ts'

/** Below this share of the limit those that wait for room go on. */
const ROOM_AGAIN = 7 / 8

/**
 * The bytes that an acceptor holds in memory for its clients: heads and bodies that are not
 * complete, requests that wait, answers that clients have not taken. Who holds some says so by
 * {@link add}, and by `add(-bytes)` when they are gone.
 *
 * | held | flag | what its users do |
 * |---|---|---|
 * | half of the limit | `pressed` | spill to the disk early |
 * | the limit | `full` | read no further from clients that make it grow; refuse new requests that would |
 * | one and a half times the limit | `over` | begin nothing that may add to it, and give up clients that do next to nothing |
 *
 * @example
 * const memory = new MemoryBudget(64 * 1024 * 1024)
 * memory.add(chunk.length)
 * if (memory.full) memory.whenRoom(() => socket.resume())
 */
export class MemoryBudget {
  /** In bytes; Infinity for none. */
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

  /** Counts bytes that are held from now on or, when negative, that are not any more. */
  add(bytes: number): void {
    const { limit } = this
    const held = this.#held + bytes
    const wasFull = this.full
    this.#held = held
    this.pressed = held * 2 >= limit
    this.full = held >= limit
    this.over = held >= limit * 1.5
    if (this.full && !wasFull) this.#filled(held)
    if (bytes < 0 && held < limit * ROOM_AGAIN) this.#waiters.wake(this.#hasRoom)
  }

  /**
   * Calls back in a later turn when there is room again. @returns a function that gives up waiting
   */
  whenRoom(callback: () => void): () => void {
    return this.#waiters.add(callback)
  }

  readonly #hasRoom = () => !this.full
}

/** For those who hold bytes where nobody set a limit. */
export const UNLIMITED_MEMORY = new MemoryBudget(Number.POSITIVE_INFINITY)
