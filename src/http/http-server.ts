import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { acceptSockets, pauseAccepting } from '../transport/accept-sockets.ts'
import { proxyHeaderOf } from '../transport/proxy-protocol/proxy-header.ts'
import type {
  Connection,
  ConnectionContext,
  ConnectionKind,
  GateHost,
  HeaderGate,
  Protocol,
  RequestInProgress,
  SecureGate,
} from './connection.ts'
import type { ConnectionsPerAddress } from './connections-per-address.ts'
import { Deadlines } from './deadlines.ts'
import type { RequestHandler } from './exchange.ts'
import { GRACE_MS, IdleConnections } from './idle-connections.ts'
import { Members } from './members.ts'
import type { Refusal } from './refusal.ts'

/** The parts and limits of a server. */
export interface HttpServerOptions
  extends Pick<ConnectionContext, 'limits' | 'timeouts' | 'rates' | 'memory' | 'serverName'> {
  /** Takes over each connection, and may choose another protocol for it. */
  readonly protocol: Protocol
  readonly handler: RequestHandler
  /**
   * With this many connections, idle ones are closed for new ones; if none is idle, new ones are
   * answered 503. 0 disables the limit.
   */
  readonly maxConnections: number
  /** Takes a header from the beginning of each connection. */
  readonly header?: HeaderGate | null
  /** Limits the connections of each address. */
  readonly perAddress?: ConnectionsPerAddress | null
  /**
   * The number of file descriptors that this process may have open; Infinity if it is not known.
   * Close to it, the server does the same as at `maxConnections`. Beyond it, the kernel cannot hand
   * out a connection, and libuv closes it without reporting that.
   */
  readonly descriptors?: number
  /** Called for each refused message. */
  readonly refused: (refusal: Refusal) => void
  /** Called for each connection that is turned away, with the reason and the client's address. */
  readonly turnsAway: (why: Shortage, address: string) => void
  /**
   * Called for each connection that comes when descriptors are nearly used up, whether or not it is
   * accepted.
   */
  readonly scarce?: () => void
  /** Called when every attempt to accept fails: nothing more can be accepted here. */
  readonly unableToAccept?: () => void
}

/** What a new connection lacked. */
export type Shortage = 'connections' | 'descriptors' | 'address'

/** A connection over `maxConnections` has this long to take its 503 and to close … */
const TURN_AWAY_MS = 1000
/** … unless there are this many of them. */
const MOST_TURNED_AWAY = 256
/** Descriptors that stay free, for files and for connections that are turned away. */
const SPARE_DESCRIPTORS = 16
/**
 * After this many failed attempts in a row, the server stops accepting. Otherwise libuv would keep
 * trying, and nothing else would run.
 */
const MOST_FAILURES = 64
/** Node's default. */
const DEFAULT_BACKLOG = 511
/** How long to wait for connections that were destroyed, which are usually gone at once. */
const LAST_MS = 500
/** A server that stops has taken all connections after so many turns without a new one … */
const QUIET_TURNS = 3
/** … of which the last was as short as this, … */
const SHORT_TURN_MS = 0.2
/** … or when that time is over: under a flood there is no such turn. */
const TAKE_WITHIN_MS = 500

