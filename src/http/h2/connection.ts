import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Span } from '../../bytes/span.ts'
import { bytesUnsent, startReading } from '../../transport/node-internals.ts'
import { reset } from '../../transport/reset.ts'
import { ClientConnection } from '../client-connection.ts'
import type {
  Connection,
  ConnectionContext,
  ConnectionKind,
  RequestInProgress,
} from '../connection.ts'
import { type Deadlined, NEVER } from '../deadlines.ts'
import { HttpError } from '../errors.ts'
import { Members } from '../members.ts'
import { type Outlet, WriteDeadline } from '../write-deadline.ts'
import { AbuseWatch, attackIn, PING_SIZE } from './abuse.ts'
import { EndedSessionWatch } from './ended-session.ts'
import { type ExchangeOwner, H2Exchange } from './exchange.ts'
import { HeadReader } from './head-reader.ts'
import { H2RequestHead } from './request-head.ts'

/** The code of refusals because a client costs more than its requests. */
const HTTP2_FLOOD = 'http2-flood'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants

/** A GOAWAY without an error: streams of any number are still accepted (RFC 9113 §6.8). */
const SHUTDOWN_NOTICE = Buffer.from('0000080700000000007fffffff00000000', 'hex')
/** How long a client may take to answer the PING that follows the first GOAWAY, in seconds. */
const DRAIN_SECONDS = 1
/** How long a connection may take to end when nothing is under way, in seconds. */
const ENDING_SECONDS = 5
/** The same while the server stops. */
const ENDING_SECONDS_STOPPING = 1

/** What a head and its frame are counted with: they say nothing of who takes a body. */
const HEAD_SHARE = 256
/** What frames and TLS may add to a body, as a share of it. */
const FRAMING_SHARE = 1 / 16

/** What an exchange is found by, on its stream. */
const EXCHANGE = Symbol('exchange')
type Owned = ServerHttp2Stream & { [EXCHANGE]?: H2Exchange }

function streamClosed(this: Owned): void {
  this[EXCHANGE]!.closed()
}

function ignore(): void {}

/**
 * An HTTP/2 connection (RFC 9113). Node's `http2` reads and writes the frames; this class hands
 * each request to the handler, watches over time and memory, and ends the connection so that no
 * request is lost.
 */
