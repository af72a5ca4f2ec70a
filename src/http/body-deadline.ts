import { type Deadlines, NEVER } from './deadlines.ts'
import { HttpError } from './errors.ts'
import type { Rates, Timeouts } from './timeouts.ts'

/**
 * When the body of one request must have made progress, and when it must be complete. An exchange
 * has one; a protocol with one exchange at a time uses it again for each.
 *
 * The timeouts are suspended while the body is paused: the application's time does not count as the
 * client's.
 */
export class BodyDeadline {
  /** The next moment to call {@link passed}, on the clock of {@link Deadlines}. */
  at = NEVER
  readonly #clock: Deadlines
  readonly #timeouts: Timeouts
  readonly #rates: Rates
  /** When the body must be complete. */
  #until = NEVER
  #paused = false
  /** While it is paused: how much was left of `at` and `#until`, in milliseconds. */
  #left = NEVER
  #untilLeft = NEVER
  /** Bytes that came in this period. */
  #bytes = 0

  constructor(clock: Deadlines, timeouts: Timeouts, rates: Rates) {
    this.#clock = clock
    this.#timeouts = timeouts
    this.#rates = rates
  }

  /** The client owes the body from now on. */
  begin(): void {
    this.#until = this.#clock.in(this.#timeouts.wholeBody)
    this.#beginPeriod()
    if (this.#paused) this.#stand()
  }

  received(bytes: number): void {
    this.#bytes += bytes
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#stand()
  }

  /**
   * Continues the period where it was, with the bytes counted so far: a pause must not start a new
   * period.
   */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.at = this.#clock.now + this.#left
    this.#until = this.#clock.now + this.#untilLeft
  }

  /** The body is complete, or the rest of it is not needed. */
  end(): void {
    this.at = NEVER
    this.#until = NEVER
    this.#paused = false
  }

  /**
   * The moment `at` has passed.
   * @returns why the request is refused; null if the body keeps to its rate, and has a new period
   */
  passed(): HttpError | null {
    const { body, wholeBody } = this.#timeouts
    if (this.#clock.now >= this.#until) {
      const reason = `the request body was not complete after ${wholeBody} s`
      return new HttpError(408, 'body-too-long', reason)
    }
    if (this.#bytes < Math.max(1, this.#rates.body * body))
      return new HttpError(408, 'body-timeout', 'the request body came too slowly')
    this.#beginPeriod()
    return null
  }

  #beginPeriod(): void {
    this.#bytes = 0
    this.at = Math.min(this.#until, this.#clock.in(this.#timeouts.body))
  }

  #stand(): void {
    this.#left = this.at - this.#clock.now
    this.#untilLeft = this.#until - this.#clock.now
    this.at = NEVER
  }
}
