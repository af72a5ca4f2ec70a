import type { Socket } from 'node:net'
import { addressKey } from '../semantics/address-key.ts'

/**
 * Counts the connections of each client address. It is bounded by the connections that there are:
 * an address is forgotten with its last one.
 */
export class ConnectionsPerAddress {
  readonly #most: number
  readonly #exempt: (address: string) => boolean
  readonly #counts = new Map<string, number>()

  /**
   * @param most how many connections an address may have, or a /64 network of IPv6
   * @param exempt addresses that may have any number
   */
  constructor(most: number, exempt: (address: string) => boolean) {
    this.#most = most
    this.#exempt = exempt
  }

  /** How many addresses have connections. */
  get size(): number {
    return this.#counts.size
  }

  /**
   * Counts a connection until it is closed.
   *
   * @param address whose it is
   * @returns false if its address has too many already; then it is not counted
   */
  admit(socket: Socket, address = socket.remoteAddress ?? ''): boolean {
    if (address === '' || this.#exempt(address)) return true
    const key = addressKey(address)
    const count = this.#counts.get(key) ?? 0
    if (count >= this.#most) return false
    this.#counts.set(key, count + 1)
    socket.once('close', () => this.#closed(key))
    return true
  }

  #closed(key: string): void {
    const count = this.#counts.get(key)! - 1
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
  }
}
