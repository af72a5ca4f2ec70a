import type { Socket } from 'node:net'
import { bytesCarried } from '../../transport/node-internals.ts'
import { type Deadlined, type Deadlines, TICK_MS } from '../deadlines.ts'

/** Bytes without data that a client may send at once: its handshake, too. */
export const ALLOWANCE = 256 * 1024
/** Bytes that may carry one byte of data: a record of one byte takes at most 86 (TLS 1.2, CBC). */
const FOR_A_BYTE = 100
/** How often connections are looked at, in milliseconds. */
const CHECK_MS = 4 * TICK_MS

/** What a connection had read when it was looked at last. */
interface Reading {
  carried: number
  data: number
  /** Bytes without data; data makes it less again. */
  excess: number
}

/**
 * Closes connections whose records carry no data: a client that changes its keys all the time
 * (RFC 8446 §4.6.3), or asks for another handshake (RFC 5246 §7.4.1.1). Each such record is
 * answered by OpenSSL, without a limit. What the client does not read of these answers is kept by
 * Node, which tells nobody.
 */
export class RecordWatch implements Deadlined {
  deadlinesPlace = -1
  readonly #readings = new Map<Socket, Reading>()
  readonly #forget: (this: Socket) => void
  readonly #flooded: (remoteAddress: string) => void
  #deadlines: Deadlines | null = null
  #next = 0

  /** @param flooded called for each connection that is closed */
  constructor(flooded: (remoteAddress: string) => void) {
    this.#flooded = flooded
    const remove = (socket: Socket) => this.#remove(socket)
    // One function for all connections, of which there may be many.
    this.#forget = function (this: Socket) {
      remove(this)
    }
  }

  /** How many connections it looks at. */
  get size(): number {
    return this.#readings.size
  }

  /** Looks at a connection until it is closed. Its handshake is done. */
  add(socket: Socket, deadlines: Deadlines): void {
    if (this.#readings.size === 0) {
      this.#deadlines = deadlines
      deadlines.add(this)
    }
    this.#readings.set(socket, { carried: 0, data: 0, excess: 0 })
    socket.on('close', this.#forget)
  }

  checkDeadlines(now: number): void {
    if (now < this.#next) return
    this.#next = now + CHECK_MS
    for (const [socket, reading] of this.#readings) {
      const carried = bytesCarried(socket)
      // Most of them are idle.
      if (carried === reading.carried || !isFlood(reading, carried, socket.bytesRead)) continue
      this.#flooded(socket.remoteAddress ?? '')
      socket.destroy()
    }
  }

  #remove(socket: Socket): void {
    this.#readings.delete(socket)
    if (this.#readings.size === 0) this.#deadlines?.delete(this)
  }
}

function isFlood(reading: Reading, carried: number, data: number): boolean {
  const more = carried - reading.carried - (data - reading.data) * FOR_A_BYTE
  reading.excess = Math.max(0, reading.excess + more)
  reading.carried = carried
  reading.data = data
  return reading.excess > ALLOWANCE
}
