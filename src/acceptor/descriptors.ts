/**
 * File descriptors: how many this process may have, how many connections that is, and what happens
 * when they are used up.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { mostTurnedAway } from '../http/http-server.ts'

/** What a worker takes: two channels, its two outputs, the ledger, and one while it starts. */
const EACH_WORKER = 6
/**
 * Of what is left for clients, one in five is for files: request bodies on the disk, files that are
 * sent, what an application opens in this process.
 */
const SHARE_OF_CONNECTIONS = 4 / 5
/** `max_connections` where nobody said; it may be lowered to as many as this without a word. */
const DEFAULT_MAX_CONNECTIONS = 20000
const MANY_CONNECTIONS = 10_000
/**
 * How often it is looked whether any descriptor can be had, in milliseconds; and how soon again
 * where none could.
 */
const LOOK_EVERY_MS = 1000
const LOOK_AGAIN_MS = 50

/**
 * The number of descriptors that this process may have open (RLIMIT_NOFILE); Infinity where there
 * is no limit, or none can be found out. Node raises the soft limit to the hard one when it starts,
 * so it is the hard one unless somebody has changed it since.
 */
export function descriptorLimit(): number {
  return parseLimit(process.platform === 'linux' ? linuxLimit() : shellLimit())
}

function linuxLimit(): string {
  try {
    return /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** A shell that we start has the limit that we have. */
function shellLimit(): string {
  return (
    spawnSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'latin1', timeout: 5000 }).stdout ?? ''
  )
}

function parseLimit(text: string): number {
  return /^\s*[1-9][0-9]*\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}

/** How many descriptors are open, listening sockets and workers' channels included. */
export function openDescriptors(): number {
  try {
    // Without the one that reads the folder.
    if (process.platform === 'linux') return readdirSync('/proc/self/fd').length - 1
    // The lowest number that is free.
    const descriptor = openSync(devNull, 'r')
    closeSync(descriptor)
    return descriptor
  } catch {
    return 0
  }
}

/**
 * How many connections can be had, and what to tell the operator; '' where it is as many as were
 * asked for.
 */
export interface ConnectionLimit {
  readonly maxConnections: number
  readonly warning: string
}

/**
 * As many connections as were asked for, or as many as descriptors allow.
 *
 * @param wanted `max_connections`
 * @param limit {@link descriptorLimit}
 * @param open what is open before any client has come, see {@link openDescriptors}
 * @param workers how many workers there are: a reload starts as many again before the old ones
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
  // Nobody asked for as many as the default, and thousands are enough for most.
  const enough = wanted === DEFAULT_MAX_CONNECTIONS ? Math.min(wanted, MANY_CONNECTIONS) : wanted
  if (possible >= enough) return { maxConnections: Math.min(wanted, possible), warning: '' }
  return {
    maxConnections: possible,
    warning:
      `max_connections is lowered from ${wanted} to ${possible}: an acceptor may have ${limit} files open, sockets included. ` +
      `${HOW_TO_RAISE} Or give --max-connections ${possible} or less.`,
  }
}

export const HOW_TO_RAISE =
  'Raise that limit where the server is started: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker.'

export interface DescriptorWatchOptions {
  /**
   * Called at each look at which no descriptor could be had. @param milliseconds for how long that
   * has been so
   */
  usedUp: (milliseconds: number) => void
  /** Called when there are some again. */
  recovered: () => void
}

/**
 * Looks once a second whether a descriptor can be had.
 *
 * Nobody else would say that there are none: when accept(2) fails with EMFILE, libuv gives up a
 * descriptor that it keeps for the purpose, accepts every connection that waits, closes it, and
 * tells nobody; where it has nothing to give up, it tries again and again. The same where the whole
 * system has none left (ENFILE), or the limit was lowered while the server runs.
 */
export class DescriptorWatch {
  readonly #options: DescriptorWatchOptions
  #timer: NodeJS.Timeout
  #usedUpSince = 0

  constructor(options: DescriptorWatchOptions) {
    this.#options = options
    this.#timer = this.#lookIn(LOOK_EVERY_MS)
  }

  #lookIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.look(), milliseconds).unref()
  }

  /** Looks now. */
  look(): void {
    clearTimeout(this.#timer)
    if (canOpen()) {
      this.#timer = this.#lookIn(LOOK_EVERY_MS)
      if (this.#usedUpSince === 0) return
      this.#usedUpSince = 0
      this.#options.recovered()
    } else {
      this.#timer = this.#lookIn(LOOK_AGAIN_MS)
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
