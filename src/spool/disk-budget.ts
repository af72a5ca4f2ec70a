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

/** The bytes of an acceptor's temporary files: their sum, the space left on the file system, and how many files there are. */
export class DiskBudget {
  readonly limits: DiskLimits
  #used = 0
  #files = 0
  #free: number
  /** Taken since the free space was looked at. */
  #since = 0
  #lookedAt = 0
  #looking = false
  readonly #waiters = new Waiters()

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
   * Takes that many bytes, written or about to be, and so many new files.
   * @returns false when there is no room for them: then none are taken
   */
  take(bytes: number, files = 0): boolean {
    this.#look()
    const { limit, reserve } = this.limits
    if (files > 0 && this.#files + files > this.limits.files) return false
    if (this.#used + bytes > limit || this.#free - this.#since - bytes < reserve) return false
    this.#used += bytes
    this.#since += bytes
    this.#files += files
    return true
  }

  /** Gives bytes back, and files: they are gone, or will not be written. */
  give(bytes: number, files = 0): void {
    if (bytes === 0 && files === 0) return
    this.#used -= bytes
    this.#files -= files
    this.#waiters.wake(this.#mayHaveRoom)
  }

  /** Calls back in a later turn when there may be room again. @returns a function that gives up waiting */
  whenRoom(callback: () => void): () => void {
    return this.#waiters.add(callback)
  }

  readonly #mayHaveRoom = () => this.#used < this.limits.limit

  /** Renews what is known of the free space, now and then and without waiting for it. */
  #look(): void {
    if (this.#looking || performance.now() - this.#lookedAt < LOOK_EVERY_MS) return
    this.#looking = true
    const before = this.#since
    statfs(this.limits.directory, (error, stats) => {
      this.#looking = false
      this.#lookedAt = performance.now()
      if (error !== null) return // as it was; what cannot be written says so itself
      this.#free = stats.bavail * stats.bsize
      this.#since -= before
      this.#waiters.wake(this.#mayHaveRoom)
    })
  }
}

/** Bytes that an unprivileged process may still write to the file system of that folder; Infinity where nobody can tell. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
