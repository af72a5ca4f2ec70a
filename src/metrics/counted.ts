/** Numbers that grow. What is done for each request is an addition in an array. */
import type { Exemplar, HistogramValue, Series } from './snapshot.ts'

/** A counter with one label of fixed values. All of them are shown from the beginning, as 0. */
export class Counts<Label extends string> {
  readonly #labels: readonly Label[]
  readonly #values: Float64Array

  constructor(labels: readonly Label[]) {
    this.#labels = labels
    this.#values = new Float64Array(labels.length)
  }

  add(label: Label, by = 1): void {
    this.#values[this.#labels.indexOf(label)]! += by
  }

  series(): Series[] {
    return this.#labels.map((label, index) => ({ labels: [label], value: this.#values[index]! }))
  }
}

/** The most names of {@link NamedCounts}; any further one is counted as `other`. */
const MOST_NAMES = 100

/** A counter with one label, whose values are names in the source code. For what is rare. */
export class NamedCounts {
  readonly #values = new Map<string, number>()

  add(name: string, by = 1): void {
    const known = this.#values.has(name) || this.#values.size < MOST_NAMES - 1 ? name : 'other'
    this.#values.set(known, (this.#values.get(known) ?? 0) + by)
  }

  series(): Series[] {
    return [...this.#values].map(([name, value]) => ({ labels: [name], value }))
  }
}

/** A histogram of one series. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0
  #exemplars: (Exemplar | null)[] | null = null

  /** @param bounds the upper bounds of the buckets, ascending; there is one more for the rest */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  /** @param traceId the trace in which it was seen, if there is one */
  observe(value: number, traceId: string | null = null): void {
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index++
    this.#counts[index]!++
    this.#sum += value
    if (traceId === null) return
    this.#exemplars ??= Array.from(this.#counts, () => null)
    this.#exemplars[index] = { traceId, value, at: Date.now() / 1000 }
  }

  value(): HistogramValue {
    const exemplars = this.#exemplars
    const values = { counts: [...this.#counts], sum: this.#sum }
    return exemplars === null ? values : { ...values, exemplars: [...exemplars] }
  }
}
