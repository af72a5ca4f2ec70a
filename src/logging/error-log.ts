/** The error log: everything except the requests themselves. */
import { type Coded, coded } from '../messages/coded.ts'
import { EntryWriter, MOST_OUTPUT } from './entry-writer.ts'
import { jsonEntry, jsonOutput } from './json-entry.ts'
import { LogFileError } from './log-file.ts'
import { type LogLevel, RANKS } from './log-level.ts'
import { harmlessLine, harmlessText } from './log-text.ts'
import { errorLogClock, jsonClock } from './log-time.ts'
import { Syslog, type SyslogOptions } from './syslog.ts'

export type { LogLevel }

export interface ErrorLogOptions {
  /** A file to append to; `-` is standard error. */
  file: string
  /** The least important level that is written. */
  level: LogLevel
  /** The form of entries; text by default. */
  format?: 'text' | 'json'
  /**
   * Writes what the application prints without anything around it: to the file, or to the standard
   * streams, where it also goes without a file.
   */
  rawOutput?: 'file' | 'streams' | null
  /** Sends the entries to syslog too, without what the application prints. */
  syslog?: SyslogOptions | null
}

/**
 * Called with each entry that is written, and with the process that it is about; not with what the
 * application prints.
 */
export type EntryListener = (level: LogLevel, text: string, pid: number) => void

/** Called with each line that an application prints. */
export type OutputListener = (stream: 'stdout' | 'stderr', line: string, pid: number) => void

/** The entries of one worker; see {@link ErrorLog.forWorker}. */
export interface WorkerLog {
  /** A line that the application printed, without its line end. It is written at every level. */
  output(stream: 'stdout' | 'stderr', line: string): void
  /** The same in bytes, any number of whole lines; for `rawOutput`. */
  raw(stream: 'stdout' | 'stderr', lines: Buffer): void
  /** An entry by the worker itself. */
  log(level: LogLevel, text: Coded): void
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
  /** The least important level that is written; it may be changed. */
  level: LogLevel
  readonly #writer: EntryWriter
  /** For what the application prints, if that is passed on as it is. */
  readonly #raw: { readonly stdout: EntryWriter; readonly stderr: EntryWriter } | null
  readonly #json: boolean
  readonly #syslog: Syslog | null
  readonly #clock: (milliseconds: number) => string
  #listeners: readonly EntryListener[] = []
  #outputListeners: readonly OutputListener[] = []
  #colours: boolean

  /** @throws LogFileError (code `log-file`) when the file cannot be opened */
  constructor({ file, level, format, rawOutput = null, syslog = null }: ErrorLogOptions) {
    this.#writer = new EntryWriter(file, 2)
    this.#raw = rawOutput === null ? null : rawWriters(rawOutput, file, this.#writer)
    this.#json = format === 'json'
    this.#clock = this.#json ? jsonClock() : errorLogClock()
    this.level = level
    this.#colours = this.#writer.terminal && !this.#json
    // Trouble with syslog goes to the file only.
    this.#syslog =
      syslog === null
        ? null
        : new Syslog(syslog, (text) => this.#append(process.pid, 'warning', text))
  }

  debug(text: string): void {
    this.log('debug', text)
  }

  info(text: string): void {
    this.log('info', text)
  }

  warning(text: Coded): void {
    this.log('warning', text)
  }

  error(text: Coded): void {
    this.log('error', text)
  }

  critical(text: Coded): void {
    this.log('critical', text)
  }

  /** Whether entries of that level are written. Check it before making an expensive text. */
  enabled(level: LogLevel): boolean {
    return RANKS[level] >= RANKS[this.level]
  }

  /** @param pid the process that the entry is about; defaults to this one */
  log(level: 'debug' | 'info', text: string, pid?: number): void
  log(level: LogLevel, text: Coded, pid?: number): void
  log(level: LogLevel, text: string, pid: number = process.pid): void {
    if (!this.enabled(level)) return
    this.#append(pid, level, text)
    this.#syslog?.log(level, harmlessText(text), pid)
    for (const listener of this.#listeners) listener(level, text, pid)
  }

  /** Calls `listener` for each entry from now on. It must not write to this log. */
  listen(listener: EntryListener): void {
    this.#listeners = [...this.#listeners, listener]
  }

  /** The same for what applications print, unless it is written as it is (`rawOutput`). */
  listenToOutput(listener: OutputListener): void {
    this.#outputListeners = [...this.#outputListeners, listener]
  }

  /**
   * The log of one worker process. Its entries have its pid; what the application prints appears as
   * `[time] [pid] [stderr] line`, with its colours if the log is a terminal.
   */
  forWorker(pid: number): WorkerLog {
    return {
      output: (stream, line) => this.#output(pid, stream, line),
      raw: (stream, lines) => this.#raw?.[stream].write(lines, MOST_OUTPUT),
      log: (level, text) => this.log(level, text, pid),
    }
  }

  /**
   * Opens the file again, after log rotation has renamed it. If that fails, the old one stays in
   * use and gets an entry about it.
   */
  reopen(): void {
    try {
      this.#writer.reopen()
      this.#colours = this.#writer.terminal && !this.#json
    } catch (error) {
      this.error(error instanceof LogFileError ? error.message : coded('MONO8001', String(error)))
    }
  }

  close(): void {
    void this.#syslog?.close()
    for (const writer of new Set([this.#writer, this.#raw?.stdout, this.#raw?.stderr]))
      writer?.close()
  }

  /** Sends what waits for syslog; for the end of a process, which may go on to use the log. */
  async settle(): Promise<void> {
    await this.#syslog?.close()
  }

  #output(pid: number, stream: 'stdout' | 'stderr', line: string): void {
    for (const listener of this.#outputListeners) listener(stream, line, pid)
    if (this.#raw !== null) this.#raw[stream].write(Buffer.from(`${line}\n`), MOST_OUTPUT)
    else if (this.#json)
      this.#write(jsonOutput(this.#clock(Date.now()), pid, stream, line), MOST_OUTPUT)
    else {
      const text = harmlessLine(line, this.#colours)
      this.#write(`${this.#clock(Date.now())} [${pid}] [${stream}] ${text}\n`, MOST_OUTPUT)
    }
  }

  #append(pid: number, level: LogLevel, text: string): void {
    this.#write(this.#entry(pid, level, text))
  }

  #entry(pid: number, level: LogLevel, text: string): string {
    const time = this.#clock(Date.now())
    return this.#json
      ? jsonEntry(time, pid, level, text)
      : `${time} [${pid}] [${level.toUpperCase()}] ${harmlessText(text)}\n`
  }

  /** @param most how many bytes may wait for a slow reader, this entry included */
  #write(entry: string, most?: number): void {
    const { lost } = this.#writer
    if (lost === 0 || !this.#writer.accepts(most)) {
      this.#writer.write(Buffer.from(entry), most)
      return
    }
    const notice = this.#entry(
      process.pid,
      'warning',
      coded('MONO8002', `${lost} log entries could not be written`),
    )
    if (this.#writer.write(Buffer.from(notice + entry), most)) this.#writer.forgetLost()
  }
}

function rawWriters(raw: 'file' | 'streams', file: string, log: EntryWriter) {
  if (raw === 'file' && file !== '-') return { stdout: log, stderr: log }
  return { stdout: new EntryWriter('-', 1), stderr: file === '-' ? log : new EntryWriter('-', 2) }
}
