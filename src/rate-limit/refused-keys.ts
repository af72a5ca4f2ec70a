import type { OverLimit } from './rate-policy.ts'
import { TwoGenerations } from './two-generations.ts'

/** How many refused addresses are remembered. */
const MOST_REFUSED = 10_000
/** For how long at least, in milliseconds. */
const KEPT_MS = 1000

/**
 * Remembers which addresses have to wait, so that a flood of requests over the limit is refused
 * without asking whoever counts. That changes nothing: refused requests are not counted.
 */
export class RefusedKeys {
  readonly #until = new TwoGenerations<{ over: OverLimit; at: number }>(MOST_REFUSED, KEPT_MS)

  /** @param now of a monotonic clock, in milliseconds */
  get(key: string, now: number): OverLimit | null {
    const known = this.#until.get(key)
    if (known === undefined || known.at <= now) return null
    return { policy: known.over.policy, waitMs: known.at - now }
  }

  add(key: string, over: OverLimit, now: number): void {
    this.#until.set(key, { over, at: now + over.waitMs }, now)
  }
}
