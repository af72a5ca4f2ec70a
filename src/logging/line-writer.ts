/** Writes lines of a log in batches. */
import { closeSync, write } from 'node:fs'
import { type Coded, coded } from '../messages/coded.ts'
import { LogFile } from './log-file.ts'

/** Lines wait at most this long, in milliseconds. */
const DELAY_MS = 100
/** So many bytes of lines are written without waiting. */
const BATCH_BYTES = 64 * 1024
/** The most bytes that one call writes to a file. */
const LARGEST_WRITE = 1024 * 1024
/**
 * The most bytes that wait for a reader that is too slow, those of the batch that is being written
 * included. Further lines are lost, and counted.
 */
const MOST_PENDING = 8 * 1024 * 1024
/** How long `close` and `flush` wait for such a reader, in milliseconds. */
const PATIENCE_MS = 1000

export interface LineWriterOptions {
  /** A file to append to; `-` is standard output. */
  file: string
  /**
   * Called when the first line is lost, and again, with the number of lost lines, when writing
   * works or the writer is closed.
   */
  onTrouble?: (text: Coded) => void
}

/**
 * Writes lines without a system call for each: it collects them and writes them together, without
 * blocking the event loop. Each write ends at the end of a line, so that several processes can
 * share a file.
 *
 * @example
 * const writer = new LineWriter({ file: 'access.log' })
 * writer.write('a line\n')
 * await writer.close()
 */
export class LineWriter {
  readonly #file: LogFile
  readonly #onTrouble: (text: Coded) => void
  readonly #atExit = () => this.flush()
  #atomicWrite: number
  /** Lines that are not being written yet. ASCII, so characters are bytes. */
  #pending = ''
  /**
   * Further lines after these. V8 keeps each of them in pieces, which take five times the memory of
   * the text, so that only a few may be kept like that.
   */
  #recent = ''
  /** The batch that is being written, and how much of it the system has got. */
  #batch = ''
  #handed = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #replaceWanted = false
  #closed = false
  #giveUpAt = Number.POSITIVE_INFINITY
  #lost = 0

