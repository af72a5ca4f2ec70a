/** How many requests an address may make: `20/s:burst=40`. */
export interface RatePolicy {
  /** As it was written. */
  readonly text: string
  /** As many requests are allowed … */
  readonly requests: number
  /** … in as many seconds, in the long run. */
  readonly seconds: number
  /** As many at once, after a pause that was long enough. */
  readonly burst: number
}

/** Why a request is over the limit. */
export interface OverLimit {
  readonly policy: RatePolicy
  /** In how many milliseconds the next request is allowed. */
  readonly waitMs: number
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400 }
const FORM = /^([1-9][0-9]{0,6})\/([smhd])(?::burst=([1-9][0-9]{0,6}))?$/

/**
 * Reads `REQUESTS/UNIT` with an optional `:burst=REQUESTS`. The unit is `s`, `m`, `h` or `d`.
 * Without a burst, it is the number of requests.
 *
 * @returns null if the text has another form
 */
export function parseRatePolicy(text: string): RatePolicy | null {
  const [, count, unit, burst] = FORM.exec(text) ?? []
  if (count === undefined || unit === undefined) return null
  const requests = Number(count)
  return { text, requests, seconds: SECONDS[unit]!, burst: Number(burst ?? count) }
}