/**
 * Listens, accepts, and owns the connections: the HTTP engine as a whole. The handler answers the
 * requests.
 */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #context: ConnectionContext
  readonly #servers: { readonly server: Server; readonly backlog: number }[] = []
  /** Accepts again; null while it has not been paused. */
  #resumes: (() => void)[] | null = null
  readonly #connections = new Members<'serverPlace', Connection>('serverPlace')
  readonly #turnedAway = new Set<Socket>()
  readonly #perAddress: ConnectionsPerAddress | null
  #maxConnections: number
  #mostTurnedAway: number
  /**
   * An accepted socket with this descriptor or a higher one means that they are nearly used up,
   * because the kernel gives out the lowest.
   */
  #scarceFrom: number
  /**
   * Idle connections that were replaced in this turn of the event loop. They are closed at the end
   * of it.
   */
  readonly #replaced: Connection[] = []
  #failures = 0
  /** How many connections have been accepted, those that were turned away included. */
  #accepted = 0
  #onNoConnections: (() => void) | null = null

  constructor(options: HttpServerOptions) {
    this.#options = options
    const { maxConnections, descriptors = Number.POSITIVE_INFINITY } = options
    this.#perAddress = options.perAddress ?? null
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
      replaced: (connection, by) => {
        this.#connections.delete(connection)
        this.#connections.add(by)
      },
      closed: (connection) => this.#connectionClosed(connection),
      stopping: false,
      patient: false,
    }
  }

  /**
   * Accepts connections.
   *
   * @param where an address to bind, or a descriptor that listens already
   * @param failed called for each connection that could not be accepted
   * @param gate makes the connections secure; without it, they are plain
   * @returns the listening socket, which {@link stop} closes
   */
  listen(
    where: ListenOptions & { fd?: number },
    failed: (error: Error) => void,
    gate: SecureGate | null = null,
  ): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true })
      server.once('error', reject)
      server.listen(where, () => {
        server.off('error', reject)
        acceptSockets(server, (socket, descriptor) => this.#accept(socket, descriptor, gate))
        server.on('error', (error) => this.#notAccepted(server, error, failed))
        resolve(server)
      })
      this.#servers.push({ server, backlog: where.backlog ?? DEFAULT_BACKLOG })
    })
  }

  #accept(socket: Socket, descriptor: number, gate: SecureGate | null): Connection | null {
    this.#failures = 0
    this.#accepted++
    // The client left before its address could be read. Without this check, it would be taken for
    // a client of a unix socket, which is trusted.
    if (socket.remoteAddress === undefined && socket.localAddress !== undefined) {
      socket.destroy()
      return null
    }
    // At once, so that it costs the server as little as possible.
    const header = this.#options.header ?? null
    // The header tells whose connection it is.
    const named = header?.expects(socket.remoteAddress ?? '')
    if (this.#perAddress !== null && !named && !this.#perAddress.admit(socket)) {
      const address = socket.remoteAddress ?? ''
      if (gate !== null) socket.destroy()
      else this.#turnAwayAtOnce(socket)
      this.#options.turnsAway('address', address)
      return null
    }
    const maxConnections = this.#maxConnections
    const scarce = descriptor >= this.#scarceFrom
    if (scarce) this.#options.scarce?.()
    const over =
      maxConnections === 0 ? -1 : this.#connections.size - this.#replaced.length - maxConnections
    // Connections that were closed, but still have an answer to deliver, may exceed the limit by an
    // eighth. Beyond that they count like others.
    const accepts = over < 0 && !scarce ? true : over <= maxConnections >> 3 && this.#replaceIdle()
    if (!accepts) {
      // An answer would need a handshake, which costs more than the answer.
      if (gate !== null) socket.destroy()
      else if (scarce) this.#turnAwayAtOnce(socket)
      else this.#turnAway(socket)
      this.#options.turnsAway(scarce ? 'descriptors' : 'connections', socket.remoteAddress ?? '')
      return null
    }
    if (header !== null) return this.#awaitHeader(socket, header, gate)
    return this.#connect(socket, gate)
  }

  #connect(socket: Socket, gate: SecureGate | null): Connection {
    const connection =
      gate === null
        ? this.#options.protocol.connect(socket, this.#context)
        : gate.connect(socket, this.#context, this.#gateHost)
    this.#connections.add(connection)
    return connection
  }

  #awaitHeader(socket: Socket, header: HeaderGate, gate: SecureGate | null): Connection {
    const awaited = header.connect(socket, this.#context, {
      plain: gate === null,
      proceed: (before) => {
        const address = proxyHeaderOf(socket)?.clientAddress ?? null
        const connection = this.#connect(socket, gate)
        this.#connectionClosed(before)
        if (address !== null && this.#perAddress?.admit(socket, address) === false) {
          connection.destroy()
          this.#options.turnsAway('address', address)
        }
        return connection
      },
      turnAway: this.#gateHost.turnAway,
    })
    this.#connections.add(awaited)
    return awaited
  }

  readonly #gateHost: GateHost = {
    secured: (handshake, connection) => {
      this.#connections.add(connection)
      this.#connectionClosed(handshake)
    },
    turnAway: (socket, answer) => this.#turnAway(socket, () => socket.write(answer, 'latin1')),
  }

  /**
   * Replaces the connection that has been idle longest, if there is one. It is closed after this
   * turn of the event loop has read what arrived, so that a request that is here already is not
   * lost.
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
      // It has had a request in the meantime, and may be idle again.
      if (connection.idleIn !== null || !connection.idle) spared++
      else connection.closeIdle()
    }
    this.#replaced.length = 0
    this.#closeLongestIdle(spared)
  }

  /** Call it only after what has arrived has been read. */
  #closeLongestIdle(count: number): void {
    for (let left = count; left > 0; left--) this.#context.idle.take()?.closeIdle()
  }

  /** Changes the limits; see {@link HttpServerOptions}. */
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

  /** How many connections have been accepted, those that were turned away included. */
  get accepted(): number {
    return this.#accepted
  }

  /** The connections at this moment, by what they speak and whether they wait for a request. */
  census(): Record<ConnectionKind, { idle: number; active: number }> {
    const counts = {
      http1: { idle: 0, active: 0 },
      http2: { idle: 0, active: 0 },
      opening: { idle: 0, active: 0 },
    }
    for (const connection of this.#connections)
      counts[connection.kind][connection.idle ? 'idle' : 'active']++
    return counts
  }

  /** The requests that have arrived and are not answered. */
  inProgress(): RequestInProgress[] {
    const requests: RequestInProgress[] = []
    for (const connection of this.#connections) requests.push(...connection.inProgress())
    return requests
  }

  get maxConnections(): number {
    return this.#maxConnections
  }

  /**
   * Closes a quarter of the idle connections, at least 16, longest idle first, to free descriptors.
   * @returns how many it closes
   */
  reclaimIdle(): number {
    const { size } = this.#context.idle
    const count = Math.min(size, Math.max(SPARE_DESCRIPTORS, size >> 2))
    if (count > 0) setImmediate(() => this.#closeLongestIdle(count))
    return count
  }

  /**
   * Stops accepting until {@link resume}: new connections wait in the kernel. A second call does
   * nothing.
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
   * Accepting has failed. libuv tries again at once, until it succeeds or the server does not
   * listen any more.
   */
  #notAccepted(server: Server, error: Error, failed: (error: Error) => void): void {
    failed(error)
    if (this.#failures++ === 0) setImmediate(() => (this.#failures = 0))
    const { code } = error as NodeJS.ErrnoException
    // Not at the end of the turn: while libuv tries, the turn does not end.
    if (code === 'EMFILE' || code === 'ENFILE') this.#closeLongestIdle(1)
    if (this.#failures <= MOST_FAILURES || this.#context.stopping || !server.listening) return
    server.close()
    this.#options.unableToAccept?.()
  }

  /**
   * Answers 503, and drops for a while what the client still sends: closing a socket with unread
   * bytes may destroy the answer (RFC 9112 §9.6).
   */
  #turnAway(
    socket: Socket,
    answer: () => void = () => this.#options.protocol.turnAway(socket),
  ): void {
    if (this.#turnedAway.size >= this.#mostTurnedAway) {
      this.#turnAwayAtOnce(socket, answer)
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
    answer()
    socket.end()
    socket.resume()
  }

  /**
   * The same, but frees the descriptor at once. The kernel has the answer when `write` returns.
   */
  #turnAwayAtOnce(
    socket: Socket,
    answer: () => void = () => this.#options.protocol.turnAway(socket),
  ): void {
    socket.on('error', () => {})
    answer()
    socket.destroy()
  }

  /** If no memory is left, disconnects clients that hold some of it and make no progress. */
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
   * Stops accepting, finishes the exchanges under way and closes idle connections. Resolves when no
   * connection is left.
   *
   * @param graceMs connections that are left after this time are destroyed
   * @param idleMs idle connections have this long for one more request. Use it if another server
   * takes over: a client may just have sent a request, and cannot know that it is lost.
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
    // Handlers are told of the end one turn later, and close what they have open.
    await this.#noConnections(LAST_MS)
  }

  /**
   * Ends the `idleMs` of a {@link stop} under way. A connection that is new may still send its
   * request, which is on its way.
   */
  closeIdle(): void {
    const { idle } = this.#context
    this.#context.patient = false
    // After what has arrived has been read.
    setImmediate(() => {
      for (const connection of this.#connections)
        if (!idle.isNew(connection)) connection.closeWhenIdle()
      setTimeout(() => {
        for (const connection of this.#connections) connection.closeWhenIdle()
      }, GRACE_MS).unref()
    })
  }

  /** Resolves when no connection is left, or after `withinMs`. */
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
   * Accepts and reads what the kernel holds: a client that has sent its request does not know that
   * the server is about to close. libuv accepts one connection in a turn of the event loop, which
   * is read in the next. What comes after the last turn has looked is lost, so that is a short one.
   */
  async #takeWhatHasCome(): Promise<void> {
    const until = performance.now() + TAKE_WITHIN_MS
    for (let quiet = 0, began = performance.now(); quiet < QUIET_TURNS; ) {
      const accepted = this.#accepted
      await nextTurn()
      const now = performance.now()
      if (now > until) return
      const last = quiet === QUIET_TURNS - 1
      if (this.#accepted !== accepted) quiet = 0
      else if (!last || now - began < SHORT_TURN_MS) quiet++
      began = now
    }
  }
}

/**
 * How many connections that are turned away may take their time. They use descriptors that
 * connections could have.
 */
export function mostTurnedAway(descriptors: number): number {
  return Math.max(SPARE_DESCRIPTORS, Math.min(MOST_TURNED_AWAY, Math.floor(descriptors / 16)))
}
