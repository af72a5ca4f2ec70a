import type { Socket } from 'node:net'
import type { Span } from '../../bytes/span.ts'
import { FirstRecord } from '../../transport/tls/first-record.ts'
import type { SecureContexts } from '../../transport/tls/secure-contexts.ts'
import {
  CLIENT_LEFT,
  type HandshakeOwner,
  ServerHandshake,
} from '../../transport/tls/server-handshake.ts'
import type {
  Connection,
  ConnectionContext,
  ConnectionKind,
  GateHost,
  Protocol,
} from '../connection.ts'
import { type Deadlined, NEVER } from '../deadlines.ts'
import { ListedConnection } from '../listed-connection.ts'

/**
 * What a handshake counts as held memory once it has begun, in bytes: OpenSSL's state and the
 * sockets around it. Measured: 51 to 54 KiB, and 74 KiB with the longest ClientHello; see decision
 * 077.
 */
const HANDSHAKE_BYTES = 80 * 1024
/** The same for the client's certificates, of which OpenSSL takes 100 KiB (`max_cert_list`). */
const CERTIFICATES_BYTES = 100 * 1024

/** Who began a handshake. */
export interface HandshakeGuard {
  readonly contexts: SecureContexts
  /** How long a handshake may take, in seconds; 0 for any time. */
  readonly timeout: number
  /** What a client that speaks plain HTTP is answered. */
  readonly plainAnswer: string
  /** The protocol for a name in ALPN; null if the client named none. */
  protocolFor(alpn: string | null): { readonly protocol: Protocol; readonly whole: boolean }
  /** Its first record is here: calls {@link PendingHandshake.begin} in its turn. */
  ready(handshake: PendingHandshake): void
  /** A handshake is done: somebody reads the socket. */
  secured(socket: Socket, context: ConnectionContext): void
  /** It is over. `reason` is null unless it failed. */
  over(handshake: PendingHandshake, reason: HandshakeFailure | null): void
}

/** Why a handshake failed, and which kind of entry that is in the log. */
export interface HandshakeFailure {
  readonly kind: 'failed' | 'plain' | 'left' | 'overdue'
  readonly reason: string
}

/** A connection to a listener with TLS, until its handshake is done. */
export class PendingHandshake
  extends ListedConnection
  implements Connection, Deadlined, HandshakeOwner
{
  /** No request can be lost with it. */
  readonly idle = true
  readonly remoteAddress: string
  /** When it was accepted, on the clock of `Deadlines`. */
  readonly #since: number

  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #guard: HandshakeGuard
  readonly #host: GateHost
  readonly #first = new FirstRecord()
  #handshake: ServerHandshake | null = null
  #deadline: number
  #held = 0
  #over = false
  /** The first record is here, or will never be. */
  #taken = false

  constructor(socket: Socket, context: ConnectionContext, guard: HandshakeGuard, host: GateHost) {
    super()
    this.#socket = socket
    this.#context = context
    this.#guard = guard
    this.#host = host
    this.remoteAddress = socket.remoteAddress ?? ''
    this.#since = context.deadlines.now
    this.#deadline = context.deadlines.in(guard.timeout)
    context.deadlines.add(this)
    context.idle.addSilent(this)
    socket.on('error', () => {})
    socket.on('end', () => this.#left())
    socket.on('close', () => this.#left())
  }

  get kind(): ConnectionKind {
    return 'opening'
  }

  /** It is done, or has failed. */
  get isOver(): boolean {
    return this.#over
  }

  received(bytes: Span): void {
    if (this.#over || this.#taken) return
    const opening = this.#first.take(bytes)
    this.#count(this.#first.held)
    if (opening === 'record') {
      this.#taken = true
      this.#guard.ready(this)
      // What comes next is for OpenSSL, which begins to read when it is this one's turn.
      if (this.#handshake === null && !this.#over) this.#socket.pause()
    } else if (opening === 'incomplete') {
      if (this.#context.memory.full) this.#fail({ kind: 'overdue', reason: NO_MEMORY })
    } else if (opening === 'plain') this.#answerPlain()
    else if (opening === 'long')
      this.#fail({ kind: 'failed', reason: 'its ClientHello is longer than 16 KiB' })
    else this.#fail({ kind: 'failed', reason: 'what it sent is not TLS' })
  }

  /** Begins with the handshake itself, which costs a private key's use. */
  begin(): void {
    if (this.#over) return
    const asks = this.#guard.contexts.asksForCertificates
    this.#count(HANDSHAKE_BYTES + (asks ? CERTIFICATES_BYTES : 0))
    const { bytes } = this.#first
    this.#first.clear()
    this.#handshake = new ServerHandshake(this.#socket, bytes, this.#guard.contexts, this)
    this.#handshake.begin(bytes)
  }

  secured(): void {
    const handshake = this.#handshake!
    const { protocol, whole } = this.#guard.protocolFor(handshake.alpn)
    this.#end(null)
    const taken = handshake.handOver((socket) => {
      const connection = protocol.connect(socket, this.#context)
      this.#host.secured(this, connection)
      this.#guard.secured(socket, this.#context)
      return connection
    }, whole)
    if (!taken) this.#context.closed(this)
  }

  failed(reason: string): void {
    this.#end({ kind: reason === CLIENT_LEFT ? 'left' : 'failed', reason })
    this.#context.closed(this)
  }

  checkDeadlines(now: number): void {
    if (this.#deadline <= now)
      this.#fail({
        kind: 'overdue',
        reason: `it did not finish within ${this.#guard.timeout} s (handshake_timeout)`,
      })
  }

  closeWhenIdle(): void {
    this.destroy()
  }

  closeIdle(): void {
    this.destroy()
  }

  destroy(): void {
    this.#fail(null)
  }

  relieve(): void {
    if (this.#held > 0 && this.#context.deadlines.now - this.#since > RELIEVED_AFTER_MS)
      this.#fail({ kind: 'overdue', reason: NO_MEMORY })
  }

  /** Gives it up for one that comes later. */
  giveUp(): void {
    this.#fail({ kind: 'overdue', reason: 'it was given up for others' })
  }

  #left(): void {
    // After that, the handshake notices.
    if (this.#handshake === null && !this.#over)
      this.#fail(this.#first.held === 0 ? null : { kind: 'left', reason: CLIENT_LEFT })
  }

  /** Answers as nginx does, and ends the connection without waiting for the whole request. */
  #answerPlain(): void {
    this.#end({ kind: 'plain', reason: 'it spoke plain HTTP, and was answered 400' })
    this.#context.closed(this)
    this.#host.turnAway(this.#socket, this.#guard.plainAnswer)
  }

  #fail(failure: HandshakeFailure | null): void {
    if (this.#over) return
    this.#end(failure)
    this.#context.closed(this)
    if (this.#handshake === null) this.#socket.destroy()
    else this.#handshake.destroy()
  }

  #end(failure: HandshakeFailure | null): void {
    this.#over = true
    this.#taken = true
    this.#deadline = NEVER
    this.#first.clear()
    this.#count(0)
    this.idleIn?.delete(this)
    this.#context.deadlines.delete(this)
    this.#guard.over(this, failure)
  }

  #count(held: number): void {
    this.#context.memory.add(held - this.#held)
    this.#held = held
  }
}

const NO_MEMORY = 'there is no memory for it (see client_memory)'
/** When no memory is left, a handshake that takes longer is given up, in milliseconds. */
const RELIEVED_AFTER_MS = 2000
