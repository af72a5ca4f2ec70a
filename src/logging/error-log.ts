/** The error log: everything except the requests themselves. */
import { closeSync } from 'node:fs'
import { LogFile, LogFileError } from './log-file.ts'
import { harmlessLine, harmlessText } from './log-text.ts'
import { errorLogClock } from './log-time.ts'

/** How important a log entry is, the least important first. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'

const RANKS: Readonly<Record<LogLevel, number>> = {
  debug: 10,
  info: 20,
  warning: 30,
  error: 40,
  critical: 50,
}

export interface ErrorLogOptions {
  /** A file to append to; `-` is standard error. */
  file: string
  /** The least important level that is written. */
  level: LogLevel
}

/** The entries of one worker; see {@link ErrorLog.forWorker}. */
export interface WorkerLog {
  /** A line that the application printed, without its line end. It is written at every level. */
  output(stream: 'stdout' | 'stderr', line: string): void
  /** An entry by the worker itself. */
  log(level: LogLevel, text: string): void
}

/**
 * Writes entries in Gunicorn's form: `[2026-11-23 00:08:11 +0000] [4711] [INFO] text`.
 *
 * Each entry is appended with one write before the call returns, so many processes can share a
 * file, and no entry is lost if the process dies. A text of several lines (a traceback) is one
 * entry. Control characters are escaped. Only the constructor throws.
 *
 * @example
 * const log = new ErrorLog({ file: '-', level: 'info' })
 * log.info('Listening at http://127.0.0.1:8000')
 */
export class ErrorLog {
  readonly #file: LogFile
  readonly #clock = errorLogClock()
  readonly #threshold: number
  #colours: boolean
  #lost = 0

  /** @throws LogFileError (code `log-file`) when the file cannot be opened */
  constructor(options: ErrorLogOptions) {
    this.#file = new LogFile(options.file, 2)
    this.#threshold = RANKS[options.level]
    this.#colours = this.#file.terminal
  }

  debug(text: string): void {
    this.log('debug', text)
  }

  info(text: string): void {
    this.log('info', text)
  }

  warning(text: string): void {
    this.log('warning', text)
  }

  error(text: string): void {
    this.log('error', text)
  }

  critical(text: string): void {
    this.log('critical', text)
  }

  /** Whether entries of that level are written. Check it before making an expensive text. */
  enabled(level: LogLevel): boolean {
    return RANKS[level] >= this.#threshold
  }

  /** @param pid the process that the entry is about; defaults to this one */
  log(level: LogLevel, text: string, pid: number = process.pid): void {
    if (this.enabled(level)) this.#append(pid, level.toUpperCase(), harmlessText(text))
  }

  /**
   * The log of one worker process. Its entries have its pid; what the application prints appears as
   * `[time] [pid] [stderr] line`, with its colours if the log is a terminal.
   */
  forWorker(pid: number): WorkerLog {
    return {
      output: (stream, line) => this.#append(pid, stream, harmlessLine(line, this.#colours)),
      log: (level, text) => this.log(level, text, pid),
    }
  }

  /**
   * Opens the file again, after log rotation has renamed it. If that fails, the old one stays in
   * use and gets an entry about it.
   */
  reopen(): void {
    try {
      const old = this.#file.replace()
      if (old !== undefined) closeSync(old)
      this.#colours = this.#file.terminal
    } catch (error) {
      this.error(error instanceof LogFileError ? error.message : String(error))
    }
  }

  close(): void {
    this.#file.close()
  }

  #append(pid: number, tag: string, text: string): void {
    const head = `${this.#clock(Date.now())} [${pid}]`
    const lost =
      this.#lost === 0 ? '' : `${head} [WARNING] ${this.#lost} log entries could not be written\n`
    if (this.#file.write(Buffer.from(`${lost}${head} [${tag}] ${text}\n`))) this.#lost = 0
    else this.#lost++
  }
}
