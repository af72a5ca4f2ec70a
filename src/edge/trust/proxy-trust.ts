import type { Peer } from '../../http/exchange.ts'
import { fieldNames, WELL_KNOWN_NAMES } from '../../http/field-names.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { Networks } from '../networks.ts'

/** Thrown if two headers of one request contradict each other about the scheme. */
export class SchemeConflictError extends Error {
  readonly code = 'scheme-conflict'
}

/**
 * Decides whether the client used HTTPS: by the headers of a trusted proxy, otherwise by whether
 * this connection is encrypted (Gunicorn's `forwarded_allow_ips` and `secure_scheme_headers`).
 *
 * This is where `X-Forwarded-Proto` is trusted. An application that needs more of their headers,
 * such as the client's address, uses the `proxyFix` middleware.
 */
export class ProxyTrust {
  readonly #proxies: Networks
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
   * @param addresses addresses and networks (`10.0.0.0/8`); `*` for all
   * @param secureHeaders header name (dashes or underscores, any case) → value
   */
  constructor(addresses: readonly string[], secureHeaders: Readonly<Record<string, string>>) {
    this.#proxies = new Networks(addresses)
    for (const [name, value] of Object.entries(secureHeaders)) {
      const lower = name.toLowerCase().replaceAll('_', '-')
      this.#secure.set(lower, value)
      const { id } = fieldNames.named(lower)
      if (id >= 0) this.#wellKnown[id] = 1
      else this.#others = true
    }
  }

  /** @throws SchemeConflictError */
  isSecure(head: RequestHead, peer: Peer): boolean {
    let secure: boolean | null = null
    for (let i = 0; i < head.fieldCount; i++) {
      const name = head.names[i]
      if (name.id >= 0 ? this.#wellKnown[name.id] === 0 : !this.#others) continue
      const expected = this.#secure.get(name.lower)
      if (expected === undefined || !this.#believes(peer)) continue
      const says = head.value(i) === expected
      if (secure !== null && secure !== says) {
        throw new SchemeConflictError(
          'the headers of the proxy contradict each other about the scheme',
        )
      }
      secure = says
    }
    return secure ?? peer.encrypted
  }

  #believes(peer: Peer): boolean {
    // A client of a unix socket has no address.
    return peer.remoteAddress === '' || this.#proxies.include(peer.remoteAddress)
  }
}
