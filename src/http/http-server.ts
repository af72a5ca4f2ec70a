import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { acceptSockets } from '../sockets/accept-sockets.ts'
import { Connection, type ConnectionContext, type Refusal } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import type { RequestHandler } from './exchange.ts'

/** What a server is made of. */
export interface HttpServerOptions
  extends Pick<ConnectionContext, 'limits' | 'timeouts' | 'rates' | 'memory' | 'serverLine'> {
  readonly handler: RequestHandler
  /** Connections beyond that many are answered 503; 0 for no limit. */
  readonly maxConnections: number
  /** Hears of every message that was refused, for the logs. */
  readonly refused: (refusal: Refusal) => void
  /** Hears that connections are turned away, once a second at most. */
  readonly turnsAway: () => void
}

const OVER_LIMIT =
  'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\nRetry-After: 1\r\nConnection: close\r\n\r\n503 Service Unavailable\n'
/** Being over `maxConnections` is told this often at most. */
const TELL_EVERY_MS = 1000
/** A connection over `maxConnections` has this long to take its 503 and to close … */
const TURN_AWAY_MS = 1000
/** … unless there are this many of them. */
const MOST_TURNED_AWAY = 256
/** Connections that are cut are gone at once; this is for one that is not. */
const LAST_MS = 500

/** Listens, accepts, and owns the connections: the HTTP engine as a whole, whoever answers the requests. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #context: ConnectionContext
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection>()
  readonly #turnedAway = new Set<Socket>()
  #toldAt = 0
  #onNoConnections: (() => void) | null = null

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#context = {
      limits: options.limits,
      timeouts: options.timeouts,
      rates: options.rates,
      memory: options.memory,
      serverLine: options.serverLine,
      deadlines: new Deadlines(),
      handler: options.handler,
      refused: options.refused,
      closed: (connection) => this.#connectionClosed(connection),
      stopping: false,
      patient: false,
    }
  }

  /**
   * Accepts connections where `where` says: an address to bind, or a descriptor that listens already.
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
        acceptSockets(server, (socket) => this.#accept(socket))
        server.on('error', failed)
        resolve(server)
      })
      this.#servers.push(server)
    })
  }

  #accept(socket: Socket): Connection | null {
    // Gone before it could be asked who it was. Without this it would pass for a client of a unix socket, which is trusted.
    if (socket.remoteAddress === undefined && socket.localAddress !== undefined) {
      socket.destroy()
      return null
    }
    const { maxConnections } = this.#options
    if (maxConnections !== 0 && this.#connections.size >= maxConnections) {
      this.#turnAway(socket)
      const now = performance.now()
      if (now - this.#toldAt > TELL_EVERY_MS) {
        this.#toldAt = now
        this.#options.turnsAway()
      }
      return null
    }
    const connection = new Connection(socket, this.#context)
    this.#connections.add(connection)
    return connection
  }

  /** Answers 503. What the client still sends is dropped for a while: closing over unread bytes may destroy the answer (RFC 9112 §9.6). */
  #turnAway(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#turnedAway.size >= MOST_TURNED_AWAY) {
      socket.end(OVER_LIMIT, 'latin1', () => socket.destroy())
      return
    }
    this.#turnedAway.add(socket)
    const timer = setTimeout(() => socket.destroy(), TURN_AWAY_MS)
    socket.on('end', () => socket.destroySoon())
    socket.on('close', () => {
      clearTimeout(timer)
      this.#turnedAway.delete(socket)
    })
    socket.end(OVER_LIMIT, 'latin1')
    socket.resume()
  }

  #connectionClosed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onNoConnections?.()
  }

  /**
   * Accepts no more; exchanges under way are finished, idle connections closed. Resolves when no connection is left; what is after
   * `graceMs` is cut.
   *
   * @param idleMs idle connections have that long for one more request, where another server goes on: one that is closed
   *   may just have been sent a request, which its client cannot know to be lost
   */
  async stop(graceMs: number, idleMs = 0): Promise<void> {
    const until = performance.now() + graceMs
    this.#context.stopping = true
    this.#context.patient = idleMs > 0
    await this.#takeWhatHasCome()
    for (const server of this.#servers) server.close()
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
    for (const connection of this.#connections) connection.closeWhenIdle()
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
   * Accepts and reads what the kernel holds for us: a client that has sent its request does not know that we are about to close. What is
   * accepted in one turn of the event loop is read in the next.
   */
  async #takeWhatHasCome(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await setImmediate()
  }
}
