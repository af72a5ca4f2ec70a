import type { Socket } from 'node:net'
import { bytesTaken } from '../transport/node-internals.ts'
import { type ProxyHeader, proxyHeaderOf } from '../transport/proxy-protocol/proxy-header.ts'
import { type TlsFacts, tlsFactsOf } from '../transport/tls/tls-facts.ts'
import { unacknowledged } from '../transport/unacknowledged.ts'
import { ListedConnection } from './listed-connection.ts'
import type { Peer } from './peer.ts'

/** What is known of a client's connection, whatever version of HTTP it speaks. */
export abstract class ClientConnection extends ListedConnection implements Peer {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly encrypted: boolean
  readonly proxied: ProxyHeader | null
  readonly tls: TlsFacts | null
  environPart: object | null = null
  readonly #socket: Socket

  constructor(socket: Socket) {
    super()
    this.#socket = socket
    const proxied = proxyHeaderOf(socket)
    this.proxied = proxied
    this.remoteAddress = proxied?.clientAddress ?? socket.remoteAddress ?? ''
    this.remotePort = proxied?.clientPort || (socket.remotePort ?? 0)
    this.tls = tlsFactsOf(socket)
    this.encrypted = this.tls !== null || proxied?.secure === true
  }

  // A system call each, so only on request.
  get localAddress(): string {
    return this.#socket.localAddress ?? ''
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  /** Bytes that have left this process; see `Reply.taken`. */
  get taken(): number {
    return bytesTaken(this.#socket)
  }

  /** Bytes that the kernel holds for the client, or null if that is not known. */
  get unacknowledged(): number | null {
    return unacknowledged(this.localPort, this.#socket.remotePort ?? 0)
  }
}