  /** @throws LogFileError (code `log-file`) when the file cannot be opened */
  constructor(options: LineWriterOptions) {
    this.#file = new LogFile(options.file, 1)
    this.#atomicWrite = this.#file.atomicWrite
    this.#onTrouble = options.onTrouble ?? (() => {})
    process.on('exit', this.#atExit)
  }

  /** @param line ASCII, with its line end */
  write(line: string): void {
    if (this.#closed) return
    const waiting = this.#batch.length + this.#pending.length + this.#recent.length
    if (waiting + line.length > MOST_PENDING) {
      this.#lose(1)
      return
    }
    this.#recent += line
    if (this.#recent.length < BATCH_BYTES) {
      this.#timer ??= setTimeout(this.#onTimer, DELAY_MS).unref()
    } else if (this.#writing === undefined) this.#start()
    else {
      this.#pending += Buffer.from(this.#recent, 'latin1').toString('latin1')
      this.#recent = ''
    }
  }

  /**
   * Writes all waiting lines before it returns; for the end of a process. Waits a second for a
   * reader that is stuck.
   */
  flush(): void {
    const text = this.#batch.slice(this.#handed) + this.#take()
    this.#batch = ''
    this.#handed = 0
    const deadline = Math.min(this.#giveUpAt, Date.now() + PATIENCE_MS)
    for (let start = 0; start < text.length; ) {
      const piece = this.#piece(text, start)
      start += piece.length
      if (!this.#file.writeUntil(deadline, Buffer.from(piece, 'latin1')))
        this.#lose(countLines(piece))
    }
  }

  /**
   * Opens the file again, after log rotation has renamed it. Lines that were recorded before go to
   * the old one.
   */
  reopen(): void {
    this.#replaceWanted = true
    if (this.#writing === undefined) this.#start()
  }

  /** Writes all waiting lines and closes the file. Waits a second for a reader that is stuck. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#giveUpAt = Date.now() + PATIENCE_MS
    process.off('exit', this.#atExit)
    clearTimeout(this.#timer)
    const overdue = stuck(PATIENCE_MS + 100)
    while (this.#waits || this.#writing !== undefined) {
      if (this.#writing === undefined) this.#start()
      // A pipe that could not be opened without blocking may hold a write for ever.
      if ((await Promise.race([this.#writing, overdue.promise])) === 'stuck') {
        this.#lose(countLines(this.#batch.slice(this.#handed) + this.#take()))
        break
      }
    }
    overdue.cancel()
    this.#reportLost()
    if (this.#writing === undefined) this.#file.close()
  }

  readonly #onTimer = () => {
    this.#timer = undefined
    if (this.#writing === undefined) this.#start()
  }

  #start(): void {
    const replace = this.#replaceWanted
    this.#batch = this.#take()
    this.#handed = 0
    this.#replaceWanted = false
    this.#writing = this.#writeBatch().then(() => {
      this.#writing = undefined
      if (replace) this.#replace()
      // Without a timer, nothing else would write the lines that were recorded in the meantime.
      const due = this.#pending !== '' || (this.#recent !== '' && this.#timer === undefined)
      if (this.#replaceWanted || (due && !this.#closed)) this.#start()
    })
  }

  get #waits(): boolean {
    return this.#pending !== '' || this.#recent !== ''
  }

  #take(): string {
    const lines = this.#pending + this.#recent
    this.#pending = ''
    this.#recent = ''
    return lines
  }

  async #writeBatch(): Promise<void> {
    let works = false
    while (this.#handed < this.#batch.length) {
      const piece = this.#piece(this.#batch, this.#handed)
      this.#handed += piece.length
      const problem = await append(
        this.#file.fd,
        Buffer.from(piece, 'latin1'),
        () => Date.now() > this.#giveUpAt,
      )
      works = problem === undefined
      if (!works) this.#lose(countLines(piece), problem)
    }
    // Not for each piece: while a reader is slow, that would be an entry for a few lines.
    if (works) this.#reportLost()
    this.#batch = ''
    this.#handed = 0
  }

  #replace(): void {
    try {
      const old = this.#file.replace()
      if (old !== undefined) closeSync(old)
      this.#atomicWrite = this.#file.atomicWrite
    } catch (error) {
      this.#onTrouble(coded('MONO8001', error instanceof Error ? error.message : String(error)))
    }
  }

  #lose(lines: number, problem = 'its reader is too slow'): void {
    if (this.#lost === 0)
      this.#onTrouble(coded('MONO8002', `Cannot write the access log: ${problem}`))
    this.#lost += lines
  }

  #reportLost(): void {
    if (this.#lost === 0) return
    this.#onTrouble(coded('MONO8002', `${this.#lost} lines of the access log could not be written`))
    this.#lost = 0
  }

  /** As many whole lines from `start` on as one write keeps apart from other processes' lines. */
  #piece(text: string, start: number): string {
    const size = Math.min(this.#atomicWrite, LARGEST_WRITE)
    let end =
      start + size >= text.length ? text.length : text.lastIndexOf('\n', start + size - 1) + 1
    if (end <= start) end = text.indexOf('\n', start) + 1
    return text.slice(start, end)
  }
}

function countLines(text: string): number {
  return text.split('\n').length - 1
}

function stuck(milliseconds: number): { promise: Promise<'stuck'>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  const promise = new Promise<'stuck'>((resolve) => {
    timer = setTimeout(resolve, milliseconds, 'stuck')
  })
  return { promise, cancel: () => clearTimeout(timer) }
}

/** Writes all of it; resolves with undefined, or with the error's message. */
function append(fd: number, data: Buffer, giveUp: () => boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const step = (from: number) => {
      write(fd, data, from, data.length - from, null, (error, written) => {
        if (error?.code === 'EAGAIN' && !giveUp()) setTimeout(step, 10, from)
        else if (error?.code === 'EAGAIN') resolve('its reader is too slow')
        else if (error) resolve(error.message)
        else if (from + written < data.length) step(from + written)
        else resolve(undefined)
      })
    }
    step(0)
  })
}
