import { Members } from './members.ts'

/**
 * Something that must move on by some points in time: a connection, with the exchanges on it. Each
 * exchange has deadlines of its own ({@link BodyDeadline}, {@link WriteDeadline}); the connection
 * looks at them together with its own.
 */
export interface Deadlined {
  /** Its place among the members of {@link Deadlines}, which writes it; -1 at first. */
  deadlinesPlace: number
  /**
   * Acts upon every deadline that has passed.
   * @param now milliseconds on the clock of {@link Deadlines}
   */
  checkDeadlines(now: number): void
}

/** A deadline that does not pass. */
export const NEVER = Number.POSITIVE_INFINITY

/** How exact the clock is, in milliseconds. */
export const TICK_MS = 250

/**
 * One timer for all connections. Setting a deadline is one write to a field, which matters on the
 * request path (three deadlines a request: header, body or write, keep-alive). The cost is a sweep
 * over all connections four times a second, about 10 µs for a thousand of them. Deadlines are late
 * by up to two ticks, never early.
 */
export class Deadlines {
  /** A clock read once a tick, in milliseconds. */
  now = performance.now()
  readonly #members = new Members<'deadlinesPlace', Deadlined>('deadlinesPlace')
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
    return seconds === 0 ? NEVER : this.now + TICK_MS + seconds * 1000
  }

  #sweep(): void {
    this.now = performance.now()
    for (const member of this.#members) member.checkDeadlines(this.now)
    this.#swept()
  }
}
