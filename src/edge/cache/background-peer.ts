import type { Peer, ProxyHeader } from '../../http/peer.ts'

/** The addresses of a connection that may be gone when they are needed. */
export class BackgroundPeer implements Peer {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly encrypted: boolean
  readonly tls: Peer['tls']
  readonly proxied: ProxyHeader | null
  environPart: object | null = null

  constructor(peer: Peer) {
    this.remoteAddress = peer.remoteAddress
    this.remotePort = peer.remotePort
    this.localAddress = peer.localAddress
    this.localPort = peer.localPort
    this.encrypted = peer.encrypted
    this.tls = peer.tls
    this.proxied = peer.proxied ?? null
  }
}
