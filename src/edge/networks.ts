import { BlockList, isIP } from 'node:net'

/**
 * A list of addresses and networks, as settings have them.
 *
 * @example new Networks(['10.0.0.0/8', '::1']).include('10.1.2.3') // true
 */
export class Networks {
  /** It has every address, also the missing one of a unix socket. */
  readonly all: boolean
  readonly #list = new BlockList()

  /** @param entries addresses and networks (`10.0.0.0/8`), which are valid; `*` for all */
  constructor(entries: readonly string[]) {
    this.all = entries.includes('*')
    for (const entry of entries) {
      if (entry === '*') continue
      const [address = '', prefix] = entry.split('/')
      if (prefix === undefined) this.#list.addAddress(address, familyOf(address))
      else this.#list.addSubnet(address, Number(prefix), familyOf(address))
    }
  }

  /** Whether it has this address; `''` is in no list but `*`. */
  include(address: string): boolean {
    return this.all || (address !== '' && this.#list.check(address, familyOf(address)))
  }

  /** Whether a peer with this address is trusted: it is in the list, or came by a unix socket. */
  trusts(address: string): boolean {
    // A client of a unix socket has no address.
    return address === '' || this.include(address)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
