/** The access log: one line for each request. */
import type { Coded } from '../messages/coded.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import type { AccessFormatter } from './access-atoms.ts'
import { compileAccessFormat } from './access-format.ts'
import { LineWriter } from './line-writer.ts'
import type { Syslog } from './syslog.ts'

export interface AccessLogOptions {
  /** A file to append to; `-` is standard output. Null: only to syslog. */
  file: string | null
  /** See `access_log_format`. */
  format: string
  /** Whether requests have traces, for the format `json`. */
  traces?: boolean
  /** Gets the lines too. The access log closes it. */
  syslog?: Syslog | null
  /**
   * Called when the first line is lost, and again, with the number of lost lines, when writing
   * works.
   */
  onTrouble?: (text: Coded) => void
}

/**
 * Writes an access log to a file, to syslog, or to both.
 *
 * @example
 * const log = new AccessLog({ file: 'access.log', format: settings.accessLogFormat })
 * log.record(record)
 * await log.close()
 */
export class AccessLog {
  readonly #format: AccessFormatter
  readonly #writer: LineWriter | null
  readonly #syslog: Syslog | null

  /**
   * @throws LogFileError (code `log-file`) when the file cannot be opened
   * @throws AccessFormatError (code `bad-access-log-format`)
   */
  constructor({ file, format, traces = false, syslog = null, onTrouble }: AccessLogOptions) {
    this.#format = compileAccessFormat(format, traces)
    const trouble = onTrouble === undefined ? {} : { onTrouble }
    this.#writer = file === null ? null : new LineWriter({ file, ...trouble })
    this.#syslog = syslog
  }

  /** Logs one request. */
  record(record: AccessRecord): void {
    const line = this.#format(record)
    this.#writer?.write(`${line}\n`)
    this.#syslog?.log('info', line)
  }

  /** Writes all waiting lines before it returns; for the end of a process. */
  flush(): void {
    this.#writer?.flush()
  }

  /**
   * Opens the file again, after log rotation has renamed it. Lines that were recorded before go to
   * the old one.
   */
  reopen(): void {
    this.#writer?.reopen()
  }

  /** Writes all waiting lines and closes the file. Waits a second for a reader that is stuck. */
  async close(): Promise<void> {
    await Promise.all([this.#writer?.close(), this.#syslog?.close()])
  }
}
