import { quoteText } from './errors.ts'
import type { Peer } from './exchange.ts'

/**
 * What the error log says of a request that was refused, whoever refused it:
 * `Refused "GET / HTTP/1.1" from 192.0.2.7 with 400: The request has two Host fields`.
 *
 * @param requestLine as far as it came, a character a byte; '' when nothing of it did
 */
export function refusalLine(
  peer: Peer,
  requestLine: string,
  status: number,
  reason: string,
): string {
  const what = requestLine === '' ? 'a request' : quoteText(requestLine)
  return `Refused ${what} from ${peer.remoteAddress || 'unix socket'} with ${status}: ${reason}`
}

/** What refusals with this status are to a log that leaves some of them out. */
export function refusalKind(status: number): string {
  return `requests refused with ${status}`
}
