import type { ReloadResult } from './actions.ts'
import { ReloadAttempt } from './reload-attempt.ts'

export interface ReloadsOptions {
  /** Makes one attempt. It does not reject. */
  attempt(cause: string, attempt: ReloadAttempt): Promise<ReloadResult>
  /** A new request ends the attempt in progress. */
  abandoned(cause: string): void
  /** Whether another attempt makes no sense any more. */
  stopping(): boolean
}

/**
 * One reload at a time. A request while one is in progress abandons it and begins again: what it
 * loads is outdated, and its load may never end.
 */
export class Reloads {
  readonly #options: ReloadsOptions
  #attempt: ReloadAttempt | null = null
  #result: Promise<ReloadResult> | null = null
  #cancelled: ReloadAttempt | null = null
  /** What the last request was made for. */
  #cause = ''

  constructor(options: ReloadsOptions) {
    this.#options = options
  }

  get inProgress(): boolean {
    return this.#attempt !== null
  }

  /** Ends the attempt in progress, unless another request comes before it has ended. */
  cancel(): void {
    this.#cancelled = this.#attempt
    this.#attempt?.abandon()
  }

  /** Resolves with the result of the last attempt, for every request that was made meanwhile. */
  request(cause: string): Promise<ReloadResult> {
    this.#cause = cause
    if (this.#attempt !== null && this.#result !== null) {
      if (!this.#attempt.abandoned) this.#options.abandoned(cause)
      this.#attempt.abandon()
      this.#cancelled = null
      return this.#result
    }
    this.#attempt = new ReloadAttempt()
    this.#result = this.#run(this.#attempt)
    return this.#result
  }

  async #run(first: ReloadAttempt): Promise<ReloadResult> {
    let attempt = first
    for (;;) {
      const result = await this.#options.attempt(this.#cause, attempt)
      const isLast = !attempt.abandoned || this.#cancelled === attempt
      if (isLast || this.#options.stopping()) {
        this.#attempt = null
        this.#result = null
        return result
      }
      attempt = new ReloadAttempt()
      this.#attempt = attempt
    }
  }
}
