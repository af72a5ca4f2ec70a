import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { acceptSockets, pauseAccepting } from '../transport/accept-sockets.ts'
import type { Connection, ConnectionContext, Protocol } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import type { RequestHandler } from './exchange.ts'
import { IdleConnections } from './idle-connections.ts'
import type { Refusal } from './refusal.ts'

/** What a server is made of. */
export interface HttpServerOptions
  extends Pick<ConnectionContext, 'limits' | 'timeouts' | 'rates' | 'memory' | 'serverName'> {
  /** Takes over each connection, and may choose another protocol for it. */
  readonly protocol: Protocol
  readonly handler: RequestHandler
  /**
   * Where there are that many connections, idle ones make room for new ones; where none is idle,
   * new ones are answered 503. 0 for no limit.
   */
  readonly maxConnections: number
  /**
   * The number of descriptors that this process may have open; Infinity where it is not known.
   * Close to it the same is done as at `maxConnections`: past it the kernel hands out no
   * connection, and libuv closes it without a word to anybody.
   */
  readonly descriptors?: number
  /** Hears of every message that was refused, for the logs. */
  readonly refused: (refusal: Refusal) => void
  /** Hears of every connection that is turned away, and why. */
  readonly turnsAway: (why: Shortage) => void
  /**
   * Hears of every connection that came when descriptors were nearly used up, whether or not there
   * was room for it.
   */
  readonly scarce?: () => void
  /** Hears that nothing more can be accepted here: every attempt fails. */
  readonly unableToAccept?: () => void
}

/** What there was not enough of for a new connection. */
export type Shortage = 'connections' | 'descriptors'

/** A connection over `maxConnections` has this long to take its 503 and to close … */
const TURN_AWAY_MS = 1000
/** … unless there are this many of them. */
const MOST_TURNED_AWAY = 256
/** So many descriptors stay free for files and for those who are turned away. */
const SPARE_DESCRIPTORS = 16
/**
 * After so many attempts to accept that failed, one after the other, it is given up: libuv goes on
 * trying, and nothing else has its turn.
 */
const MOST_FAILURES = 64
/** What node takes where nothing is said. */
const DEFAULT_BACKLOG = 511
/** Connections that are cut are gone at once; this is for one that is not. */
const LAST_MS = 500

