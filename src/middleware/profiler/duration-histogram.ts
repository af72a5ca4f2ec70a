/**
 * The distribution of durations, in constant memory: counts in buckets whose bounds grow by 5 %, so
 * that a quantile is off by at most 2.5 %.
 */
export class DurationHistogram {
  readonly #buckets = new Uint32Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  get max(): number {
    return this.#max
  }

  /**
   * Adds a duration.
   *
   * @param milliseconds from 1 µs to an hour; a value outside counts as the nearest of these
   */
  add(milliseconds: number): void {
    this.#count++
    this.#sum += milliseconds
    if (milliseconds > this.#max) this.#max = milliseconds
    const bucket = Math.floor(Math.log(Math.max(milliseconds, SMALLEST) / SMALLEST) / LOG_GROWTH)
    this.#buckets[Math.min(bucket, BUCKETS - 1)]!++
  }

  /** The duration that a share of all did not exceed: 0.95 for the 95th percentile. 0 if empty. */
  quantile(share: number): number {
    if (this.#count === 0) return 0
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#buckets[bucket]!
      if (seen >= rank) return Math.min(this.#max, SMALLEST * GROWTH ** (bucket + 0.5))
    }
    return this.#max
  }
}

const SMALLEST = 0.001
const LARGEST = 3_600_000
const GROWTH = 1.05
const LOG_GROWTH = Math.log(GROWTH)
const BUCKETS = Math.ceil(Math.log(LARGEST / SMALLEST) / LOG_GROWTH) + 1
