/** Processes as metrics name them. */

/** Numbers for processes that come and go: the lowest that is free. */
export class Slots {
  readonly #taken = new Map<number, number>()

  take(pid: number): number {
    const known = this.#taken.get(pid)
    if (known !== undefined) return known
    const numbers = new Set(this.#taken.values())
    let slot = 1
    while (numbers.has(slot)) slot++
    this.#taken.set(pid, slot)
    return slot
  }

  free(pid: number): void {
    this.#taken.delete(pid)
  }

  /** Processes and their slots. */
  get all(): Iterable<readonly [number, number]> {
    return this.#taken
  }
}

/** Processor time by slot, which does not go back when another process takes the slot. */
export class CpuBySlot {
  /** What ended processes had used when they were last seen. */
  readonly #before = new Map<number, number>()
  readonly #last = new Map<number, { readonly pid: number; readonly seconds: number }>()

  /** @returns the time of the slot so far, in seconds */
  seen(slot: number, pid: number, seconds: number): number {
    const last = this.#last.get(slot)
    if (last !== undefined && last.pid !== pid)
      this.#before.set(slot, (this.#before.get(slot) ?? 0) + last.seconds)
    this.#last.set(slot, { pid, seconds })
    return (this.#before.get(slot) ?? 0) + seconds
  }

  /** Slots that nobody has now, with their time. */
  *others(taken: ReadonlySet<number>): Iterable<readonly [number, number]> {
    for (const [slot, { seconds }] of this.#last)
      if (!taken.has(slot)) yield [slot, (this.#before.get(slot) ?? 0) + seconds]
  }
}
