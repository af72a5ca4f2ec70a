import type { Assignment } from './assignment.ts'

/** How many chains there are at first. A power of two, like every later number. */
const FIRST_CHAINS = 64

/**
 * Assignments by their streams, in the order in which they were added.
 *
 * Not a Map: when a Map of V8 has had many additions and deletions, it moves to a new table, and
 * the old one refers to the new one and to what it held. Once a single old table has become old
 * enough, the garbage collector has to keep all later ones, and with them every second request,
 * until a full collection. Here the links are in the assignments, and one that leaves refers to
 * nothing.
 *
 * @example
 * table.add(assignment) // its stream is higher than all before
 * table.get(assignment.stream) // the assignment
 */
export class AssignmentTable implements Iterable<Assignment> {
  size = 0
  #first: Assignment | null = null
  #last: Assignment | null = null
  /** The first assignment of each chain; a stream's chain is given by its lowest bits. */
  #chains: (Assignment | null)[] = new Array(FIRST_CHAINS).fill(null)

  get(stream: number): Assignment | undefined {
    const chains = this.#chains
    let assignment = chains[stream & (chains.length - 1)]
    while (assignment !== null && assignment.stream !== stream) assignment = assignment.nextInChain
    return assignment ?? undefined
  }

  /** Adds an assignment whose stream is not in the table, as the last one. */
  add(assignment: Assignment): void {
    if (this.size === this.#chains.length) this.#grow()
    this.size++
    this.#chain(assignment)
    const last = this.#last
    assignment.before = last
    if (last === null) this.#first = assignment
    else last.after = assignment
    this.#last = assignment
  }

  /** Removes an assignment that is in the table. */
  remove(assignment: Assignment): void {
    const { before, after } = assignment
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    assignment.before = null
    assignment.after = null
    this.#unchain(assignment)
    this.size--
  }

  /** From the first to the last. The one at hand may be removed meanwhile. */
  *[Symbol.iterator](): Iterator<Assignment> {
    for (let at = this.#first; at !== null; ) {
      const { after } = at
      yield at
      at = after
    }
  }

  #chain(assignment: Assignment): void {
    const chains = this.#chains
    const index = assignment.stream & (chains.length - 1)
    assignment.nextInChain = chains[index]
    chains[index] = assignment
  }

  #unchain(assignment: Assignment): void {
    const chains = this.#chains
    const index = assignment.stream & (chains.length - 1)
    const head = chains[index]
    if (head === assignment) {
      chains[index] = assignment.nextInChain
    } else {
      let at = head!
      while (at.nextInChain !== assignment) at = at.nextInChain!
      at.nextInChain = assignment.nextInChain
    }
    assignment.nextInChain = null
  }

  #grow(): void {
    this.#chains = new Array(this.#chains.length * 2).fill(null)
    for (let at = this.#first; at !== null; at = at.after) this.#chain(at)
  }
}
