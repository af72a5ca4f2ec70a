import { closeSync } from 'node:fs'
import { LogFile } from './log-file.ts'

/** How often writing is tried again while a reader is too slow, in milliseconds. */
const RETRY_MS = 20
/** The most bytes that wait for it. */
const MOST_QUEUED = 1024 * 1024
/**
 * Of these, the most when what an application prints is to wait, too: one that prints without end
 * must not keep the server's own entries out, which say so.
 */
export const MOST_OUTPUT = 768 * 1024
/** How long the end of the process, or `close`, waits for it, in milliseconds. */
const PATIENCE_MS = 250

/**
 * Writes each entry before the call returns, so that none is lost if the process dies. If the log
 * is a pipe whose reader has stalled, entries wait in memory instead: a server must go on when
 * nobody reads its log. Those that do not fit are lost, and counted.
 */
export class EntryWriter {
  readonly #file: LogFile
  readonly #atExit = () => this.#drainUntil(Date.now() + PATIENCE_MS)
  #queue: Buffer[] = []
  #queued = 0
  /** How much of the first entry in the queue is written. */
  #done = 0
  #timer: NodeJS.Timeout | null = null
  #lost = 0

  /**
   * @param path a file, or `-` for the standard stream
   * @param standard the file descriptor that `-` stands for: 1 or 2
   * @throws LogFileError if the file cannot be opened
   */
  constructor(path: string, standard: 1 | 2) {
    this.#file = new LogFile(path, standard)
  }

  /** Whether it is a terminal. */
  get terminal(): boolean {
    return this.#file.terminal
  }

  /** How many entries could not be written since {@link forgetLost}. */
  get lost(): number {
    return this.#lost
  }

  forgetLost(): void {
    this.#lost = 0
  }

  /**
   * Whether the next entry will be written, or kept; false while a reader has stalled for long.
   *
   * @param most how many bytes may wait, this entry included
   */
  accepts(most: number = MOST_QUEUED): boolean {
    return this.#queued < most
  }

  /** Never throws. @param most as above @returns false if the entry is lost */
  write(entry: Buffer, most: number = MOST_QUEUED): boolean {
    if (this.#queued > 0) return this.#keep(entry, most)
    const outcome = this.#file.tryWrite(entry)
    if (outcome === 'written') return true
    if (outcome !== 'failed') return this.#keep(entry, most, outcome)
    this.#lost++
    return false
  }

  /** Opens the file again, after log rotation has renamed it. @throws LogFileError */
  reopen(): void {
    const old = this.#file.replace()
    if (old !== undefined) closeSync(old)
  }

  close(): void {
    this.#drainUntil(Date.now() + PATIENCE_MS)
    this.#file.close()
  }

  #keep(entry: Buffer, most: number, done = 0): boolean {
    if (this.#queued + entry.length > most) {
      this.#lost++
      return false
    }
    if (this.#queue.length === 0) {
      this.#done = done
      process.on('exit', this.#atExit)
    }
    this.#queue.push(entry)
    this.#queued += entry.length
    this.#timer ??= setInterval(() => this.#drain(), RETRY_MS).unref()
    return true
  }

  /** @returns whether nothing waits any more */
  #drain(): boolean {
    for (;;) {
      const entry = this.#queue[0]
      if (entry === undefined) break
      const outcome = this.#file.tryWrite(entry, this.#done)
      if (typeof outcome === 'number') {
        this.#done += outcome
        return false
      }
      if (outcome === 'failed') this.#lost++
      this.#done = 0
      this.#queue.shift()
      this.#queued -= entry.length
    }
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    process.off('exit', this.#atExit)
    return true
  }

  #drainUntil(deadline: number): void {
    while (!this.#drain() && Date.now() < deadline) Atomics.wait(SLEEPER, 0, 0, 2)
    this.#lost += this.#queue.length
    this.#queue = []
    this.#drain()
  }
}

const SLEEPER = new Int32Array(new SharedArrayBuffer(4))
