import { isIP } from 'node:net'
import type { Peer } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { splitAuthority } from '../../semantics/authority.ts'
import { Networks } from '../networks.ts'

/** A request with one of these came through a proxy, so its client may be anywhere. */
const PROXY_FIELDS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']

/** Ends of names that nobody can register (RFC 6761, RFC 6762, RFC 8375, and `.internal`). */
const LOCAL_NAMES = /(^|\.)(localhost|test|local|internal|home\.arpa)$/

/** Decides who may see what the developer sees: errors with source code, and refreshed pages. */
export class Audience {
  readonly #networks: Networks

  /** @param networks addresses and networks; `*` for everybody */
  constructor(networks: readonly string[]) {
    this.#networks = new Networks(networks)
  }

  /** Whether the client of a request belongs to it. */
  includes(head: RequestHead, peer: Peer): boolean {
    if (this.#networks.all) return true
    return (
      this.#networks.include(peer.remoteAddress) &&
      // Fields of proxies were read, or removed.
      head.client === null &&
      // nginx adds none of them by default, and asks in this version. No browser does.
      head.protocol !== 'HTTP/1.0' &&
      PROXY_FIELDS.every((name) => head.get(name) === undefined) &&
      isLocalName(hostOf(head))
    )
  }
}

function hostOf(head: RequestHead): string {
  const authority = head.hasAuthority
    ? head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
    : (head.get('host') ?? '')
  return splitAuthority(authority)?.host.toLowerCase().replace(/\.$/, '') ?? ''
}

/**
 * Whether a name cannot be one of the public Internet. A page there could have its name point here
 * (DNS rebinding), and then read the answers.
 */
function isLocalName(host: string): boolean {
  if (host === '' || !host.includes('.')) return true
  return isIP(host) !== 0 || host.startsWith('[') || LOCAL_NAMES.test(host)
}
