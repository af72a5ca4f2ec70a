/** Makes samples of the metrics: differences of counters, and percentiles of histograms. */
import { COLUMNS, type Column, type Sample } from '../../dashboard/columns.ts'
import { DELAY_SECONDS, type MetricName, REQUEST_SECONDS } from '../../metrics/metric-table.ts'
import type { HistogramValue, Snapshot } from '../../metrics/snapshot.ts'

/** Compares each snapshot with the one before. */
export class Sampler {
  #before: Snapshot | null = null
  #at = 0

  /**
   * @param at when it was taken, in milliseconds of a clock that is never set back
   * @returns null for the first one, which has nothing to be compared with
   */
  sample(snapshot: Snapshot, at: number): Sample | null {
    const before = this.#before
    const seconds = (at - this.#at) / 1000
    this.#before = snapshot
    this.#at = at
    return before === null || seconds <= 0 ? null : sampleOf(before, snapshot, seconds)
  }
}

function sampleOf(before: Snapshot, now: Snapshot, seconds: number): Sample {
  const sample = Object.fromEntries(COLUMNS.map((name) => [name, 0])) as Record<Column, number>
  const rate = (name: MetricName, ...labels: (string | null)[]) =>
    Math.max(0, total(now, name, labels) - total(before, name, labels)) / seconds
  const gauge = (name: MetricName, ...labels: (string | null)[]) => total(now, name, labels)
  for (const digit of [1, 2, 3, 4, 5] as const)
    sample[`status${digit}xx`] = rate('monoceros_requests_total', null, `${digit}xx`)
  const percentiles = (name: MetricName, bounds: readonly number[]) => {
    const counts = difference(histogram(before, name), histogram(now, name))
    return [0.5, 0.95, 0.99].map((share) => percentile(counts, bounds, share))
  }
  for (const [column, name] of [
    ['total', 'monoceros_request_duration_seconds'],
    ['queue', 'monoceros_request_queue_seconds'],
    ['application', 'monoceros_request_application_seconds'],
  ] as const) {
    const [p50 = NaN, p95 = NaN, p99 = NaN] = percentiles(name, REQUEST_SECONDS)
    sample[`${column}P50`] = p50
    sample[`${column}P95`] = p95
    sample[`${column}P99`] = p99
  }
  sample.inProgress = gauge('monoceros_requests_in_progress')
  sample.waiting = gauge('monoceros_queue_requests')
  sample.received = rate('monoceros_request_body_bytes_total')
  sample.sent = rate('monoceros_response_body_bytes_total')
  sample.connectionsActive = gauge('monoceros_connections', null, 'active')
  sample.connectionsIdle = gauge('monoceros_connections', null, 'idle')
  sample.refused = rate('monoceros_requests_refused_total')
  sample.workersBusy = gauge('monoceros_workers', 'busy')
  sample.workersServing = sample.workersBusy + gauge('monoceros_workers', 'idle')
  sample.workersWanted = gauge('monoceros_workers_wanted')
  sample.restarts = rate('monoceros_worker_ends_total') * seconds
  for (const [column, kind] of [
    ['Arbiter', 'arbiter'],
    ['Acceptors', 'acceptor'],
    ['Workers', 'worker'],
  ] as const) {
    sample[`memory${column}`] = gauge('monoceros_process_resident_memory_bytes', kind)
    sample[`cpu${column}`] = rate('monoceros_process_cpu_seconds_total', kind)
  }
  sample.held = gauge('monoceros_client_memory_bytes')
  sample.spooled = gauge('monoceros_spool_bytes')
  sample.delayP99 = percentiles('monoceros_event_loop_delay_seconds', DELAY_SECONDS)[2] ?? NaN
  sample.errorsLogged =
    (rate('monoceros_log_entries_total', 'error') +
      rate('monoceros_log_entries_total', 'critical')) *
    seconds
  sample.ready = gauge('monoceros_ready')
  return sample
}

/** The sum of all series with these labels; null stands for any. */
function total(snapshot: Snapshot, name: MetricName, wanted: readonly (string | null)[]): number {
  let sum = 0
  for (const { labels, value } of snapshot[name] ?? []) {
    if (typeof value !== 'number') continue
    if (wanted.every((label, index) => label === null || label === labels[index])) sum += value
  }
  return sum
}

/** All series of a histogram together: how many values each bucket has. */
function histogram(snapshot: Snapshot, name: MetricName): number[] {
  const counts: number[] = []
  for (const { value } of snapshot[name] ?? [])
    for (const [index, count] of (value as HistogramValue).counts.entries())
      counts[index] = (counts[index] ?? 0) + count
  return counts
}

function difference(before: readonly number[], now: readonly number[]): number[] {
  return now.map((count, index) => Math.max(0, count - (before[index] ?? 0)))
}

/**
 * Estimates a percentile: within its bucket, values are taken as evenly spread, as Prometheus does.
 *
 * @param counts of the buckets, with one more for what is larger than every bound
 * @param share 0.99 for the 99th percentile
 * @returns NaN without values; the last bound if it is above that
 */
export function percentile(
  counts: readonly number[],
  bounds: readonly number[],
  share: number,
): number {
  const all = counts.reduce((sum, count) => sum + count, 0)
  if (all === 0) return NaN
  let rank = share * all
  for (const [index, count] of counts.entries()) {
    const upper = bounds[index]
    if (upper === undefined) break
    if (rank <= count) {
      const lower = index === 0 ? 0 : bounds[index - 1]!
      return count === 0 ? upper : lower + (upper - lower) * (rank / count)
    }
    rank -= count
  }
  return bounds.at(-1)!
}
