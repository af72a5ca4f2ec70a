import type { OverLimit, RatePolicy } from './rate-policy.ts'
import { TwoGenerations } from './two-generations.ts'

/** The most addresses that are remembered; about 27 MB. */
const MOST_ADDRESSES = 100_000
/** What rounding may add up to, in milliseconds. */
const TOLERANCE_MS = 1e-3

/**
 * A token bucket for each address and policy. A bucket holds `burst` tokens at first, and gets
 * `requests` in `seconds`; a request takes one of each policy, or none if one of them is empty.
 *
 * What is stored for a bucket is when it will be full again (the theoretical arrival time of GCRA,
 * ITU-T I.371), so a full bucket is one that is not stored.
 *
 * When there are too many addresses, those whose last request is longest ago are forgotten, which
 * fills their buckets.
 */
export class TokenBuckets {
  readonly #policies: readonly RatePolicy[]
  readonly #intervals: readonly number[]
  readonly #fullAt: TwoGenerations<number[]>
  readonly #now: () => number

  /**
   * @param most how many addresses are remembered
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    policies: readonly RatePolicy[],
    most = MOST_ADDRESSES,
    now = () => performance.now(),
  ) {
    this.#policies = policies
    this.#intervals = policies.map(({ requests, seconds }) => (seconds * 1000) / requests)
    this.#fullAt = new TwoGenerations(most, fillMs(policies))
    this.#now = now
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#fullAt.size
  }

  /**
   * Takes a token from each bucket of an address.
   *
   * @returns null if the request is allowed; otherwise the policy that it has to wait for longest
   */
  take(key: string): OverLimit | null {
    const now = this.#now()
    const known = this.#fullAt.get(key)
    let over: OverLimit | null = null
    for (let i = 0; i < this.#policies.length; i++) {
      const policy = this.#policies[i]!
      const interval = this.#intervals[i]!
      const fullAt = Math.max(known === undefined ? 0 : known[i]!, now)
      const waitMs = fullAt + interval - now - policy.burst * interval
      if (waitMs > TOLERANCE_MS && (over === null || waitMs > over.waitMs))
        over = { policy, waitMs }
    }
    if (over !== null) {
      // An address that keeps asking must not be forgotten, or its bucket would be full again.
      this.#fullAt.set(key, known!, now)
      return over
    }
    const next = known ?? []
    for (let i = 0; i < this.#policies.length; i++)
      next[i] = Math.max(known === undefined ? 0 : known[i]!, now) + this.#intervals[i]!
    this.#fullAt.set(key, next, now)
    return null
  }
}

/** How long it takes at most until an empty bucket is full, in milliseconds. */
export function fillMs(policies: readonly RatePolicy[]): number {
  return Math.max(
    ...policies.map(({ requests, seconds, burst }) => (burst * seconds * 1000) / requests),
  )
}
