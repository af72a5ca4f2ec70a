/** What both kinds of environ share: those for workers, and those for applications in process. */
import { type FieldName, HOST, WELL_KNOWN_NAMES } from '../http/field-names.ts'
import type { Peer, ProxyHeader } from '../http/peer.ts'
import type { RequestHead } from '../http/request-head.ts'
import { splitAuthority } from '../semantics/authority.ts'
import { sslVariablesOf, type Variable } from './ssl-variables.ts'

/** The data for an environ. */
export interface EnvironFacts {
  readonly head: RequestHead
  readonly peer: Peer
  /**
   * The length of a body without a declared length that has been read whole, or -1. The application
   * then sees a Content-Length and no Transfer-Encoding, which is what its environ would have.
   */
  readonly readLength: number
}

/** The part of an environ that describes the connection. */
export interface PeerVariables {
  /** `SERVER_NAME` */
  readonly serverName: string
  /** `SERVER_PORT` */
  readonly serverPort: string
  /** `REMOTE_ADDR` */
  readonly remoteAddress: string
  /** `REMOTE_PORT` */
  readonly remotePort: string
  /** What a header of the PROXY protocol says in addition, under Gunicorn's names. */
  readonly proxied: Readonly<Record<string, string>>
  /** What is known of the client's certificate, if the server asks for one. */
  readonly ssl: readonly Variable[]
  /** They are the same for all requests of the connection. */
  readonly constant: boolean
}

const PROXY = WELL_KNOWN_NAMES.indexOf('proxy')

/**
 * Whether a field is hidden from the application. `HTTP_PROXY` could be mistaken for the variable
 * that names a proxy for outgoing requests ("httpoxy", CVE-2016-5385). The authority of the target
 * replaces a Host field (RFC 9112 §3.2.2).
 */
export function isHidden({ id }: FieldName, head: RequestHead): boolean {
  return id === PROXY || (id === HOST && head.hasAuthority)
}

const NOT_PROXIED: PeerVariables['proxied'] = {}

function proxyVariables(header: ProxyHeader | null | undefined): PeerVariables['proxied'] {
  if (!header) return NOT_PROXIED
  const { protocol, proxyAddress, proxyPort } = header
  if (proxyAddress === '') return { PROXY_PROTOCOL: protocol }
  return {
    PROXY_PROTOCOL: protocol,
    PROXY_ADDR: proxyAddress,
    PROXY_PORT: String(proxyPort),
  }
}

export function peerVariables({ peer, head }: EnvironFacts): PeerVariables {
  const { remoteAddress, localAddress } = peer
  const remotePort = remoteAddress === '' || peer.remotePort === 0 ? '' : String(peer.remotePort)
  const proxied = proxyVariables(peer.proxied)
  const ssl = sslVariablesOf(peer)
  if (localAddress !== '') {
    const serverPort = String(peer.localPort)
    return {
      serverName: localAddress,
      serverPort,
      remoteAddress,
      remotePort,
      proxied,
      ssl,
      constant: true,
    }
  }
  // A Unix socket has no name or port, and neither may be empty (PEP 3333): what the client asked
  // for.
  const host = head.hasAuthority
    ? head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
    : (head.get('host') ?? '')
  const authority = splitAuthority(host)
  return {
    serverName: authority?.host || 'localhost',
    serverPort: authority?.port || (head.secure ? '443' : '80'),
    remoteAddress,
    remotePort,
    proxied,
    ssl,
    constant: false,
  }
}
