import { type Deadlines, NEVER } from './deadlines.ts'
import type { Rates, Timeouts } from './timeouts.ts'

/** Where a response goes, as far as its progress can be seen. */
export interface Outlet {
  /** Bytes that have left this process: a number that grows while the client reads. */
  readonly taken: number
  /** Bytes of these that the client has not acknowledged; null if that cannot be known. */
  readonly unacknowledged: number | null
}

/**
 * By when a client must have taken more of its response. An exchange has one; a protocol with one
 * exchange at a time uses it again for each.
 */
export class WriteDeadline {
  /** The next moment to call {@link passed}, on the clock of {@link Deadlines}. */
  at = NEVER
  readonly #clock: Deadlines
  readonly #timeouts: Timeouts
  readonly #rates: Rates
  readonly #outlet: Outlet
  /** What had left this process when the period began. */
  #takenAtMark = 0
  /** What the client had acknowledged when its second period began; -1 in the first. */
  #acknowledgedAtMark = -1

  constructor(clock: Deadlines, timeouts: Timeouts, rates: Rates, outlet: Outlet) {
    this.#clock = clock
    this.#timeouts = timeouts
    this.#rates = rates
    this.#outlet = outlet
  }

  /** Something waits for the client. A period that has begun goes on. */
  watch(): void {
    if (this.at !== NEVER) return
    this.#takenAtMark = this.#outlet.taken
    this.#acknowledgedAtMark = -1
    this.at = this.#clock.in(this.#timeouts.write)
  }

  /** The client has taken everything. */
  clear(): void {
    this.at = NEVER
  }

  /**
   * The moment `at` has passed, and the client has not taken everything.
   * @returns what is wrong with the client; null if it keeps to its rate, and has a new period
   */
  passed(): string | null {
    const { write } = this.#timeouts
    const least = Math.max(1, this.#rates.write * write)
    const taken = this.#outlet.taken - this.#takenAtMark
    this.at = NEVER
    if (taken >= least) {
      this.watch()
      return null
    }
    if (this.#stillAcknowledges(least)) return null
    const what = taken === 0 ? 'nothing' : `only ${taken} bytes`
    return `the client took ${what} of its answer within the write timeout (${write} s)`
  }

  /**
   * A slow reader may need longer than the timeout to free enough of the kernel's buffer for this
   * process to notice. So it has a second period, in which the kernel is asked what the client
   * acknowledges.
   */
  #stillAcknowledges(least: number): boolean {
    const { taken, unacknowledged } = this.#outlet
    if (unacknowledged === null) return false
    const acknowledged = taken - unacknowledged
    const before = this.#acknowledgedAtMark
    if (before >= 0 && acknowledged - before < least) return false
    this.#acknowledgedAtMark = acknowledged
    this.#takenAtMark = taken
    this.at = this.#clock.in(this.#timeouts.write)
    return true
  }
}
