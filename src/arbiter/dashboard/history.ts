import { COLUMNS, type Column, type Sample } from '../../dashboard/columns.ts'

/** An hour with a sample a second. */
export const SAMPLES_KEPT = 3600

/** Samples that were taken, oldest first. */
export interface Samples {
  /** The number of the sample that comes next. */
  readonly next: number
  /** In milliseconds since 1970. */
  readonly times: readonly number[]
  readonly columns: Readonly<Record<Column, readonly (number | null)[]>>
}

/**
 * The newest samples, and nothing older than an hour. Its memory is half a megabyte from the
 * beginning, however many workers there are.
 */
export class History {
  readonly #capacity: number
  readonly #times: Float64Array
  readonly #values: Readonly<Record<Column, Float32Array>>
  #taken = 0

  /** @param capacity how many samples are kept */
  constructor(capacity = SAMPLES_KEPT) {
    this.#capacity = capacity
    this.#times = new Float64Array(capacity)
    this.#values = Object.fromEntries(
      COLUMNS.map((name) => [name, new Float32Array(capacity)]),
    ) as Record<Column, Float32Array>
  }

  /** How many were taken so far. */
  get taken(): number {
    return this.#taken
  }

  /** @param at in milliseconds since 1970 */
  add(at: number, sample: Sample): void {
    const index = this.#taken++ % this.#capacity
    this.#times[index] = at
    for (const name of COLUMNS) this.#values[name][index] = sample[name]
  }

  /**
   * @param after the number of the first one that is wanted; older ones than are kept are left out
   * @param since nothing that was taken earlier, in milliseconds since 1970
   */
  read(after: number, since = 0): Samples {
    let from = Math.max(after, this.#taken - this.#capacity, 0)
    while (from < this.#taken && this.#times[from % this.#capacity]! < since) from++
    const indexes: number[] = []
    for (let number = from; number < this.#taken; number++) indexes.push(number % this.#capacity)
    return {
      next: this.#taken,
      times: indexes.map((index) => this.#times[index]!),
      columns: Object.fromEntries(
        COLUMNS.map((name) => {
          const values = this.#values[name]
          return [name, indexes.map((index) => short(values[index]!))]
        }),
      ) as Record<Column, (number | null)[]>,
    }
  }
}

/** Four digits are more than a screen shows. */
function short(value: number): number | null {
  if (value === 0) return 0
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null
}
