import type { Socket } from 'node:net'
import { Span } from '../../bytes/span.ts'
import type { Connection, ConnectionContext, ConnectionKind, Protocol } from '../connection.ts'
import { type Deadlined, NEVER } from '../deadlines.ts'
import { ListedConnection } from '../listed-connection.ts'

/** What a client that knows that the server speaks HTTP/2 sends first (RFC 9113 §3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/**
 * Chooses the protocol of a plain connection by its first bytes: HTTP/2 by prior knowledge (h2c),
 * or another one.
 */
export function byPreface(h2: Protocol, other: Protocol): Protocol {
  return {
    connect: (socket, context) => new UndecidedConnection(socket, context, h2, other),
    turnAway: (socket) => other.turnAway(socket),
  }
}

/** A connection that has not sent enough to tell which protocol it speaks. */
class UndecidedConnection extends ListedConnection implements Connection, Deadlined {
  readonly idle = true
  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #h2: Protocol
  readonly #other: Protocol
  #deadline: number
  /** Part of a preface; null if nothing has come. */
  #begun: Buffer | null = null
  #chosen: Connection | null = null

  constructor(socket: Socket, context: ConnectionContext, h2: Protocol, other: Protocol) {
    super()
    this.#socket = socket
    this.#context = context
    this.#h2 = h2
    this.#other = other
    this.#deadline = context.deadlines.in(context.timeouts.header)
    context.deadlines.add(this)
    context.idle.addSilent(this)
    socket.on('error', this.#failed)
    socket.on('end', this.#ended)
    socket.on('close', this.#closed)
  }

  get takesLent(): boolean {
    return this.#chosen?.takesLent ?? false
  }

  get kind(): ConnectionKind {
    return 'opening'
  }

  received(bytes: Span): void {
    if (this.#chosen !== null) {
      this.#chosen.received(bytes)
      return
    }
    let span = bytes
    if (this.#begun !== null) {
      const both = Buffer.concat([this.#begun, bytes.view()])
      span = new Span().set(both, 0, both.length)
    }
    const length = Math.min(span.length, PREFACE.length)
    if (PREFACE.compare(span.bytes, span.start, span.start + length, 0, length) !== 0)
      this.#choose(this.#other).received(span)
    else if (length < PREFACE.length) this.#begun = Buffer.from(span.view())
    else {
      // Node's session takes what its socket has to read, and what comes later from its handle.
      this.#socket.removeAllListeners('data')
      this.#socket.pause()
      this.#socket.unshift(Buffer.from(span.view()))
      this.#choose(this.#h2)
    }
  }

  #choose(protocol: Protocol): Connection {
    const socket = this.#socket
    const context = this.#context
    socket.off('error', this.#failed)
    socket.off('end', this.#ended)
    socket.off('close', this.#closed)
    this.#leaveLists()
    const chosen = protocol.connect(socket, context)
    context.replaced(this, chosen)
    this.#chosen = chosen
    return chosen
  }

  readonly #failed = () => {} // 'close' follows
  /** Nothing came, or half a preface. */
  readonly #ended = () => void this.#socket.destroy()
  readonly #closed = () => {
    this.#leaveLists()
    this.#context.closed(this)
  }

  #leaveLists(): void {
    this.idleIn?.delete(this)
    this.#context.deadlines.delete(this)
  }

  checkDeadlines(now: number): void {
    if (this.#deadline > now) return
    this.#deadline = NEVER
    this.#socket.destroy()
  }

  closeWhenIdle(): void {
    this.#socket.destroy()
  }

  closeIdle(): void {
    this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  relieve(): void {}
}
