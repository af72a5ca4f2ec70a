import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'

/** What a handshake has agreed on. Each is looked up when it is asked for. */
export interface TlsFacts {
  /** As in `TLSv1.3`. */
  readonly protocol: string
  /** OpenSSL's name: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string
  /** The host name that the client asked for (SNI, RFC 6066 §3), as it was sent; null for none. */
  readonly serverName: string | null
  /** The protocol that was chosen by ALPN (RFC 7301), such as `http/1.1`; null for none. */
  readonly alpn: string | null
  /** The session of an earlier connection goes on. */
  readonly resumed: boolean
  /** What the client has shown of itself; null unless the server asks for certificates. */
  readonly client: ClientIdentity | null
}

export interface ClientIdentity {
  /** Null if it has none. */
  readonly certificate: X509Certificate | null
  /** Why the certificate must not be believed, in the words of OpenSSL; null if it may be. */
  readonly problem: string | null
}

const FACTS = Symbol('facts of TLS')

/** Notes what is known of a connection with TLS. */
export function setTlsFacts(socket: Socket, facts: TlsFacts): void {
  ;(socket as { [FACTS]?: TlsFacts })[FACTS] = facts
}

/** What is known of a connection; null if it does not use TLS. */
export function tlsFactsOf(socket: Socket): TlsFacts | null {
  return (socket as { [FACTS]?: TlsFacts })[FACTS] ?? null
}
