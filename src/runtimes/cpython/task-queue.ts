import type { Assignment } from './assignment.ts'

/** Assignments that wait for a worker: first in, first out, but what a worker gives back goes to the front again. */
export class TaskQueue {
  // Taken from the end of `front` (which is in reverse order), then from `back` at `at`.
  readonly #front: Assignment[] = []
  #back: Assignment[] = []
  #at = 0

  /** How many wait, those included whose client has left meanwhile. */
  get length(): number {
    return this.#front.length + this.#back.length - this.#at
  }

  push(assignment: Assignment): void {
    this.#back.push(assignment)
  }

  /** Puts assignments before all others, in their order. */
  unshift(assignments: readonly Assignment[]): void {
    for (let i = assignments.length - 1; i >= 0; i--) this.#front.push(assignments[i])
  }

  /** The next one whose task still wants an answer, or undefined. */
  shift(): Assignment | undefined {
    for (;;) {
      const next = this.#front.length > 0 ? this.#front.pop() : this.#takeBack()
      if (next === undefined || !next.settled) return next
    }
  }

  /** Takes out, and returns, those that were submitted before `time`. */
  takeOlderThan(time: number): Assignment[] {
    const taken: Assignment[] = []
    for (;;) {
      const next = this.#front.at(-1) ?? this.#back[this.#at]
      if (next === undefined || next.queuedAt >= time) return taken
      const assignment = this.shift()
      if (assignment === undefined) return taken
      if (assignment.queuedAt >= time) {
        this.#front.push(assignment)
        return taken
      }
      taken.push(assignment)
    }
  }

  #takeBack(): Assignment | undefined {
    if (this.#at === this.#back.length) return undefined
    const next = this.#back[this.#at++]
    // Moves what is left to the beginning now and then, so that the cost per request stays constant.
    if (this.#at === this.#back.length || this.#at >= 1024) {
      this.#back = this.#back.slice(this.#at)
      this.#at = 0
    }
    return next
  }
}
