import type { TlsFacts } from '../transport/tls/tls-facts.ts'

/** The addresses of a connection, as text. */
export interface Peer {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** The connection is encrypted all the way to this process. */
  readonly encrypted: boolean
  /** What is known of its encryption; null without. */
  readonly tls: TlsFacts | null
  /**
   * For the gateway, which keeps here what it made of the addresses. The engine does not read it.
   */
  environPart: object | null
}
