import { statfs, statfsSync } from 'node:fs'
import { Waiters } from './room.ts'

/** What a {@link DiskBudget} allows. */
export interface DiskLimits {
  /** The most bytes of all temporary files together. */
  readonly limit: number
  /** The most files at a time: each takes a descriptor. */
  readonly files: number
  /** That many bytes of the file system are left free, whoever uses it. */
  readonly reserve: number
  /** A folder of that file system. */
  readonly directory: string
}

/** The free space is looked at this often while it is used. */
const LOOK_EVERY_MS = 1000

/**
 * The bytes of an acceptor's temporary files: their sum, the space left on the file system, and how
 * many files there are.
 */
export class DiskBudget {
  readonly limits: DiskLimits
  #used = 0
  #files = 0
  /** Of what is used, what has not been written yet. */
  #unwritten = 0
  #free: number
  /** Written since the free space was looked at. */
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

  /** Bytes taken now. */
  get used(): number {
    return this.#used
  }

  /**
   * Takes that many bytes, which are about to be written, and so many new files.
   * @returns false when there is no room for them: then none are taken
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

  /** That many of the bytes taken have been written. */
  wrote(bytes: number): void {
    this.#unwritten -= bytes
    this.#writtenSince += bytes
  }

  /**
   * Gives bytes back, and files: they are gone, or will not be written.
   * @param unwritten how many of the bytes were never written
   */
  give(bytes: number, files = 0, unwritten = 0): void {
    if (bytes === 0 && files === 0) return
    this.#used -= bytes
    this.#unwritten -= unwritten
    this.#files -= files
    this.#waiters.wake(this.#mayHaveRoom)
  }

  /**
   * Calls back in a later turn when there may be room again. @returns a function that gives up
   * waiting
   */
  whenRoom(callback: () => void): () => void {
    this.#waiting++
    // Others may free the file system, of which only a look can tell.
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

  readonly #mayHaveRoom = () => this.#used < this.limits.limit

  /** Renews what is known of the free space, without waiting for it. */
  #look(): void {
    if (this.#looking) return
    this.#looking = true
    const before = this.#writtenSince
    statfs(this.limits.directory, (error, stats) => {
      this.#looking = false
      this.#lookedAt = performance.now()
      if (error !== null) return // as it was; what cannot be written says so itself
      this.#free = stats.bavail * stats.bsize
      this.#writtenSince -= before
      this.#waiters.wake(this.#mayHaveRoom)
    })
  }
}

/**
 * Bytes that an unprivileged process may still write to the file system of that folder; Infinity
 * where nobody can tell.
 */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
