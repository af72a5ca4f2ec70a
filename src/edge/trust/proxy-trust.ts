import { fieldNames, WELL_KNOWN_NAMES } from '../../http/field-names.ts'
import type { Peer } from '../../http/peer.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { Networks } from '../networks.ts'
import { TrustError } from './trust-error.ts'

/**
 * Knows the trusted proxies (`forwarded_allow_ips`), and the headers by which they say that the
 * client used HTTPS (`secure_scheme_headers`), as Gunicorn does.
 *
 * This is where `X-Forwarded-Proto` is trusted.
 */
export class ProxyTrust {
  readonly #proxies: Networks
  /** Without `*`, which only says that whoever connects is a proxy. */
  readonly #listed: Networks
  /** Header name in lower case → the value that means HTTPS. */
  readonly #secure = new Map<string, string>()
  /**
   * By the id of a well-known name: whether it is among those headers. For most requests, nothing
   * else is looked up.
   */
  readonly #wellKnown = new Uint8Array(WELL_KNOWN_NAMES.length)
  /** Some of those headers are not well known. */
  #others = false
  /**
   * Whether the head that {@link isSecure} was last called with has a name with an underscore. It
   * looks at all names anyway.
   */
  sawUnderscore = false

  /**
   * @param addresses addresses and networks (`10.0.0.0/8`); `*` for all
   * @param secureHeaders header name (dashes or underscores, any case) → value
   */
  constructor(addresses: readonly string[], secureHeaders: Readonly<Record<string, string>>) {
    this.#proxies = new Networks(addresses)
    this.#listed = new Networks(addresses.filter((address) => address !== '*'))
    for (const [name, value] of Object.entries(secureHeaders)) {
      const lower = name.toLowerCase().replaceAll('_', '-')
      this.#secure.set(lower, value)
      const { id } = fieldNames.named(lower)
      if (id >= 0) this.#wellKnown[id] = 1
      else this.#others = true
    }
  }

  /** Whether the peer of a connection is a trusted proxy. */
  trusts(peer: Peer): boolean {
    return this.#proxies.trusts(peer.remoteAddress)
  }

  /**
   * The same of who has connected, even if a header of the PROXY protocol names another peer: that
   * is how Gunicorn takes it.
   */
  trustsSender(peer: Peer): boolean {
    return this.#proxies.trusts(peer.proxied?.sender ?? peer.remoteAddress)
  }

  /** Whether an address that a proxy has named is that of another trusted proxy. */
  isProxy(address: string): boolean {
    return this.#listed.include(address)
  }

  /** Whether this header says whether the client used HTTPS. */
  isSchemeHeader(lowerName: string): boolean {
    return this.#secure.has(lowerName)
  }

  /**
   * Whether the client used HTTPS: by the headers of a trusted proxy, otherwise by whether this
   * connection is encrypted. This is Gunicorn's rule. It also notes {@link sawUnderscore}.
   *
   * @throws TrustError (`scheme-conflict`)
   */
  isSecure(head: RequestHead, peer: Peer): boolean {
    let secure: boolean | null = null
    this.sawUnderscore = false
    for (let i = 0; i < head.fieldCount; i++) {
      const name = head.names[i]!
      if (name.id >= 0) {
        if (this.#wellKnown[name.id] === 0) continue
      } else if (name.hasUnderscore) {
        this.sawUnderscore = true
      } else if (!this.#others) {
        continue
      }
      const expected = this.#secure.get(name.lower)
      if (expected === undefined || !this.trustsSender(peer)) continue
      secure = agreed(secure, head.value(i) === expected)
    }
    return secure ?? peer.encrypted
  }

  /**
   * The same for a request of a trusted proxy of whose `X-Forwarded-Proto` only one element counts.
   *
   * @param proto that element; null if there is none
   * @throws TrustError (`scheme-conflict`)
   */
  isSecureBy(head: RequestHead, proto: string | null, peer: Peer): boolean {
    let secure: boolean | null = null
    for (const [name, expected] of this.#secure) {
      if (name === 'x-forwarded-proto') {
        if (proto !== null) secure = agreed(secure, proto.toLowerCase() === expected)
        continue
      }
      for (let i = 0; i < head.fieldCount; i++) {
        if (head.names[i]!.lower === name) secure = agreed(secure, head.value(i) === expected)
      }
    }
    return secure ?? peer.encrypted
  }
}

function agreed(before: boolean | null, says: boolean): boolean {
  if (before === null || before === says) return says
  throw new TrustError(
    'scheme-conflict',
    'the headers of the proxy contradict each other about the scheme',
  )
}
