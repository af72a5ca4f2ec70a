import { COLUMNS, type Column } from '../columns.ts'
import type { HistoryAnswer } from '../protocol.ts'

/** How much is kept, in milliseconds. */
const KEPT_MS = 3_600_000

/** A part of the history: times in seconds since 1970, and values in the same order. */
export interface Slice {
  readonly times: readonly number[]
  readonly values: (column: Column) => readonly (number | null)[]
}

/** The history that the page has got so far. */
export class Store {
  #boot = ''
  #next = 0
  #times: number[] = []
  #columns = emptyColumns()

  /** For the next request. */
  get next(): number {
    return this.#next
  }

  /** @returns whether this is another server than before */
  add(answer: HistoryAnswer): boolean {
    const isOther = this.#boot !== '' && this.#boot !== answer.boot
    if (isOther) {
      this.#times = []
      this.#columns = emptyColumns()
    }
    this.#boot = answer.boot
    this.#next = answer.next
    // Values after those of another server's numbering would be taken twice.
    const last = this.#times.at(-1) ?? 0
    for (const [index, time] of answer.times.entries()) {
      if (time <= last) continue
      this.#times.push(time)
      for (const name of COLUMNS) this.#columns[name].push(answer.columns[name]?.[index] ?? null)
    }
    this.#forget()
    return isOther
  }

  /** Begins again, because another server answers: everything is to be asked for. */
  restart(): void {
    this.#next = 0
  }

  newest(column: Column): number | null {
    return this.#columns[column].at(-1) ?? null
  }

  /** What is not older than some seconds. */
  slice(seconds: number): Slice {
    const last = this.#times.at(-1) ?? 0
    let from = this.#times.findIndex((time) => time >= last - seconds * 1000)
    if (from === -1) from = this.#times.length
    return {
      times: this.#times.slice(from).map((time) => time / 1000),
      values: (column) => this.#columns[column].slice(from),
    }
  }

  #forget(): void {
    const last = this.#times.at(-1) ?? 0
    const old = this.#times.findIndex((time) => time >= last - KEPT_MS)
    if (old < 60) return
    this.#times.splice(0, old)
    for (const name of COLUMNS) this.#columns[name].splice(0, old)
  }
}

function emptyColumns(): Record<Column, (number | null)[]> {
  return Object.fromEntries(COLUMNS.map((name) => [name, []])) as unknown as Record<
    Column,
    (number | null)[]
  >
}
