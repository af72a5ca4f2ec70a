import { isIP, isIPv6 } from 'node:net'
import { splitAuthority } from '../../semantics/authority.ts'
import { Networks } from '../networks.ts'

/**
 * Names and addresses of a site, as `allowed_hosts` has them.
 *
 * @example new HostList(['.example.org', '10.0.0.0/8']).include('www.example.org:8000') // true
 */
export class HostList {
  readonly #all: boolean
  readonly #names = new Set<string>()
  /** Each begins with a dot. */
  readonly #domains: string[] = []
  readonly #networks: Networks

  /**
   * @param entries valid ones: names, `.example.org` for a domain with all below it, addresses and
   * networks, `*` for all
   */
  constructor(entries: readonly string[]) {
    this.#all = entries.includes('*')
    const networks: string[] = []
    for (const entry of entries) {
      const text = entry.replace(/^\[(.*)\]$/, '$1')
      if (isIP(text.split('/')[0]!) !== 0) networks.push(text)
      else if (entry.startsWith('.')) this.#domains.push(normalized(entry))
      else if (entry !== '*') this.#names.add(normalized(entry))
    }
    this.#networks = new Networks(networks)
  }

  /** Whether an authority, with or without a port, is one of them. */
  include(authority: string): boolean {
    if (this.#all) return true
    const host = splitAuthority(authority)?.host
    if (!host) return false
    if (host.startsWith('[')) return this.#includesAddress(host.slice(1, -1))
    if (isIP(host) !== 0) return this.#networks.include(host)
    const name = normalized(host)
    if (this.#names.has(name)) return true
    if (name.startsWith('.')) return false
    return this.#domains.some((domain) => name.endsWith(domain) || name === domain.slice(1))
  }

  #includesAddress(address: string): boolean {
    return isIPv6(address) && this.#networks.include(address)
  }
}

/** Names differ neither by case nor by the dot of the root at their end. */
function normalized(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}
