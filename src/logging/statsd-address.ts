/** Where a StatsD daemon listens, always for datagrams. */
export type StatsdAddress =
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  /** `@name` is an abstract socket. */
  | { readonly kind: 'unix'; readonly path: string }

const PORT = 8125

/**
 * Reads `HOST:PORT`, `HOST` or `unix://PATH`; `udp://` may stand before a host, and IPv6 addresses
 * are in brackets.
 *
 * @returns null if it is none of these
 */
export function parseStatsdAddress(text: string): StatsdAddress | null {
  const unix = /^unix:(?:\/\/)?([/@].+)$/.exec(text)
  if (unix !== null) return { kind: 'unix', path: unix[1]! }
  const ip = /^(?:udp:\/\/)?(?:\[([^\]]+)\]|([^:[\]/]+))(?::([0-9]{1,5}))?$/i.exec(text)
  if (ip === null) return null
  const port = ip[3] === undefined ? PORT : Number(ip[3])
  if (port < 1 || port > 65535) return null
  return { kind: 'udp', host: (ip[1] ?? ip[2]!).toLowerCase(), port }
}
