/**
 * The values of metrics at one moment, as plain data: acceptors send them to the arbiter, which
 * adds them up.
 */
import { type MetricDefinition, type MetricName, metricTable } from './metric-table.ts'

/** The trace in which a value was seen. */
export interface Exemplar {
  readonly traceId: string
  readonly value: number
  /** Seconds since 1970. */
  readonly at: number
}

/** A histogram: how many values fell into each bucket (not cumulative), and their sum. */
export interface HistogramValue {
  /** One for each bucket of the definition, and one for what is larger. */
  readonly counts: readonly number[]
  readonly sum: number
  /** The newest of each bucket; null for those that have none. Absent if no bucket has one. */
  readonly exemplars?: readonly (Exemplar | null)[]
}

/** One series: the values of the labels in the order of the definition, and its value. */
export interface Series {
  readonly labels: readonly string[]
  readonly value: number | HistogramValue
}

export type Snapshot = { readonly [Name in MetricName]?: readonly Series[] }

export const definitions: ReadonlyMap<string, MetricDefinition> = new Map(
  metricTable.map((definition) => [definition.name, definition]),
)

/** Sums of snapshots. */
export class Sums {
  readonly #series = new Map<MetricName, Map<string, Series>>()

  /** Adds what a snapshot has; with `countersOnly`, not its gauges, which nobody has any more. */
  add(snapshot: Snapshot, countersOnly = false): void {
    for (const [name, all] of Object.entries(snapshot)) {
      if (countersOnly && definitions.get(name)?.type === 'gauge') continue
      for (const series of all) this.#addSeries(name as MetricName, series)
    }
  }

  #addSeries(name: MetricName, series: Series): void {
    const known = this.#series.get(name) ?? new Map<string, Series>()
    this.#series.set(name, known)
    const key = series.labels.join('\0')
    const before = known.get(key)
    known.set(key, before === undefined ? series : added(before, series))
  }

  snapshot(): Snapshot {
    return Object.fromEntries(
      [...this.#series].map(([name, series]) => [name, [...series.values()]]),
    )
  }
}

function added(one: Series, other: Series): Series {
  const { labels, value } = one
  if (typeof value === 'number') return { labels, value: value + (other.value as number) }
  const more = other.value as HistogramValue
  const counts = value.counts.map((count, index) => count + (more.counts[index] ?? 0))
  const exemplars = newest(value.exemplars, more.exemplars)
  const sum = value.sum + more.sum
  return { labels, value: { counts, sum, ...(exemplars === undefined ? {} : { exemplars }) } }
}

function newest(
  one: HistogramValue['exemplars'],
  other: HistogramValue['exemplars'],
): HistogramValue['exemplars'] {
  if (one === undefined || other === undefined) return one ?? other
  return one.map((mine, index) => {
    const theirs = other[index] ?? null
    if (mine === null || theirs === null) return mine ?? theirs
    return mine.at >= theirs.at ? mine : theirs
  })
}
