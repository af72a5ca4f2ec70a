import type { Peer } from './exchange.ts'

/** How much of a request line the log shows, in characters: it may be a MiB long, and whoever sends it chooses what is written. */
const SHOWN = 512

/**
 * What the error log says of a request that was refused, whoever refused it:
 * `Refused "GET / HTTP/1.1" from 192.0.2.7 with 400: The request has two Host fields`.
 *
 * @param requestLine as far as it was understood; '' when it was not
 */
export function refusalLine(peer: Peer, requestLine: string, status: number, reason: string): string {
  const what = requestLine === '' ? 'a request' : JSON.stringify(shortened(requestLine))
  return `Refused ${what} from ${peer.remoteAddress || 'unix socket'} with ${status}: ${reason}`
}

/** What refusals with this status are to a log that leaves some of them out. */
export function refusalKind(status: number): string {
  return `requests refused with ${status}`
}

function shortened(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`
}
