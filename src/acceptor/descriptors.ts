/**
 * File descriptors: how many this process may have, how many connections they allow, and what
 * happens when they are used up.
 */
import { closeSync, openSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'
import { mostTurnedAway } from '../http/http-server.ts'
import { HOW_TO_RAISE } from '../process/descriptor-limit.ts'

/** Descriptors of a worker: two channels, its two outputs, the ledger, and one while it starts. */
const EACH_WORKER = 6
/**
 * The share of connections. The rest is for files: request bodies on the disk, files that are sent,
 * and what an application opens in this process.
 */
const SHARE_OF_CONNECTIONS = 4 / 5
/** The default of `max_connections`; it may be lowered to `MANY_CONNECTIONS` without a warning. */
const DEFAULT_MAX_CONNECTIONS = 20000
const MANY_CONNECTIONS = 10_000
/** How often the watch checks for a free descriptor; more often while there is none. */
const CHECK_MS = 1000
const CHECK_AGAIN_MS = 50

/** How many descriptors are open, including listening sockets and workers' channels. */
export function openDescriptors(): number {
  try {
    // Without the one for reading the folder.
    if (process.platform === 'linux') return readdirSync('/proc/self/fd').length - 1
    // The lowest free number.
    const descriptor = openSync(devNull, 'r')
    closeSync(descriptor)
    return descriptor
  } catch {
    return 0
  }
}

/** How many connections are possible, and the warning to log; '' if there is none. */
export interface ConnectionLimit {
  readonly maxConnections: number
  readonly warning: string
}

/**
 * The number of connections: as many as the settings say, or as descriptors allow.
 *
 * @param wanted `max_connections`
 * @param limit {@link descriptorLimit}
 * @param open {@link openDescriptors} before the first client
 * @param workers how many workers there are; a reload starts as many again before the old ones
 * leave
 */
export function connectionLimit(
  wanted: number,
  limit: number,
  open: number,
  workers: number,
): ConnectionLimit {
  const left = limit - open - workers * EACH_WORKER - mostTurnedAway(limit)
  const possible = Math.max(1, Math.floor(left * SHARE_OF_CONNECTIONS))
  // The default was not asked for, and thousands are enough for most.
  const enough = wanted === DEFAULT_MAX_CONNECTIONS ? Math.min(wanted, MANY_CONNECTIONS) : wanted
  if (possible >= enough) return { maxConnections: Math.min(wanted, possible), warning: '' }
  return {
    maxConnections: possible,
    warning:
      `max_connections is lowered from ${wanted} to ${possible}: ` +
      `an acceptor may have ${limit} files open, including sockets. ` +
      `${HOW_TO_RAISE} Or use --max-connections ${possible} or less.`,
  }
}

export interface DescriptorWatchOptions {
  /**
   * Called at each check that finds no free descriptor.
   *
   * @param milliseconds how long there has been none
   */
  usedUp: (milliseconds: number) => void
  /** Called when there are free descriptors again. */
  recovered: () => void
}

/**
 * Checks once a second whether there is a free descriptor.
 *
 * There is no other way to find out. If accept(2) fails with EMFILE, libuv closes a descriptor that
 * it keeps for this, accepts and closes every waiting connection, and reports nothing. If it
 * has no such descriptor, it tries forever. The same happens if the whole system has none left
 * (ENFILE), or if the limit is lowered while the server runs.
 */
export class DescriptorWatch {
  readonly #options: DescriptorWatchOptions
  #timer: NodeJS.Timeout
  #usedUpSince = 0

  constructor(options: DescriptorWatchOptions) {
    this.#options = options
    this.#timer = this.#checkIn(CHECK_MS)
  }

  #checkIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.check(), milliseconds).unref()
  }

  /** Checks now. */
  check(): void {
    clearTimeout(this.#timer)
    if (canOpen()) {
      this.#timer = this.#checkIn(CHECK_MS)
      if (this.#usedUpSince === 0) return
      this.#usedUpSince = 0
      this.#options.recovered()
    } else {
      this.#timer = this.#checkIn(CHECK_AGAIN_MS)
      const now = performance.now()
      if (this.#usedUpSince === 0) this.#usedUpSince = now
      this.#options.usedUp(now - this.#usedUpSince)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

function canOpen(): boolean {
  try {
    closeSync(openSync(devNull, 'r'))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code !== 'EMFILE' && code !== 'ENFILE'
  }
}
