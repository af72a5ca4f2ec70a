import type { ProxyHeader } from '../transport/proxy-protocol/proxy-header.ts'
import type { TlsFacts } from '../transport/tls/tls-facts.ts'

export type { ProxyHeader }

/** The addresses of a connection, as text. */
export interface Peer {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /**
   * The connection is encrypted all the way to this process, or to the proxy that says so in a
   * header of the PROXY protocol.
   */
  readonly encrypted: boolean
  /** What is known of its encryption; null without. */
  readonly tls: TlsFacts | null
  /**
   * Who has said whose connection this is, if it began with a header of the PROXY protocol. The
   * addresses above are then those of the header.
   */
  readonly proxied?: ProxyHeader | null
  /**
   * For the gateway, which keeps here what it made of the addresses. The engine does not read it.
   */
  environPart: object | null
}
