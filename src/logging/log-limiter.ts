import type { LogLevel } from './error-log.ts'

/** Entries of a kind that go out at once, before any are left out … */
const BURST = 10
/** … and from then on one in so many milliseconds. */
const INTERVAL_MS = 1000
/**
 * How long after the first entry that was left out it is told how many there were, in milliseconds.
 */
const REPORT_MS = 5000

export interface LogLimiterOptions {
  /** Writes one entry. */
  write: (level: LogLevel, text: string) => void
  /** Milliseconds that never go back; `performance.now` unless it says otherwise. */
  now?: () => number
  /**
   * Calls back after that many milliseconds, and does not keep the process alive; `setTimeout`
   * unless it says otherwise.
   */
  after?: (milliseconds: number, callback: () => void) => void
}

/** What is known of the entries of one kind. */
interface Kind {
  /** How many may go out now; grows by one in each interval, up to the burst. */
  tokens: number
  readonly burst: number
  countedAt: number
  leftOut: number
  level: LogLevel
}

/**
 * Log entries that a client can bring about at will, at most so many a second of each kind: nobody
 * shall fill a disk, or hide what matters, by sending bad requests. What was left out is counted,
 * and told when the flood ends, or every five seconds while it lasts.
 *
 * Not for what an application has to say: its tracebacks and its output are all written.
 *
 * @example
 * const limiter = new LogLimiter({ write: (level, text) => log.log(level, text) })
 * limiter.log('warning', 'requests refused with 400', 'Refused "GET / HTTP/1.1" from 192.0.2.7 with
 * 400: …') // after ten of them, one a second, and: // [WARNING] 4990 more entries about requests
 * refused with 400 were left out in the last 5 s
 */
export class LogLimiter {
  readonly #write: (level: LogLevel, text: string) => void
  readonly #now: () => number
  readonly #after: (milliseconds: number, callback: () => void) => void
  /** As many as there are kinds in our code; nothing that a client sends is a name of one. */
  readonly #kinds = new Map<string, Kind>()
  /** When the oldest of what is left out and has not been told was left out; 0 for nothing. */
  #since = 0

  constructor(options: LogLimiterOptions) {
    this.#write = options.write
    this.#now = options.now ?? (() => performance.now())
    this.#after =
      options.after ?? ((milliseconds, callback) => void setTimeout(callback, milliseconds).unref())
  }

  /**
   * Writes an entry, or counts it.
   *
   * @param kind what entries of its kind are about, in the plural: `requests refused with 400`
   * @param burst how many of them may come at once
   */
  log(level: LogLevel, kind: string, text: string, burst = BURST): void {
    const now = this.#now()
    const known = this.#kind(kind, burst, now)
    const tokens = Math.floor((now - known.countedAt) / INTERVAL_MS)
    if (tokens > 0) {
      known.tokens = Math.min(known.burst, known.tokens + tokens)
      known.countedAt += tokens * INTERVAL_MS
    }
    if (known.tokens > 0) {
      if (known.tokens === known.burst) known.countedAt = now
      known.tokens--
      this.#write(level, text)
      return
    }
    known.leftOut++
    known.level = level
    if (this.#since !== 0) return
    this.#since = now
    this.#after(REPORT_MS, () => this.report())
  }

  /** Tells what was left out and has not been told yet; for the end of a process too. */
  report(): void {
    if (this.#since === 0) return
    const seconds = Math.max(1, Math.round((this.#now() - this.#since) / 1000))
    this.#since = 0
    for (const [name, kind] of this.#kinds) {
      const { leftOut } = kind
      if (leftOut === 0) continue
      kind.leftOut = 0
      const entries = leftOut === 1 ? '1 more entry' : `${leftOut} more entries`
      const were = leftOut === 1 ? 'was' : 'were'
      this.#write(kind.level, `${entries} about ${name} ${were} left out in the last ${seconds} s`)
    }
  }

  #kind(name: string, burst: number, now: number): Kind {
    let kind = this.#kinds.get(name)
    if (kind === undefined) {
      kind = { tokens: burst, burst, countedAt: now, leftOut: 0, level: 'warning' }
      this.#kinds.set(name, kind)
    }
    return kind
  }
}
