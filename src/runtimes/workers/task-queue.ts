import type { Assignment } from './assignment.ts'

/**
 * Cancelled entries are removed when there are this many of them, and more of them than of others.
 */
const SWEEP_AT = 64

/**
 * Assignments that wait for a worker: first in, first out, except that those which a worker gives
 * back go to the front again.
 */
export class TaskQueue {
  // The next one is at the end of `front`, which is in reverse order, or in `back` at `at`.
  #front: Assignment[] = []
  #back: (Assignment | undefined)[] = []
  #at = 0
  /** Entries that were cancelled while they waited. */
  #dead = 0
  readonly #changed: (length: number) => void

  /** @param changed called with the length when it has changed */
  constructor(changed: (length: number) => void = () => {}) {
    this.#changed = changed
  }

  /** How many wait, without those that were cancelled. */
  get length(): number {
    return this.entries - this.#dead
  }

  /** How many are held, including those that were cancelled. */
  get entries(): number {
    return this.#front.length + this.#back.length - this.#at
  }

  /** Those that wait, the next one first. */
  *waiting(): Generator<Assignment> {
    for (let i = this.#front.length - 1; i >= 0; i--)
      if (!this.#front[i]!.settled) yield this.#front[i]!
    for (let i = this.#at; i < this.#back.length; i++)
      if (!this.#back[i]!.settled) yield this.#back[i]!
  }

  push(assignment: Assignment): void {
    this.#back.push(assignment)
    assignment.queue = this
    this.#changed(this.length)
  }

  /** Puts assignments before all others, in the order given. */
  unshift(assignments: readonly Assignment[]): void {
    for (let i = assignments.length - 1; i >= 0; i--) {
      this.#front.push(assignments[i])
      assignments[i].queue = this
    }
    this.#changed(this.length)
  }

  /** Takes out the next one that was not cancelled; undefined if there is none. */
  shift(): Assignment | undefined {
    for (;;) {
      const next = this.#front.length > 0 ? this.#front.pop() : this.#takeBack()
      if (next === undefined) return undefined
      next.queue = null
      if (!next.settled) {
        this.#changed(this.length)
        return next
      }
      this.#dead--
    }
  }

  /**
   * An assignment in the queue was cancelled. Clients that come and go while all workers are busy
   * must not fill the memory.
   */
  forget(): void {
    this.#dead++
    this.#changed(this.length)
    if (this.#dead < SWEEP_AT || this.#dead * 2 < this.entries) return
    this.#front = this.#front.filter((assignment) => !assignment.settled)
    this.#back = this.#back.slice(this.#at).filter((assignment) => !assignment!.settled)
    this.#at = 0
    this.#dead = 0
  }

  /** Takes out those that were submitted before `time`. */
  takeOlderThan(time: number): Assignment[] {
    const taken: Assignment[] = []
    for (;;) {
      const next = this.shift()
      if (next === undefined) return taken
      if (next.queuedAt >= time) {
        this.unshift([next])
        return taken
      }
      taken.push(next)
    }
  }

  #takeBack(): Assignment | undefined {
    if (this.#at === this.#back.length) return undefined
    const next = this.#back[this.#at]
    // A request that is over must not be held until the array is cut off below: while requests wait
    // all the time, that would be a thousand of them, with what was read of their bodies.
    this.#back[this.#at++] = undefined
    // Moves the rest to the beginning now and then, so that the cost of a request stays constant.
    if (this.#at === this.#back.length || this.#at >= 1024) {
      this.#back = this.#back.slice(this.#at)
      this.#at = 0
    }
    return next
  }
}
