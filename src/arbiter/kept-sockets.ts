import { type BindAddress, formatSocketAddress } from '../settings/bind-address.ts'
import type { ListeningSocket } from './listeners.ts'

/** What becomes of the sockets that there are when addresses to listen on change. */
export interface KeptSockets {
  /** They stay, with what the addresses say of their connections. */
  readonly kept: readonly ListeningSocket[]
  /** No address wants them. */
  readonly dropped: readonly ListeningSocket[]
  /** Addresses that have no socket yet. */
  readonly missing: readonly BindAddress[]
}

/**
 * Finds the socket of each address among those that there are. A socket stays when only what its
 * connections use has changed. Several addresses with port 0 have a socket each, and each gets one
 * whose connections use what it says, if there is one: clients have been told those ports.
 */
export function keptSockets(
  addresses: readonly BindAddress[],
  have: readonly ListeningSocket[],
): KeptSockets {
  const free = new Set(have)
  const socketOf = new Map<BindAddress, ListeningSocket>()
  const take = (fits: (address: BindAddress, socket: ListeningSocket) => boolean) => {
    for (const address of addresses) {
      if (socketOf.has(address)) continue
      const requested = formatSocketAddress(address)
      const found = [...free].find((one) => one.requested === requested && fits(address, one))
      if (found === undefined) continue
      free.delete(found)
      socketOf.set(address, found)
    }
  }
  take((address, socket) => usesOf(address) === usesOf(socket))
  take(() => true)
  const missing = addresses.filter(
    (address) => !socketOf.has(address) && !isRepeated(address, socketOf),
  )
  return {
    kept: [...socketOf].map(([{ tls = false, redirects = false }, socket]) => {
      return { ...socket, tls, redirects }
    }),
    dropped: [...free],
    missing,
  }
}

function usesOf({ tls, redirects }: { tls?: boolean; redirects?: boolean }): string {
  return `${tls === true} ${redirects === true}`
}

/** A repeated address counts once, unless its port is any free one. */
function isRepeated(
  address: BindAddress,
  socketOf: ReadonlyMap<BindAddress, ListeningSocket>,
): boolean {
  if (address.kind === 'tcp' && address.port === 0) return false
  const requested = formatSocketAddress(address)
  return [...socketOf.values()].some((socket) => socket.requested === requested)
}
