import type { Socket } from 'node:net'
import type { SecureContexts } from '../../transport/tls/secure-contexts.ts'
import type { Connection, ConnectionContext, GateHost, SecureGate } from '../connection.ts'
import {
  type HandshakeFailure,
  type HandshakeGuard,
  PendingHandshake,
} from './pending-handshake.ts'

/** How long a handshake may keep others waiting, in milliseconds. */
const PATIENCE_MS = 1000
/**
 * How long handshakes may keep the event loop from everything else in one turn, in milliseconds.
 * Each uses the private key once, which takes 0.1 ms (P-256) to 1 ms (RSA with 2048 bits).
 */
const TURN_MS = 4
/** The share of them that is given up at a time when others wait. */
const GIVEN_UP = 1 / 8

/** How connections become secure. */
export interface HandshakeGateOptions {
  readonly contexts: SecureContexts
  /** How long a handshake may take, in seconds; 0 for any time. */
  readonly timeout: number
  /** How many handshakes may be under way. */
  readonly limit: number
  readonly plainAnswer: string
  readonly protocolFor: HandshakeGuard['protocolFor']
  /** Called for each handshake that failed. */
  readonly failed: (remoteAddress: string, failure: HandshakeFailure) => void
  /** Called when the limit is reached: new connections wait in the kernel. */
  readonly filled: () => void
}

/**
 * The handshakes under way of a server. They are bounded in number, in time and in what they take
 * from the event loop, so that they hold up nobody who has a connection.
 */
export class HandshakeGate implements SecureGate, HandshakeGuard {
  readonly contexts: SecureContexts
  readonly timeout: number
  readonly plainAnswer: string
  readonly protocolFor: HandshakeGuard['protocolFor']
  readonly #options: HandshakeGateOptions
  /** In the order in which they came. */
  readonly #pending = new Set<PendingHandshake>()
  /** Those whose first record is here, and that had no turn yet. */
  #waiting: PendingHandshake[] = []
  /** What handshakes have taken in this turn of the event loop, in milliseconds. */
  #spent = 0
  #turnEnds = false
  #onSpace: (() => void) | null = null
  #givenUpAt = Number.NEGATIVE_INFINITY
  #mayGiveUp = 0

  constructor(options: HandshakeGateOptions) {
    this.#options = options
    this.contexts = options.contexts
    this.timeout = options.timeout
    this.plainAnswer = options.plainAnswer
    this.protocolFor = options.protocolFor
  }

  /** How many handshakes are under way. */
  get size(): number {
    return this.#pending.size
  }

  get full(): boolean {
    return this.#pending.size >= this.#options.limit
  }

  connect(socket: Socket, context: ConnectionContext, host: GateHost): Connection {
    const handshake = new PendingHandshake(socket, context, this, host)
    this.#pending.add(handshake)
    return handshake
  }

  whenSpace(callback: () => void): void {
    this.#onSpace = callback
    this.#options.filled()
  }

  ready(handshake: PendingHandshake): void {
    if (this.#waiting.length === 0 && this.#spent < TURN_MS) this.#begin(handshake)
    else this.#waiting.push(handshake)
    if (this.#turnEnds) return
    this.#turnEnds = true
    setImmediate(() => this.#nextTurn())
  }

  /** What does not fit into this turn waits until sockets have been read. */
  #nextTurn(): void {
    this.#turnEnds = false
    this.#spent = 0
    let begun = 0
    while (begun < this.#waiting.length && this.#spent < TURN_MS)
      this.#begin(this.#waiting[begun++]!)
    this.#waiting = this.#waiting.slice(begun)
    if (this.#waiting.length === 0) return
    this.#turnEnds = true
    setImmediate(() => this.#nextTurn())
  }

  #begin(handshake: PendingHandshake): void {
    const before = performance.now()
    handshake.begin()
    this.#spent += performance.now() - before
  }

  overdue({ since }: PendingHandshake, now: number): boolean {
    if (this.#onSpace === null || now - since < PATIENCE_MS) return false
    if (this.#givenUpAt !== now) {
      this.#givenUpAt = now
      this.#mayGiveUp = Math.ceil(this.#options.limit * GIVEN_UP)
    }
    return this.#mayGiveUp-- > 0
  }

  over(handshake: PendingHandshake, failure: HandshakeFailure | null): void {
    this.#pending.delete(handshake)
    if (failure !== null) this.#options.failed(handshake.remoteAddress, failure)
    const space = this.#onSpace
    if (space === null || this.full) return
    this.#onSpace = null
    space()
  }
}
