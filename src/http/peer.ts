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
   * Who has said whose connection this is, if it began with a header of the PROXY protocol. The
   * addresses above are then those of the header.
   */
  readonly proxied?: ProxyHeader | null
  /**
   * For the gateway, which keeps here what it made of the addresses. The engine does not read it.
   */
  environPart: object | null
}

/** What a header of the PROXY protocol says, and who has sent it. */
export interface ProxyHeader {
  /** As Gunicorn names it: `TCP4`, `TCP6`, `UNIX`, `UNSPEC` or `LOCAL`. */
  readonly protocol: string
  /** The address that the client has connected to; `''` if the header names none. */
  readonly proxyAddress: string
  /** 0 if the header names none. */
  readonly proxyPort: number
  /** The address of the proxy: the other end of the connection itself. */
  readonly sender: string
}
