/** Something that must move on by some point in time, in each of its two directions. */
export interface Deadlined {
  /** Milliseconds on the clock of {@link Deadlines}; Infinity for none. */
  readDeadline: number
  writeDeadline: number
  readDeadlinePassed(): void
  writeDeadlinePassed(): void
}

/** How exact the clock is, in milliseconds. */
export const TICK_MS = 250

/**
 * One timer for all connections. Setting a deadline is one write to a field, which matters on the
 * request path (three deadlines a request: header, body or write, keep-alive); the price is a sweep
 * over all connections four times a second, about 10 µs for a thousand of them. Deadlines are late
 * by up to two ticks, never early.
 */
export class Deadlines {
  /** A clock read once a tick, in milliseconds. */
  now = performance.now()
  readonly #members = new Set<Deadlined>()
  readonly #swept: () => void
  #timer: NodeJS.Timeout | null = null

  /** @param swept called after each sweep */
  constructor(swept: () => void = () => {}) {
    this.#swept = swept
  }

  add(member: Deadlined): void {
    this.#members.add(member)
    if (this.#timer === null) {
      this.now = performance.now()
      this.#timer = setInterval(() => this.#sweep(), TICK_MS)
      this.#timer.unref()
    }
  }

  delete(member: Deadlined): void {
    this.#members.delete(member)
    if (this.#members.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer)
      this.#timer = null
    }
  }

  /** The deadline that is `seconds` from now; 0 seconds means none. */
  in(seconds: number): number {
    return seconds === 0 ? Number.POSITIVE_INFINITY : this.now + TICK_MS + seconds * 1000
  }

  #sweep(): void {
    this.now = performance.now()
    for (const member of this.#members) {
      if (member.readDeadline <= this.now) member.readDeadlinePassed()
      if (member.writeDeadline <= this.now) member.writeDeadlinePassed()
    }
    this.#swept()
  }
}
