/** The access log: one line for each request. */
import { closeSync, write } from 'node:fs'
import type { AccessRecord } from '../observe/access-record.ts'
import { type AccessFormatter, compileAccessFormat } from './access-format.ts'
import { LogFile } from './log-file.ts'

/** Lines wait at most this long, in milliseconds … */
const delay = 100
/** … or until they are this many bytes. */
const batch = 64 * 1024
/** The most bytes that are handed to a file with one call, when many are waiting. */
const largestWrite = 1024 * 1024
/**
 * What may wait for a reader that does not keep up, in bytes; further lines are lost, and counted.
 */
const most = 8 * 1024 * 1024
/** How long closing waits for such a reader, in milliseconds. */
const patience = 1000

export interface AccessLogOptions {
  /** A file to append to; `-` is standard output. */
  file: string
  /** See `access_log_format`. */
  format: string
  /** Told once when lines had to be dropped, and how many they were once writing works again. */
  onTrouble?: (text: string) => void
}

/**
 * Writes an access log without a system call for each request: lines are collected and written
 * together, off the event loop. Each write ends at the end of a line, so that several processes may
 * share a file.
 *
 * @example
 * const log = new AccessLog({ file: 'access.log', format: settings.accessLogFormat })
 * log.record(record)
 * await log.close()
 */
export class AccessLog {
  readonly #file: LogFile
  readonly #format: AccessFormatter
  readonly #onTrouble: (text: string) => void
  readonly #atExit = () => this.flush()
  #atomicWrite: number
  /** Lines that nobody has begun to write; ASCII, so characters are bytes. */
  #pending = ''
  /** The batch that is being written, and how far it has been handed to the system. */
  #batch = ''
  #handed = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #replaceWanted = false
  #closed = false
  #giveUpAt = Number.POSITIVE_INFINITY
  #lost = 0

  /**
   * @throws LogFileError (code `log-file`) when the file cannot be opened
   * @throws AccessFormatError (code `bad-access-log-format`)
   */
  constructor(options: AccessLogOptions) {
    this.#format = compileAccessFormat(options.format)
    this.#file = new LogFile(options.file, 1)
    this.#atomicWrite = this.#file.atomicWrite
    this.#onTrouble = options.onTrouble ?? (() => {})
    process.on('exit', this.#atExit)
  }

  /** Logs one request. */
  record(record: AccessRecord): void {
    if (this.#closed) return
    const line = `${this.#format(record)}\n`
    if (this.#pending.length + line.length > most) {
      this.#lose(1)
      return
    }
    this.#pending += line
    if (this.#pending.length >= batch && this.#writing === undefined) this.#start()
    else if (this.#timer === undefined) this.#timer = setTimeout(this.#onTimer, delay).unref()
  }

  /** Writes what is waiting before it returns; for the very end of a process. */
  flush(): void {
    const text = this.#batch.slice(this.#handed) + this.#pending
    this.#batch = ''
    this.#handed = 0
    this.#pending = ''
    for (let start = 0; start < text.length; ) {
      const piece = this.#piece(text, start)
      start += piece.length
      if (!this.#file.write(Buffer.from(piece, 'latin1'))) this.#lose(countLines(piece))
    }
  }

  /**
   * Opens the file anew, after a log rotation moved it away. Lines that were recorded before go to
   * the old one.
   */
  reopen(): void {
    this.#replaceWanted = true
    if (this.#writing === undefined) this.#start()
  }

  /**
   * Writes what is waiting and closes the file; a reader that takes nothing is given up after a
   * second.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#giveUpAt = Date.now() + patience
    process.off('exit', this.#atExit)
    clearTimeout(this.#timer)
    while (this.#pending !== '' || this.#writing !== undefined) {
      if (this.#writing === undefined) this.#start()
      await this.#writing
    }
    this.#file.close()
  }

  readonly #onTimer = () => {
    this.#timer = undefined
    if (this.#writing === undefined) this.#start()
  }

  #start(): void {
    const replace = this.#replaceWanted
    this.#batch = this.#pending
    this.#handed = 0
    this.#pending = ''
    this.#replaceWanted = false
    this.#writing = this.#writeBatch().then(() => {
      this.#writing = undefined
      if (replace) this.#replace()
      // Without a timer nobody else would come for the lines that were recorded meanwhile.
      const due =
        this.#pending !== '' && (this.#timer === undefined || this.#pending.length >= batch)
      if (this.#replaceWanted || (due && !this.#closed)) this.#start()
    })
  }

  async #writeBatch(): Promise<void> {
    while (this.#handed < this.#batch.length) {
      const piece = this.#piece(this.#batch, this.#handed)
      this.#handed += piece.length
      const problem = await append(
        this.#file.fd,
        Buffer.from(piece, 'latin1'),
        () => Date.now() > this.#giveUpAt,
      )
      if (problem !== undefined) this.#lose(countLines(piece), problem)
      else if (this.#lost > 0) {
        this.#onTrouble(`${this.#lost} lines of the access log could not be written`)
        this.#lost = 0
      }
    }
    this.#batch = ''
    this.#handed = 0
  }

  #replace(): void {
    try {
      const old = this.#file.replace()
      if (old !== undefined) closeSync(old)
      this.#atomicWrite = this.#file.atomicWrite
    } catch (error) {
      this.#onTrouble(error instanceof Error ? error.message : String(error))
    }
  }

  #lose(lines: number, problem = 'its reader does not keep up'): void {
    if (this.#lost === 0) this.#onTrouble(`Cannot write the access log: ${problem}`)
    this.#lost += lines
  }

  /** Whole lines from `start` on, as many as reach the file unmixed with other processes' ones. */
  #piece(text: string, start: number): string {
    const size = Math.min(this.#atomicWrite, largestWrite)
    let end =
      start + size >= text.length ? text.length : text.lastIndexOf('\n', start + size - 1) + 1
    if (end <= start) end = text.indexOf('\n', start) + 1
    return text.slice(start, end)
  }
}

function countLines(text: string): number {
  return text.split('\n').length - 1
}

/** Writes all of it; resolves with undefined, or with what went wrong. */
function append(fd: number, data: Buffer, giveUp: () => boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const step = (from: number) => {
      write(fd, data, from, data.length - from, null, (error, written) => {
        if (error?.code === 'EAGAIN' && !giveUp()) setTimeout(step, 10, from)
        else if (error) resolve(error.message)
        else if (from + written < data.length) step(from + written)
        else resolve(undefined)
      })
    }
    step(0)
  })
}
