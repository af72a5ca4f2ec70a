import { type Coded, coded } from '../messages/coded.ts'
import type { LogLevel } from './error-log.ts'

/** Entries of a kind that are written at once before any are suppressed. */
const BURST = 10
/** After that, one entry of the kind is written in each such interval. */
const INTERVAL_MS = 1000
/** How long after the first suppressed entry the number of them is logged, in milliseconds. */
const REPORT_MS = 5000

export interface LogLimiterOptions {
  /** Writes one entry. */
  write: (level: LogLevel, text: Coded) => void
  /** A monotonic clock in milliseconds. Defaults to `performance.now`. */
  now?: () => number
  /**
   * Calls back after that many milliseconds, without keeping the process alive. Defaults to
   * `setTimeout`.
   */
  after?: (milliseconds: number, callback: () => void) => void
}

/** The state of one kind of entries. */
interface Kind {
  /** How many may be written now; grows by one in each interval, up to the burst. */
  tokens: number
  readonly burst: number
  countedAt: number
  suppressed: number
  level: LogLevel
}

/**
 * Limits the log entries that a client can cause at will to a few a second of each kind. Otherwise,
 * bad requests could fill a disk or hide important entries. Suppressed entries are
 * counted, and the number is logged when the flood ends, or every five seconds while it lasts.
 *
 * Not for what an application logs: its tracebacks and its output are always written.
 *
 * @example
 * const limiter = new LogLimiter({ write: (level, text) => log.log(level, text) })
 * limiter.log('warning', 'requests refused with 400', 'Refused "GET / HTTP/1.1" from …')
 * // After ten of them, one a second is written, and after five seconds:
 * // [WARNING] 4990 more log entries about requests refused with 400 were suppressed in the last 5
 * s
 */
export class LogLimiter {
  readonly #write: (level: LogLevel, text: Coded) => void
  readonly #now: () => number
  readonly #after: (milliseconds: number, callback: () => void) => void
  /** The names come from this server's code, never from a client, so there are few. */
  readonly #kinds = new Map<string, Kind>()
  /** How many entries have been left out so far. */
  leftOut = 0
  /** When the oldest entry was suppressed that has not been reported; 0 if there is none. */
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
   * @param kind what such entries are about, in the plural: `requests refused with 400`
   * @param burst how many of them may be written at once
   */
  log(level: 'info', kind: string, text: string, burst?: number): void
  log(level: LogLevel, kind: string, text: Coded, burst?: number): void
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
      this.#write(level, text as Coded)
      return
    }
    known.suppressed++
    this.leftOut++
    known.level = level
    if (this.#since !== 0) return
    this.#since = now
    this.#after(REPORT_MS, () => this.report())
  }

  /** Logs how many entries were suppressed since the last report; also for the end of a process. */
  report(): void {
    if (this.#since === 0) return
    const seconds = Math.max(1, Math.round((this.#now() - this.#since) / 1000))
    this.#since = 0
    for (const [name, kind] of this.#kinds) {
      const { suppressed } = kind
      if (suppressed === 0) continue
      kind.suppressed = 0
      const entries = suppressed === 1 ? '1 more log entry' : `${suppressed} more log entries`
      const were = suppressed === 1 ? 'was' : 'were'
      this.#write(
        kind.level,
        coded('MONO8003', `${entries} about ${name} ${were} suppressed in the last ${seconds} s`),
      )
    }
  }

  #kind(name: string, burst: number, now: number): Kind {
    let kind = this.#kinds.get(name)
    if (kind === undefined) {
      kind = { tokens: burst, burst, countedAt: now, suppressed: 0, level: 'warning' }
      this.#kinds.set(name, kind)
    }
    return kind
  }
}
