import type { Socket } from 'node:net'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import type { Receiver } from '../transport/accept-sockets.ts'
import type { Deadlines } from './deadlines.ts'
import type { RequestHandler } from './exchange.ts'
import type { IdleConnections, IdleMember } from './idle-connections.ts'
import type { HeadLimits } from './limits.ts'
import type { Refusal } from './refusal.ts'
import type { Rates, Timeouts } from './timeouts.ts'

/** A version of HTTP, as the server sees it: `h1/protocol.ts` is one. */
export interface Protocol {
  /**
   * Takes over a new connection. A protocol may look at the socket and choose another one, for
   * example by what the client asked for in its TLS handshake (ALPN).
   */
  connect(socket: Socket, context: ConnectionContext): Connection
  /**
   * Writes the answer for a connection that is turned away, because there are too many. The server
   * ends the connection after it.
   */
  turnAway(socket: Socket): void
}

/** What a {@link SecureGate} tells the server. */
export interface GateHost {
  /** The handshake is done: `connection` takes its place. */
  secured(handshake: Connection, connection: Connection): void
  /** Writes an answer, and ends the connection without waiting for more. */
  turnAway(socket: Socket, answer: string): void
}

/** Makes the connections of a listener secure before a protocol takes them over. */
export interface SecureGate {
  /** Begins the handshake of a new connection, which is a connection of the server until then. */
  connect(socket: Socket, context: ConnectionContext, host: GateHost): Connection
}

/** What a {@link HeaderGate} tells the server. */
export interface HeaderHost {
  /** The connection goes on without TLS, so an answer can be read. */
  readonly plain: boolean
  /** The header is read, or there is none: hands the socket on to what takes its place. */
  proceed(awaited: Connection, socket: Socket): Connection
  /** See {@link GateHost.turnAway}. */
  turnAway(socket: Socket, answer: string): void
}

/** Takes from each connection what comes before TLS and HTTP: a header of the PROXY protocol. */
export interface HeaderGate {
  /** Whether connections from this address begin with a header; `''` for a unix socket. */
  expects(remoteAddress: string): boolean
  /** Begins to read, and is a connection of the server until there is another one. */
  connect(socket: Socket, context: ConnectionContext, host: HeaderHost): Connection
}

/**
 * What a connection speaks: a version of HTTP, or nothing yet (a handshake of TLS, a header of the
 * PROXY protocol, a first line that decides between versions).
 */
export type ConnectionKind = 'http1' | 'http2' | 'opening'

/** A request that has arrived and is not answered, for whoever asks the running server. */
export interface RequestInProgress {
  /** See `RequestHead.requestLine`. */
  readonly requestLine: string
  /** Since its head was complete, in seconds; a quarter of a second is as exact as it is. */
  readonly seconds: number
  /** All of the answer was given; only the client is waited for. */
  readonly answered: boolean
}

/**
 * A client's connection, as the server sees it. It registers itself with the `deadlines` and the
 * `idle` list of its context, and calls `closed` when it is gone.
 */
export interface Connection extends Receiver, IdleMember<Connection> {
  /** What it speaks, for metrics. */
  readonly kind: ConnectionKind
  /** Its place among the connections of the server, which writes it; -1 at first. */
  serverPlace: number
  /** No request is being read or answered, so closing it loses nothing. */
  readonly idle: boolean
  /** Ends the connection at once if it is idle, otherwise after what is under way. */
  closeWhenIdle(): void
  /**
   * Ends an idle connection at once. Call it after the event loop's poll phase, when all sockets
   * have just been read: a request that has arrived and was not read would be lost.
   */
  closeIdle(): void
  /** Ends the connection now. */
  destroy(): void
  /**
   * Call it when no memory is left. Disconnects the client if it holds some and has made hardly any
   * progress since the last call, which was at least a second ago.
   */
  relieve(): void
  /** Its requests at this moment. */
  inProgress(): readonly RequestInProgress[]
}

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly limits: HeadLimits
  readonly timeouts: Timeouts
  readonly rates: Rates
  /** Counts the memory that is held for clients. */
  readonly memory: MemoryBudget
  /** The value of the `Server` field, or '' for none. */
  readonly serverName: string
  readonly deadlines: Deadlines
  /** The connections that wait for a request. */
  readonly idle: IdleConnections<Connection>
  readonly handler: RequestHandler
  /** Called for each refused message. */
  readonly refused: (refusal: Refusal) => void
  /** Called when another protocol takes over a connection, before it is called for any other. */
  readonly replaced: (connection: Connection, by: Connection) => void
  /** Called for each connection that is gone. */
  readonly closed: (connection: Connection) => void
  /** Set when the server is stopping: connections end after the exchange under way. */
  stopping: boolean
  /**
   * While the server is stopping: idle connections stay open for one more request, whose answer
   * announces the end of the connection.
   */
  patient: boolean
}
