import { isIP } from 'node:net'

/**
 * Whether a Host field names this server by an address, as `localhost`, or by one of the names it
 * listens at. Any other name may be one of a foreign site that leads here (DNS rebinding). A client
 * without the field, or with an empty one, is no browser.
 *
 * @param names host names of the addresses that are listened on, in lower case
 */
export function isOwnHost(host: string | undefined, names: ReadonlySet<string>): boolean {
  if (host === undefined || host === '') return true
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host)
  const name = (match?.[1] ?? match?.[2] ?? '').toLowerCase()
  return isIP(name) !== 0 || name === 'localhost' || names.has(name)
}
