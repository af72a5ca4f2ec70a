import type { LogRecord } from '../observe/server-state.ts'
import type { ErrorLog } from './error-log.ts'
import { TracebackFinder } from './traceback-finder.ts'

/** How much of one entry is kept, in characters; a traceback is rarely longer. */
const ENTRY_LIMIT = 8192
/** How much of all entries is kept, in characters. */
const TAIL_LIMIT = 64 * 1024
/** How many errors are kept beside them, so that other entries do not push them out. */
const ERRORS_KEPT = 20

type Log = Pick<ErrorLog, 'listen' | 'listenToOutput'>

/**
 * The newest entries of an error log, with what applications print, for whoever asks the running
 * server. Its memory is bounded, whatever is logged.
 *
 * Tracebacks that an application prints are among the errors: most frameworks answer 500 themselves
 * and log the traceback to `wsgi.errors`, so the server never sees the exception.
 */
export class LogTail {
  #entries: LogRecord[] = []
  #errors: LogRecord[] = []
  #size = 0
  #number = 0
  readonly #tracebacks = new TracebackFinder(
    (text, pid) => this.#addError(this.#record('stderr', text, pid)),
    (record, line) => {
      if (record.text.length < ENTRY_LIMIT) record.text = cut(`${record.text}\n${line}`)
    },
  )

  /** Keeps what is written to this log from now on. */
  constructor(log: Log) {
    this.follow(log)
  }

  /** Keeps the entries of another log as well: a reload may have opened it. */
  follow(log: Log): void {
    log.listen((level, text, pid) => {
      const record = this.#add(level, text, pid)
      if (level === 'error' || level === 'critical') this.#addError(record)
    })
    log.listenToOutput((stream, line, pid) => {
      this.#add(stream, line, pid)
      if (stream === 'stderr') this.#tracebacks.line(line, pid)
    })
  }

  /** Oldest first. */
  get entries(): readonly LogRecord[] {
    return this.#entries
  }

  /** The newest at level error or critical, and printed tracebacks, oldest first. */
  get errors(): readonly LogRecord[] {
    return this.#errors
  }

  #add(level: string, text: string, pid: number): GrowingRecord {
    const record = this.#record(level, text, pid)
    this.#entries.push(record)
    this.#size += sizeOf(record)
    let over = 0
    while (this.#size > TAIL_LIMIT) this.#size -= sizeOf(this.#entries[over++]!)
    if (over > 0) this.#entries = this.#entries.slice(over)
    return record
  }

  #addError(record: GrowingRecord): GrowingRecord {
    if (this.#errors.push(record) > ERRORS_KEPT) this.#errors.shift()
    return record
  }

  #record(level: string, text: string, pid: number): GrowingRecord {
    return { number: ++this.#number, at: Date.now(), pid, level, text: cut(text) }
  }
}

/** A printed traceback gets its further lines as they come. */
type GrowingRecord = Omit<LogRecord, 'text'> & { text: string }

function cut(text: string): string {
  return text.length > ENTRY_LIMIT ? `${text.slice(0, ENTRY_LIMIT)} …` : text
}

/** With what an entry takes beside its text, so that empty ones are bounded too. */
function sizeOf({ text }: LogRecord): number {
  return text.length + 64
}
