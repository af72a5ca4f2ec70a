import type { ErrorLog } from '../logging/error-log.ts'
import { coded } from '../messages/coded.ts'
import { descriptorLimit, HOW_TO_RAISE } from '../process/descriptor-limit.ts'
import {
  type ConnectionLimit,
  connectionLimit,
  DescriptorWatch,
  openDescriptors,
} from './descriptors.ts'

/** The server, as far as a shortage of descriptors concerns it; see `HttpServer`. */
export interface ConnectionHolder {
  readonly connections: number
  pause(): void
  resume(): void
  /** Closes idle connections; returns how many. */
  reclaimIdle(): number
  adapt(maxConnections: number, descriptors: number): void
}

export interface DescriptorShortageOptions {
  /** The setting `max_connections`. */
  readonly maxConnections: number
  readonly workers: number
  readonly log: ErrorLog
  /** Replaces this process, because it cannot accept connections any more. */
  readonly replace: (reason: string) => void
}

/**
 * After this time without a free descriptor, and without a connection that could free one, the
 * process is replaced; milliseconds.
 */
const HOPELESS_MS = 5000
/** How often the shortage is logged at most, in milliseconds. */
const LOG_EVERY_MS = 1000

/**
 * Keeps an acceptor working when file descriptors run out: it pauses accepting, closes idle
 * connections, logs the reason, and adapts when the limit has changed.
 */
export class DescriptorShortage {
  readonly #options: DescriptorShortageOptions
  /** How many were open before the first client. */
  readonly #open: number
  /** The limit of open descriptors; Infinity if there is none. */
  #limit: number
  #watch: DescriptorWatch | null = null
  #loggedAt = Number.NEGATIVE_INFINITY

  /** Create it before there are connections. */
  constructor(options: DescriptorShortageOptions) {
    this.#options = options
    this.#limit = descriptorLimit()
    this.#open = openDescriptors()
  }

  get limit(): number {
    return this.#limit
  }

  /** How many connections the descriptors allow. */
  connections(): ConnectionLimit {
    const { maxConnections, workers } = this.#options
    return connectionLimit(maxConnections, this.#limit, this.#open, workers)
  }

  /** Looks after a server until {@link stop}. */
  watch(server: ConnectionHolder): void {
    this.#watch = new DescriptorWatch({
      usedUp: (milliseconds) => this.#usedUp(server, milliseconds),
      recovered: () => this.#recovered(server),
    })
  }

  /** Checks now, because opening a file or accepting a connection has failed. */
  check(): void {
    this.#watch?.check()
  }

  /** Logs that the server closes idle connections to keep some descriptors free. */
  scarce(): void {
    this.#log('closing idle connections, and answering new ones with 503 if none is idle')
  }

  stop(): void {
    this.#watch?.stop()
  }

  /** New connections wait in the kernel until descriptors are free again. */
  #usedUp(server: ConnectionHolder, milliseconds: number): void {
    this.#log('no file or socket can be opened. New connections wait, and idle ones are closed')
    server.pause()
    const nothingToClose = server.reclaimIdle() === 0 && server.connections === 0
    // Then something else in this process has all descriptors.
    if (nothingToClose && milliseconds >= HOPELESS_MS)
      this.#options.replace('No connection can be accepted, because file descriptors are used up')
  }

  /** The limit may have been lowered while the server runs. */
  #recovered(server: ConnectionHolder): void {
    server.resume()
    const limit = descriptorLimit()
    if (limit === this.#limit) return
    this.#limit = limit
    const { maxConnections, warning } = this.connections()
    server.adapt(maxConnections, limit)
    if (warning !== '') this.#options.log.warning(coded('MONO4037', warning))
  }

  #log(what: string): void {
    const now = performance.now()
    if (now - this.#loggedAt < LOG_EVERY_MS) return
    this.#loggedAt = now
    const limit = this.#limit === Number.POSITIVE_INFINITY ? '' : ` (limit: ${this.#limit})`
    this.#options.log.error(
      coded('MONO4033', `File descriptors are used up${limit}: ${what}. ${HOW_TO_RAISE}`),
    )
  }
}
