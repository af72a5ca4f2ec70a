import type { RateLimiter } from './rate-limiter.ts'
import type { OverLimit, RatePolicy } from './rate-policy.ts'
import { RefusedKeys } from './refused-keys.ts'

/** An answer of the process that counts: null if allowed, or the policy's number and the wait. */
export type SharedAnswer = readonly [policy: number, waitMs: number] | null

/** Asks the process that counts; rejected if it is gone. */
export type AskShared = (keys: readonly string[]) => Promise<readonly SharedAnswer[]>

/**
 * Has another process count, so that the limit is one for several acceptors. What is asked in one
 * turn of the event loop goes there in one message.
 */
export class SharedBuckets implements RateLimiter {
  readonly #policies: readonly RatePolicy[]
  readonly #ask: AskShared
  readonly #refused = new RefusedKeys()
  #keys: string[] = []
  #answers: Promise<readonly SharedAnswer[]> | null = null

  constructor(policies: readonly RatePolicy[], ask: AskShared) {
    this.#policies = policies
    this.#ask = ask
  }

  take(key: string): OverLimit | null | Promise<OverLimit | null> {
    const over = this.#refused.get(key, performance.now())
    if (over !== null) return over
    this.#answers ??= this.#atEndOfTurn()
    return this.#read(key, this.#keys.push(key) - 1, this.#answers)
  }

  #atEndOfTurn(): Promise<readonly SharedAnswer[]> {
    return new Promise((resolve) => {
      setImmediate(() => {
        const keys = this.#keys
        this.#keys = []
        this.#answers = null
        // The arbiter is gone only when this process is about to stop.
        this.#ask(keys).then(resolve, () => resolve([]))
      })
    })
  }

  async #read(
    key: string,
    place: number,
    answers: Promise<readonly SharedAnswer[]>,
  ): Promise<OverLimit | null> {
    const answer = (await answers)[place] ?? null
    if (answer === null) return null
    const over = { policy: this.#policies[answer[0]]!, waitMs: answer[1] }
    this.#refused.add(key, over, performance.now())
    return over
  }
}