export class H2Connection
  extends ClientConnection
  implements Connection, Deadlined, Outlet, ExchangeOwner
{
  readonly context: ConnectionContext

  readonly #socket: Socket
  readonly #session: ServerHttp2Session
  readonly #exchanges = new Members<'exchangePlace', H2Exchange>('exchangePlace')
  readonly #heads: HeadReader
  readonly #openedAt = Date.now()
  /** When the next request must have come; while a connection ends, when it must be gone. */
  #deadline: number
  readonly #writeDeadline: WriteDeadline
  readonly #abuse: AbuseWatch
  readonly #endedSession = new EndedSessionWatch()
  #drains = false
  /** The second GOAWAY is sent: no further request is taken. */
  #ends = false
  #clientEnded = false
  /** Bytes that have left and are not {@link partsTaken}, of exchanges that are over. */
  #counted = 0
  /** What the client had taken at the last tick, if it has ended. */
  #takenThen = -1
  /** When it must have taken more, if it has ended. */
  #takesUntil = NEVER

  constructor(socket: Socket, context: ConnectionContext, options: ServerOptions) {
    super(socket)
    const { deadlines, timeouts, rates } = context
    this.context = context
    this.#socket = socket
    this.#heads = new HeadReader(context.limits)
    this.#writeDeadline = new WriteDeadline(deadlines, timeouts, rates, this)
    this.#abuse = new AbuseWatch(deadlines.now)
    deadlines.add(this)
    this.#deadline = deadlines.in(timeouts.header)
    context.idle.addSilent(this)
    socket.on('error', ignore) // 'close' follows and does what is to be done
    socket.on('end', () => this.#end())
    // The session is gone, and does not read any more: the end must be seen all the same.
    socket.on('finish', () => startReading(socket))
    socket.on('close', () => this.#closed())
    const session = performServerHandshake(socket, options)
    this.#session = session
    // The types of Node.js lack the last argument.
    const begin = (stream: Owned, _: unknown, flags: number, raw?: readonly string[]) =>
      this.#begin(stream, flags, raw!)
    session.on('stream', begin)
    session.on('error', (error) => this.#failed(error))
    session.on('goaway', () => this.#finish())
    session.on('ping', () => this.#abuse.ping())
    session.on('remoteSettings', () => this.#abuse.settings())
  }

  get kind(): ConnectionKind {
    return 'http2'
  }

  get partsTaken(): number {
    let whole = 0
    for (const exchange of this.#exchanges) whole += exchange.taken
    return this.taken - whole * (1 + FRAMING_SHARE) - this.#counted
  }

  countParts(bytes: number): void {
    this.#counted += bytes
  }

  get blocked(): boolean {
    return bytesUnsent(this.#socket) > 0
  }

  get idle(): boolean {
    return this.#exchanges.size === 0
  }

  override inProgress(): readonly RequestInProgress[] {
    return Array.from(this.#exchanges, (exchange) => exchange.inProgress())
  }

  /** What comes after the session is gone is dropped. */
  received(_bytes: Span): void {}

  #begin(stream: Owned, flags: number, raw: readonly string[]): void {
    stream.on('error', ignore) // 'close' follows
    // The client has reset it in the bytes that were read with its head.
    if (stream.destroyed) return this.#wasReset()
    const head = new H2RequestHead()
    const exchange = new H2Exchange(this, stream, head)
    stream[EXCHANGE] = exchange
    stream.on('close', streamClosed)
    this.idleIn?.delete(this)
    if (!this.#drains) this.#deadline = NEVER
    this.#exchanges.add(exchange)
    try {
      this.#heads.read(head, raw, (flags & NGHTTP2_FLAG_END_STREAM) === 0)
      this.#abuse.request(head.bytes.length)
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      exchange.refuseMessage(error)
      return
    }
    if (this.context.stopping) this.drain()
    exchange.begin()
  }

  bodyReceived(bytes: number): void {
    this.#abuse.body(bytes)
  }

  exchangeClosed(exchange: H2Exchange, wasReset: boolean): void {
    this.#exchanges.delete(exchange)
    this.#counted += exchange.taken * (1 + FRAMING_SHARE) + HEAD_SHARE
    if (wasReset) this.#wasReset()
    // A connection that is gone is not idle: it could make no place for another.
    if (this.#exchanges.size > 0 || this.#socket.destroyed) return
    const { deadlines, timeouts, idle } = this.context
    if (this.#ends || this.#clientEnded) return this.#finish()
    if (timeouts.keepAlive === 0) this.drain()
    if (this.#drains) return
    this.#deadline = deadlines.in(timeouts.keepAlive)
    idle.add(this)
  }

  /** The client has closed its direction of the connection. */
  #end(): void {
    this.#clientEnded = true
    if (this.idle) return this.#finish()
    for (const exchange of this.#exchanges) exchange.clientEnded()
  }

  // ---------------------------------------------------------------- deadlines and memory

  checkDeadlines(now: number): void {
    let waits = false
    for (const exchange of this.#exchanges) {
      exchange.checkDeadlines(now)
      if (exchange.waits) waits = true
    }
    if (this.#clientEnded) this.#breakOffStalled(now)
    const attack = this.#abuse.look(now, this.#socket)
    if (attack !== null) this.#attacked(attack)
    else if (!this.blocked && this.#endedSession.look(this.#socket, this.#ping)) {
      const reason = 'the client broke the rules of HTTP/2, and was told so with a GOAWAY'
      this.#report(400, reason, 'http2-rule')
      this.#session.destroy()
    }
    if (this.context.stopping) this.drain()
    if (this.#deadline <= now) this.#deadlinePassed()
    const { blocked } = this
    if (blocked || (waits && this.context.rates.write > 0)) this.#writeDeadline.watch()
    else this.#writeDeadline.clear()
    if (this.#writeDeadline.at <= now) this.#takenTooSlowly(blocked)
  }

  #takenTooSlowly(blocked: boolean): void {
    const reason = this.#writeDeadline.passed()
    if (reason === null) return
    if (blocked) {
      this.#report(408, reason, 'slow-reader')
      reset(this.#socket)
    } else for (const exchange of this.#exchanges) if (exchange.waits) exchange.breakOffSlow(reason)
  }

  readonly #ping = (answered: (bytes: number) => void): boolean => {
    const session = this.#session
    if (session.destroyed) return false
    return session.ping((error) => {
      if (error === null) answered(PING_SIZE)
    })
  }

  /**
   * A client that has ended opens no windows: what waits for one never leaves. Through TLS, Node
   * does not always say that a client is gone which has ended before, so that what was written to
   * it would seem to be under way until the write timeout.
   */
  #breakOffStalled(now: number): void {
    const { taken } = this
    if (taken !== this.#takenThen) {
      this.#takenThen = taken
      this.#takesUntil = this.context.deadlines.in(ENDING_SECONDS)
    } else if (!this.blocked) for (const exchange of this.#exchanges) exchange.breakOffStalled()
    else if (this.tls !== null && this.#takesUntil <= now) this.#socket.destroy()
  }

  #deadlinePassed(): void {
    this.#deadline = NEVER
    if (this.#ends) this.#socket.destroy()
    else if (this.#drains) this.#finish()
    // By then, everything that arrived in the meantime has been read.
    else setImmediate(() => this.#idleTooLong())
  }

  #idleTooLong(): void {
    if (this.idle && this.#deadline === NEVER) this.closeIdle()
  }

  relieve(): void {
    for (const exchange of this.#exchanges) exchange.relieve()
  }

  // ---------------------------------------------------------------- ending

  /**
   * Ends the connection after what is under way. A first GOAWAY tells the client to open no more
   * streams here. Those that it has opened by then are answered: only when it has answered a PING,
   * a second GOAWAY says which stream was the last (RFC 9113 §6.8).
   *
   * Node's session takes no stream any more when it has sent a GOAWAY, so the first one is written
   * past it, between two of its frames. That is not possible through TLS. There, the only GOAWAY
   * names the last stream at once, so that the client sends later ones elsewhere.
   */
  drain(): void {
    if (this.#drains) return
    this.#drains = true
    this.idleIn?.delete(this)
    const session = this.#session
    if (this.tls !== null || session.destroyed || session.closed) return this.#finish()
    this.#socket.write(SHUTDOWN_NOTICE)
    this.#deadline = this.context.deadlines.in(DRAIN_SECONDS)
    if (!session.ping(() => this.#finish())) this.#finish()
  }

  closeWhenIdle(): void {
    this.drain()
  }

  closeIdle(): void {
    this.#finish()
  }

  /** Takes no more streams, and ends the connection when none is left. */
  #finish(): void {
    const { deadlines, stopping } = this.context
    this.#drains = true
    this.idleIn?.delete(this)
    if (!this.#ends) {
      this.#ends = true
      this.#endedSession.expectGoaway(this.#socket.bytesWritten)
      this.#session.close()
    }
    this.#deadline =
      this.#exchanges.size > 0
        ? NEVER
        : deadlines.in(stopping ? ENDING_SECONDS_STOPPING : ENDING_SECONDS)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #failed(error: Error): void {
    const { code } = error as NodeJS.ErrnoException
    // That is what the client says of us.
    if (code?.startsWith('ERR_HTTP2') !== true || code === 'ERR_HTTP2_SESSION_ERROR') return
    const attack = attackIn(error)
    const reason = attack ?? `the client broke the rules of HTTP/2: ${error.message}`
    this.#report(400, reason, attack === null ? 'http2-rule' : HTTP2_FLOOD)
  }

  /** A stream was reset by the client, or because of it. */
  #wasReset(): void {
    if (this.#socket.destroyed || this.#session.destroyed) return
    const attack = this.#abuse.reset(this.context.deadlines.now)
    if (attack !== null) this.#attacked(attack)
  }

  #attacked(attack: string): void {
    if (this.#session.destroyed) return
    this.#report(400, attack, HTTP2_FLOOD)
    // Without an error, Node.js sends the code only if the error is null, which its types lack.
    this.#session.destroy(null as unknown as undefined, NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #report(status: number, reason: string, code: string): void {
    this.context.refused({
      peer: this,
      status,
      reason,
      code,
      requestLine: '',
      gaveUp: false,
      begun: false,
      startedAt: this.#openedAt,
    })
  }

  #closed(): void {
    this.#session.destroy()
    this.idleIn?.delete(this)
    this.context.deadlines.delete(this)
    for (const exchange of this.#exchanges) exchange.closed()
    this.context.closed(this)
  }
}
