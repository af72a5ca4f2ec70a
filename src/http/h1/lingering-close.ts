import type { Socket } from 'node:net'
import type { ConnectionContext } from '../connection.ts'
import { NEVER } from '../deadlines.ts'

/**
 * After the last answer of a connection, how much is read and thrown away, and for how long, before
 * it is cut.
 */
const LINGER_BYTES = 256 * 1024 * 1024
const LINGER_SECONDS = 5
/**
 * When the server stops, a client that sends nothing for this long has nothing on its way that a
 * reset would answer: the end need not wait for it.
 */
const LINGER_SECONDS_STOPPING = 1

/**
 * The end of a connection: ends our side and lets the client finish its own. Closing a socket with
 * unread bytes makes the kernel send a reset, which may destroy the answer before the client has
 * read it (RFC 9112 §9.6).
 */
export class LingeringClose {
  /** The next moment to call {@link passed}, on the clock of `Deadlines`. */
  at = NEVER
  /** The connection is ending: what arrives is dropped. */
  begun = false
  readonly #socket: Socket
  readonly #context: ConnectionContext
  #until = NEVER
  /** Bytes that were dropped. */
  #dropped = 0

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket
    this.#context = context
  }

  begin(): void {
    const socket = this.#socket
    this.begun = true
    this.#linger()
    if (socket.readableEnded) socket.destroySoon()
    else socket.end()
    if (socket.isPaused()) socket.resume()
  }

  /** The client sent more. */
  received(bytes: number): void {
    this.#dropped += bytes
    if (this.#dropped > LINGER_BYTES) this.#socket.destroy()
    else this.awaitClientEnd()
  }

  /** Gives the client a moment to end its side; less of it if the server is stopping. */
  awaitClientEnd(): void {
    const { deadlines, stopping } = this.#context
    this.at = stopping ? Math.min(this.#until, deadlines.in(LINGER_SECONDS_STOPPING)) : this.#until
  }

  passed(): void {
    this.at = NEVER
    // A client that reads slowly still has to get what is queued. The write timeout watches over
    // that.
    if (this.#socket.writableLength > 0) this.#linger()
    else this.#socket.destroy()
  }

  #linger(): void {
    this.#until = this.#context.deadlines.in(LINGER_SECONDS)
    this.awaitClientEnd()
  }
}
