import type { Socket } from 'node:net'

/** What a header of the PROXY protocol says, and who has sent it. */
export interface ProxyHeader {
  /** As Gunicorn names it: `TCP4`, `TCP6`, `UNIX`, `UNSPEC`, `UNKNOWN` or `LOCAL`. */
  readonly protocol: string
  /** The address of the client, or null if the header names none: then it is the sender. */
  readonly clientAddress: string | null
  readonly clientPort: number
  /** The address that the client has connected to; `''` if the header names none. */
  readonly proxyAddress: string
  /** 0 if the header names none. */
  readonly proxyPort: number
  /** Whether the client has used TLS, as the proxy says. */
  readonly secure: boolean
  /** The address of the proxy: the other end of the connection itself. */
  readonly sender: string
}

const HEADER = Symbol('header of the PROXY protocol')

/** Notes with which header a connection began. */
export function setProxyHeader(socket: Socket, header: ProxyHeader | null): void {
  if (header !== null) (socket as { [HEADER]?: ProxyHeader })[HEADER] = header
}

/** The header with which a connection began; null for none. */
export function proxyHeaderOf(socket: Socket): ProxyHeader | null {
  return (socket as { [HEADER]?: ProxyHeader })[HEADER] ?? null
}
