import { type Snapshot, Sums } from '../../metrics/snapshot.ts'

/**
 * Of so many acceptors that have ended, the counts are kept apart: their last message may come
 * after the news of their end. Those of older ones are added up.
 */
const KEPT_APART = 64

/**
 * What acceptors have counted, those included that have ended: counters never go back while the
 * server lives.
 */
export class AcceptorCounts {
  readonly #slotOf: (pid: number) => number
  readonly #slots = new Map<number, string>()
  readonly #last = new Map<number, Snapshot>()
  readonly #serving = new Set<number>()
  readonly #ended = new Set<number>()
  readonly #older = new Sums()

  /** @param slotOf the number that stands for a process in metrics */
  constructor(slotOf: (pid: number) => number) {
    this.#slotOf = slotOf
  }

  started(pid: number): void {
    // The system gives out a number again.
    if (this.#ended.has(pid)) this.#fold(pid)
    this.#slots.set(pid, String(this.#slotOf(pid)))
  }

  ready(pid: number): void {
    this.#serving.add(pid)
  }

  /** It is ready, and has not ended. */
  serves(pid: number): boolean {
    return this.#serving.has(pid)
  }

  /** @returns what it has told, with its slot where metrics have one */
  told(pid: number, snapshot: Snapshot): Snapshot {
    const { monoceros_event_loop_delay_seconds: delays = [] } = snapshot
    const labels = [this.#slots.get(pid) ?? '']
    const named: Snapshot = {
      ...snapshot,
      monoceros_event_loop_delay_seconds: delays.map(({ value }) => ({ labels, value })),
    }
    this.#last.set(pid, named)
    return named
  }

  ended(pid: number): void {
    this.#serving.delete(pid)
    this.#ended.add(pid)
    if (this.#ended.size <= KEPT_APART) return
    const [oldest] = this.#ended
    this.#fold(oldest!) // there are more than KEPT_APART
  }

  #fold(pid: number): void {
    const snapshot = this.#last.get(pid)
    if (snapshot !== undefined) this.#older.add(snapshot, true)
    this.#last.delete(pid)
    this.#ended.delete(pid)
    this.#slots.delete(pid)
  }

  /** Adds what all but these have counted, as far as it is known. */
  addOthers(sums: Sums, except: ReadonlySet<number>): void {
    sums.add(this.#older.snapshot(), true)
    for (const [pid, snapshot] of this.#last) if (!except.has(pid)) sums.add(snapshot, true)
  }
}
