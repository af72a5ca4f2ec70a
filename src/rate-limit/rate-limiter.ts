import type { OverLimit } from './rate-policy.ts'

/** Counts the requests of addresses, wherever it keeps them. */
export interface RateLimiter {
  /**
   * Counts a request.
   *
   * @param key of `addressKey`
   * @returns null if the request is allowed. A promise, which is never rejected, if something else
   * than this process counts
   */
  take(key: string): OverLimit | null | Promise<OverLimit | null>
}