/**
 * Listens, accepts, and owns the connections: the HTTP engine as a whole, whoever answers the
 * requests.
 */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #context: ConnectionContext
  readonly #servers: { readonly server: Server; readonly backlog: number }[] = []
  /** Accepts again; null while it has not been paused. */
  #resumes: (() => void)[] | null = null
  readonly #connections = new Set<Connection>()
  readonly #turnedAway = new Set<Socket>()
  #maxConnections: number
  #mostTurnedAway: number
  /**
   * An accepted socket with a descriptor from here on says that they are nearly used up: the kernel
   * gives out the lowest.
   */
  #scarceFrom: number
  /**
   * Idle connections in whose place others were accepted in this turn of the event loop; closed at
   * the end of it.
   */
  readonly #replaced: Connection[] = []
  #failures = 0
  #onNoConnections: (() => void) | null = null

  constructor(options: HttpServerOptions) {
    this.#options = options
    const { maxConnections, descriptors = Number.POSITIVE_INFINITY } = options
    this.#maxConnections = maxConnections
    this.#scarceFrom = descriptors - SPARE_DESCRIPTORS
    this.#mostTurnedAway = mostTurnedAway(descriptors)
    const deadlines = new Deadlines(() => this.#relieve())
    this.#context = {
      limits: options.limits,
      timeouts: options.timeouts,
      rates: options.rates,
      memory: options.memory,
      serverName: options.serverName,
      deadlines,
      idle: new IdleConnections(deadlines),
      handler: options.handler,
      refused: options.refused,
      closed: (connection) => this.#connectionClosed(connection),
      stopping: false,
      patient: false,
    }
  }

  /**
   * Accepts connections where `where` says: an address to bind, or a descriptor that listens
   * already.
   *
   * @param failed hears of every connection that could not be accepted
   * @returns the listening socket; closing it is {@link stop}'s
   */
  listen(where: ListenOptions & { fd?: number }, failed: (error: Error) => void): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true })
      server.once('error', reject)
      server.listen(where, () => {
        server.off('error', reject)
        acceptSockets(server, (socket, descriptor) => this.#accept(socket, descriptor))
        server.on('error', (error) => this.#notAccepted(server, error, failed))
        resolve(server)
      })
      this.#servers.push({ server, backlog: where.backlog ?? DEFAULT_BACKLOG })
    })
  }

  #accept(socket: Socket, descriptor: number): Connection | null {
    this.#failures = 0
    // Gone before it could be asked who it was. Without this it would pass for a client of a unix
    // socket, which is trusted.
    if (socket.remoteAddress === undefined && socket.localAddress !== undefined) {
      socket.destroy()
      return null
    }
    const maxConnections = this.#maxConnections
    const scarce = descriptor >= this.#scarceFrom
    if (scarce) this.#options.scarce?.()
    const over =
      maxConnections === 0 ? -1 : this.#connections.size - this.#replaced.length - maxConnections
    // Connections that were closed, but still have an answer to deliver, may be an eighth more;
    // then they stand for others.
    const room = over < 0 && !scarce ? true : over <= maxConnections >> 3 && this.#replaceIdle()
    if (!room) {
      if (scarce) this.#turnAwayAtOnce(socket)
      else this.#turnAway(socket)
      this.#options.turnsAway(scarce ? 'descriptors' : 'connections')
      return null
    }
    const connection = this.#options.protocol.connect(socket, this.#context)
    this.#connections.add(connection)
    return connection
  }

  /**
   * Lets a new connection take the place of the one that has been idle for longest, where there is
   * one. That is closed when this turn of the event loop has read what has arrived: a request that
   * is here already is not lost.
   */
  #replaceIdle(): boolean {
    const longest = this.#context.idle.take()
    if (longest === null) return false
    if (this.#replaced.push(longest) === 1) setImmediate(() => this.#closeReplaced())
    return true
  }

  #closeReplaced(): void {
    let spared = 0
    for (const connection of this.#replaced) {
      // It has had a request since, and may be idle again.
      if (connection.idleIn !== null || !connection.idle) spared++
      else connection.closeIdle()
    }
    this.#replaced.length = 0
    this.#closeLongestIdle(spared)
  }

  /** Only when what has arrived has been read. */
  #closeLongestIdle(count: number): void {
    for (let left = count; left > 0; left--) this.#context.idle.take()?.closeIdle()
  }

  /** Takes other limits from now on; see {@link HttpServerOptions}. */
  adapt(maxConnections: number, descriptors: number): void {
    this.#maxConnections = maxConnections
    this.#scarceFrom = descriptors - SPARE_DESCRIPTORS
    this.#mostTurnedAway = mostTurnedAway(descriptors)
    const over = maxConnections === 0 ? 0 : this.#connections.size - maxConnections
    if (over > 0) setImmediate(() => this.#closeLongestIdle(over))
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#connections.size
  }

  get maxConnections(): number {
    return this.#maxConnections
  }

  /**
   * Closes a part of the idle connections, longest idle first, to have descriptors to work with: a
   * quarter of them, at least 16.
   * @returns how many
   */
  reclaimIdle(): number {
    const { size } = this.#context.idle
    const count = Math.min(size, Math.max(SPARE_DESCRIPTORS, size >> 2))
    if (count > 0) setImmediate(() => this.#closeLongestIdle(count))
    return count
  }

  /**
   * Leaves new connections to the kernel, where they wait, until {@link resume}. May be called
   * again.
   */
  pause(): void {
    this.#resumes ??= this.#servers
      .filter(({ server }) => server.listening)
      .map(({ server, backlog }) => pauseAccepting(server, backlog))
      .filter((resume) => resume !== null)
  }

  resume(): void {
    for (const resume of this.#resumes ?? []) resume()
    this.#resumes = null
  }

  /**
   * Accepting has failed. libuv tries again at once, and goes on until it succeeds or there is
   * nothing to listen to.
   */
  #notAccepted(server: Server, error: Error, failed: (error: Error) => void): void {
    failed(error)
    if (this.#failures++ === 0) setImmediate(() => (this.#failures = 0))
    const { code } = error as NodeJS.ErrnoException
    // Not at the end of the turn, because it does not end.
    if (code === 'EMFILE' || code === 'ENFILE') this.#closeLongestIdle(1)
    if (this.#failures <= MOST_FAILURES || this.#context.stopping || !server.listening) return
    server.close()
    this.#options.unableToAccept?.()
  }

  /**
   * Answers 503. What the client still sends is dropped for a while: closing over unread bytes may
   * destroy the answer (RFC 9112 §9.6).
   */
  #turnAway(socket: Socket): void {
    if (this.#turnedAway.size >= this.#mostTurnedAway) {
      this.#turnAwayAtOnce(socket)
      return
    }
    socket.on('error', () => {})
    this.#turnedAway.add(socket)
    const timer = setTimeout(() => socket.destroy(), TURN_AWAY_MS)
    socket.on('end', () => socket.destroySoon())
    socket.on('close', () => {
      clearTimeout(timer)
      this.#turnedAway.delete(socket)
    })
    this.#options.protocol.turnAway(socket)
    socket.end()
    socket.resume()
  }

  /**
   * The same without keeping the descriptor: the kernel has taken the answer when `write` returns.
   */
  #turnAwayAtOnce(socket: Socket): void {
    socket.on('error', () => {})
    this.#options.protocol.turnAway(socket)
    socket.destroy()
  }

  /** While memory is lacking altogether, clients that hold some of it for nothing are given up. */
  #relieve(): void {
    for (const connection of this.#connections) {
      if (!this.#options.memory.over) return
      connection.relieve()
    }
  }

  #connectionClosed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onNoConnections?.()
  }

  /**
   * Accepts no more; exchanges under way are finished, idle connections closed. Resolves when no
   * connection is left; what is after `graceMs` is cut.
   *
   * @param idleMs idle connections have that long for one more request, where another server goes
   * on: one that is closed may just have been sent a request, which its client cannot know to be
   * lost
   */
  async stop(graceMs: number, idleMs = 0): Promise<void> {
    const until = performance.now() + graceMs
    this.#context.stopping = true
    this.#context.patient = idleMs > 0
    await this.#takeWhatHasCome()
    for (const { server } of this.#servers) server.close()
    if (idleMs > 0) await this.#noConnections(Math.min(idleMs, graceMs))
    this.closeIdle()
    await this.#noConnections(Math.max(0, until - performance.now()))
    for (const connection of this.#connections) connection.destroy()
    for (const socket of this.#turnedAway) socket.destroy()
    // Handlers hear of their end a turn later, and close what they have.
    await this.#noConnections(LAST_MS)
  }

  /** Ends the patience of a {@link stop} under way. */
  closeIdle(): void {
    this.#context.patient = false
    // When what has arrived has been read.
    setImmediate(() => {
      for (const connection of this.#connections) connection.closeWhenIdle()
    })
  }

  /** Resolves when no connection is left, or after that many milliseconds. */
  async #noConnections(withinMs: number): Promise<void> {
    if (this.#connections.size === 0) return
    let timer: NodeJS.Timeout
    await new Promise<void>((resolve) => {
      this.#onNoConnections = resolve
      timer = setTimeout(resolve, withinMs)
    })
    clearTimeout(timer!)
  }

  /**
   * Accepts and reads what the kernel holds for us: a client that has sent its request does not
   * know that we are about to close. What is accepted in one turn of the event loop is read in the
   * next.
   */
  async #takeWhatHasCome(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await nextTurn()
  }
}

/**
 * How many of those who are turned away may take their time: what they hold is taken off what
 * connections may have.
 */
export function mostTurnedAway(descriptors: number): number {
  return Math.max(SPARE_DESCRIPTORS, Math.min(MOST_TURNED_AWAY, Math.floor(descriptors / 16)))
}
