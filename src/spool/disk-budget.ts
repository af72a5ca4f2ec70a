import { statfs, statfsSync } from 'node:fs'
import { Waiters } from './waiters.ts'

/** What a {@link DiskBudget} allows. */
export interface DiskLimits {
  /** The limit for all temporary files together, in bytes. */
  readonly limit: number
  /** The limit for the number of files: each takes a file descriptor. */
  readonly files: number
  /** How many bytes of the file system must stay free, whatever else uses it. */
  readonly reserve: number
  /** A folder of that file system. */
  readonly directory: string
}

/** How often the free space is checked while it is used. */
const LOOK_EVERY_MS = 1000

/**
 * Counts the bytes of an acceptor's temporary files and the number of files, and watches the free
 * space of the file system.
 */
export class DiskBudget {
  readonly limits: DiskLimits
  #used = 0
  #files = 0
  /** The part of the used bytes that is not written yet. */
  #unwritten = 0
  #free: number
  /** Bytes written since the free space was checked. */
  #writtenSince = 0
  #lookedAt = 0
  #looking = false
  readonly #waiters = new Waiters()
  #waiting = 0
  #timer: NodeJS.Timeout | null = null

  constructor(limits: DiskLimits) {
    this.limits = limits
    this.#free = freeBytes(limits.directory)
    this.#lookedAt = performance.now()
  }

  /** Bytes that are taken now. */
  get used(): number {
    return this.#used
  }

  /**
   * Takes bytes that are about to be written, and a number of new files.
   *
   * @returns false if there is no space for them. Then none are taken
   */
  take(bytes: number, files = 0): boolean {
    if (performance.now() - this.#lookedAt >= LOOK_EVERY_MS) this.#look()
    const { limit, reserve } = this.limits
    if (files > 0 && this.#files + files > this.limits.files) return false
    if (this.#used + bytes > limit) return false
    if (this.#free - this.#writtenSince - this.#unwritten - bytes < reserve) return false
    this.#used += bytes
    this.#unwritten += bytes
    this.#files += files
    return true
  }

  /** Bytes that were taken have been written. */
  wrote(bytes: number): void {
    this.#unwritten -= bytes
    this.#writtenSince += bytes
  }

  /**
   * Gives back bytes and files that are gone or will not be written.
   *
   * @param unwritten how many of the bytes were never written
   */
  give(bytes: number, files = 0, unwritten = 0): void {
    if (bytes === 0 && files === 0) return
    this.#used -= bytes
    this.#unwritten -= unwritten
    this.#files -= files
    this.#waiters.wake(this.#mayHaveSpace)
  }

  /**
   * Calls back in a later turn of the event loop when there may be space again.
   *
   * @returns a function that cancels the wait
   */
  whenSpace(callback: () => void): () => void {
    this.#waiting++
    // Other programs may free space, which only a check finds out.
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    const settle = () => {
      if (--this.#waiting > 0 || this.#timer === null) return
      clearInterval(this.#timer)
      this.#timer = null
    }
    const giveUp = this.#waiters.add(() => {
      settle()
      callback()
    })
    return () => {
      if (giveUp()) settle()
    }
  }

  readonly #mayHaveSpace = () => this.#used < this.limits.limit

  /** Starts a check of the free space. */
  #look(): void {
    if (this.#looking) return
    this.#looking = true
    const before = this.#writtenSince
    statfs(this.limits.directory, (error, stats) => {
      this.#looking = false
      this.#lookedAt = performance.now()
      // The old number stays. A write that fails reports its own error.
      if (error !== null) return
      this.#free = stats.bavail * stats.bsize
      this.#writtenSince -= before
      this.#waiters.wake(this.#mayHaveSpace)
    })
  }
}

/**
 * How many bytes an unprivileged process may still write to the file system of a folder; Infinity
 * if that is not known.
 */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
