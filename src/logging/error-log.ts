/** The error log: everything there is to tell but the requests themselves. */
import { closeSync } from 'node:fs'
import { LogFile, LogFileError } from './log-file.ts'
import { harmlessLine, harmlessText } from './log-text.ts'
import { errorLogClock } from './log-time.ts'

/** How important a log entry is, least first. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'

const ranks: Readonly<Record<LogLevel, number>> = {
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

/** What a worker has to say; see {@link ErrorLog.forWorker}. */
export interface WorkerLog {
  /** A line that the application printed, without its line end. It is logged at every level. */
  output(stream: 'stdout' | 'stderr', line: string): void
  /** An entry by the worker itself. */
  log(level: LogLevel, text: string): void
}

/**
 * Writes entries in the form that Gunicorn's users know: `[2026-11-23 00:08:11 +0000] [4711] [INFO]
 * text`.
 *
 * Each entry is appended with one write before the call returns, so entries of many processes may
 * share a file, and none is lost when the process dies. A text of several lines (a traceback) is
 * one entry. Control characters are escaped. No method but the constructor throws.
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
    this.#threshold = ranks[options.level]
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

  /** Whether entries of that level are written; for texts that are costly to make. */
  enabled(level: LogLevel): boolean {
    return ranks[level] >= this.#threshold
  }

  /** @param pid the process that the entry is about */
  log(level: LogLevel, text: string, pid: number = process.pid): void {
    if (this.enabled(level)) this.#append(pid, level.toUpperCase(), harmlessText(text))
  }

  /**
   * The log of one worker process: its own entries carry its pid, and what the application prints
   * appears as `[time] [pid] [stderr] line`, where colours pass when the log is a terminal.
   */
  forWorker(pid: number): WorkerLog {
    return {
      output: (stream, line) => this.#append(pid, stream, harmlessLine(line, this.#colours)),
      log: (level, text) => this.log(level, text, pid),
    }
  }

  /**
   * Opens the file anew, after a log rotation moved it away. When that fails the old one stays, and
   * says so.
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
