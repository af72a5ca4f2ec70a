import type { Peer, ProxyHeader } from '../../http/peer.ts'

/**
 * The client that trusted proxies tell of, in the place of the connection's peer. There is one for
 * each request, and what a gateway keeps of it is gone with it: requests of several clients share
 * the connection of a proxy.
 */
export class ForwardedClient implements Peer {
  /** `''` if the proxies do not know it, or do not say. */
  readonly remoteAddress: string
  readonly remotePort: number
  environPart: object | null = null
  readonly #connection: Peer
  readonly #namesServer: boolean

  /**
   * @param namesServer whether the proxies say which host was asked for: that then names the server
   */
  constructor(connection: Peer, address: string, port: number, namesServer: boolean) {
    this.#connection = connection
    this.remoteAddress = address
    this.remotePort = port
    this.#namesServer = namesServer
  }

  get localAddress(): string {
    return this.#namesServer ? '' : this.#connection.localAddress
  }

  get localPort(): number {
    return this.#namesServer ? 0 : this.#connection.localPort
  }

  get encrypted(): boolean {
    return this.#connection.encrypted
  }

  get tls(): Peer['tls'] {
    return this.#connection.tls
  }

  get proxied(): ProxyHeader | null {
    return this.#connection.proxied ?? null
  }
}
