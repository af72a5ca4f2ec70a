import type { Socket } from 'node:net'
import type { SecureContexts } from '../../transport/tls/secure-contexts.ts'
import type { Connection, ConnectionContext, GateHost, SecureGate } from '../connection.ts'
import {
  type HandshakeFailure,
  type HandshakeGuard,
  PendingHandshake,
} from './pending-handshake.ts'
import { RecordWatch } from './record-watch.ts'

/** A handshake that has begun may keep others waiting for this long, in milliseconds. */
const PATIENCE_MS = 1000
/**
 * How long handshakes may keep the event loop from everything else in one turn, in milliseconds.
 * Each uses the private key once, which takes 0.1 ms (P-256) to 1 ms (RSA with 2048 bits).
 */
const TURN_MS = 4
/** Those that have left while they waited are forgotten when so many wait. */
const FORGET_FROM = 64
/** How often it is tried to give up handshakes for others, in milliseconds. */
const RETRY_MS = 50

/** How connections become secure. */
export interface HandshakeGateOptions {
  readonly contexts: SecureContexts
  /** How long a handshake may take, in seconds; 0 for any time. */
  readonly timeout: number
  /** How many handshakes may be under way, without those whose first record is not whole. */
  readonly limit: number
  readonly plainAnswer: string
  readonly protocolFor: HandshakeGuard['protocolFor']
  /** Called for each handshake that failed. */
  readonly failed: (remoteAddress: string, failure: HandshakeFailure) => void
  /** Called for each connection that is closed because its records carry no data. */
  readonly flooded: (remoteAddress: string) => void
  /** Called while the limit is reached and others wait. */
  readonly filled: () => void
}

/**
 * The handshakes of a server. Those that have begun are bounded in number, in time and in what they
 * take from the event loop, so that they hold up nobody who has a connection. A client whose first
 * record is not whole costs its connection and its bytes; one whose handshake has to wait, too.
 */
export class HandshakeGate implements SecureGate, HandshakeGuard {
  readonly contexts: SecureContexts
  readonly timeout: number
  readonly plainAnswer: string
  readonly protocolFor: HandshakeGuard['protocolFor']
  readonly #options: HandshakeGateOptions
  readonly #watch: RecordWatch
  /** How many handshakes have succeeded. */
  succeeded = 0
  /** Those that have begun, the oldest first, with their beginning (`performance.now()`). */
  readonly #begun = new Map<PendingHandshake, number>()
  /** Those whose first record is here, and that had no turn yet. */
  #waiting: PendingHandshake[] = []
  /** With so many of them, those that have left are looked for. */
  #forgetAt = FORGET_FROM
  /** What handshakes have taken in this turn of the event loop, in milliseconds. */
  #spent = 0
  #turnEnds = false
  #retry: NodeJS.Timeout | null = null

  constructor(options: HandshakeGateOptions) {
    this.#options = options
    this.#watch = new RecordWatch(options.flooded)
    this.contexts = options.contexts
    this.timeout = options.timeout
    this.plainAnswer = options.plainAnswer
    this.protocolFor = options.protocolFor
  }

  /** How many handshakes have begun, and how many wait. */
  get size(): { begun: number; waiting: number } {
    return { begun: this.#begun.size, waiting: this.#waiting.length }
  }

  connect(socket: Socket, context: ConnectionContext, host: GateHost): Connection {
    return new PendingHandshake(socket, context, this, host)
  }

  ready(handshake: PendingHandshake): void {
    const atOnce = this.#waiting.length === 0 && this.#spent < TURN_MS && !this.#full
    if (atOnce) this.#begin(handshake)
    else if (this.#waiting.push(handshake) >= this.#forgetAt) this.#forgetLeft()
    this.#takeTurns()
  }

  /** While all places are taken, those in front have no turn, whether or not they are there. */
  #forgetLeft(): void {
    this.#waiting = this.#waiting.filter((one) => !one.isOver)
    this.#forgetAt = Math.max(FORGET_FROM, this.#waiting.length * 2)
  }

  secured(socket: Socket, context: ConnectionContext): void {
    this.succeeded++
    this.#watch.add(socket, context.deadlines)
  }

  over(handshake: PendingHandshake, failure: HandshakeFailure | null): void {
    const begun = this.#begun.delete(handshake)
    if (failure !== null) this.#options.failed(handshake.remoteAddress, failure)
    if (begun && this.#waiting.length > 0) this.#takeTurns()
  }

  get #full(): boolean {
    return this.#begun.size >= this.#options.limit
  }

  /** What does not fit into this turn waits until sockets have been read. */
  #takeTurns(): void {
    if (this.#turnEnds) return
    this.#turnEnds = true
    setImmediate(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#turnEnds = false
    this.#spent = 0
    if (this.#full) this.#replaceOldest()
    else this.#beginFirst()
    if (this.#waiting.length === 0) return
    if (!this.#full) this.#takeTurns()
    else this.#retry ??= setTimeout(() => this.#tryAgain(), RETRY_MS)
  }

  #beginFirst(): void {
    const waiting = this.#waiting
    let begun = 0
    while (begun < waiting.length && this.#spent < TURN_MS && !this.#full)
      this.#begin(waiting[begun++]!)
    this.#waiting = waiting.slice(begun)
  }

  /**
   * Those that came last begin first: whoever fills all places has a long queue too, and others
   * would wait at its end.
   */
  #replaceOldest(): void {
    this.#options.filled()
    while (this.#waiting.length > 0 && this.#spent < TURN_MS) {
      // Nobody is given up for a client that has left.
      if (this.#waiting.at(-1)!.isOver) this.#waiting.pop()
      else if (this.#makeSpace()) this.#begin(this.#waiting.pop()!)
      else break
    }
  }

  #tryAgain(): void {
    this.#retry = null
    this.#takeTurns()
  }

  /** Gives up the oldest handshake if it has had its time. */
  #makeSpace(): boolean {
    if (!this.#full) return true
    const [oldest] = this.#begun
    if (oldest === undefined || performance.now() - oldest[1] < PATIENCE_MS) return false
    oldest[0].giveUp()
    return true
  }

  #begin(handshake: PendingHandshake): void {
    if (handshake.isOver) return
    const before = performance.now()
    this.#begun.set(handshake, before)
    handshake.begin()
    this.#spent += performance.now() - before
  }
}
