import type { Assignment } from './assignment.ts'

/**
 * Entries whose client has left are swept out when there are this many of them, and more of them
 * than of others.
 */
const SWEEP_AT = 64

/**
 * Assignments that wait for a worker: first in, first out, but what a worker gives back goes to the
 * front again.
 */
export class TaskQueue {
  // Taken from the end of `front` (which is in reverse order), then from `back` at `at`.
  #front: Assignment[] = []
  #back: Assignment[] = []
  #at = 0
  /** Entries that were cancelled while they waited. */
  #dead = 0
  readonly #changed: (length: number) => void

  /** @param changed called with the length when it has changed */
  constructor(changed: (length: number) => void = () => {}) {
    this.#changed = changed
  }

  /** How many wait for an answer; those whose client has left meanwhile do not. */
  get length(): number {
    return this.entries - this.#dead
  }

  /** How many are held, those included. */
  get entries(): number {
    return this.#front.length + this.#back.length - this.#at
  }

  push(assignment: Assignment): void {
    this.#back.push(assignment)
    assignment.queue = this
    this.#changed(this.length)
  }

  /** Puts assignments before all others, in their order. */
  unshift(assignments: readonly Assignment[]): void {
    for (let i = assignments.length - 1; i >= 0; i--) {
      this.#front.push(assignments[i])
      assignments[i].queue = this
    }
    this.#changed(this.length)
  }

  /** The next one whose task still wants an answer, or undefined. */
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
   * One of those that wait was cancelled. Clients that come and go while all workers are busy must
   * not fill the memory.
   */
  forget(): void {
    this.#dead++
    this.#changed(this.length)
    if (this.#dead < SWEEP_AT || this.#dead * 2 < this.entries) return
    this.#front = this.#front.filter((assignment) => !assignment.settled)
    this.#back = this.#back.slice(this.#at).filter((assignment) => !assignment.settled)
    this.#at = 0
    this.#dead = 0
  }

  /** Takes out, and returns, those that were submitted before `time`. */
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
    const next = this.#back[this.#at++]
    // Moves what is left to the beginning now and then, so that the cost per request stays
    // constant.
    if (this.#at === this.#back.length || this.#at >= 1024) {
      this.#back = this.#back.slice(this.#at)
      this.#at = 0
    }
    return next
  }
}
