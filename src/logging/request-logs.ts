/** What the logs record of requests: both logs subscribe to the events of {@link RequestEvents}. */
import { quoteText } from '../bytes/quoted.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import type { RequestEvents, RequestRefused } from '../observe/request-events.ts'
import type { LogLevel } from './error-log.ts'

/** Records every request that ends, and every message that is refused before it is one. */
export function logRequests(events: RequestEvents, record: (record: AccessRecord) => void): void {
  events.requestEnded.subscribe(record)
  events.requestRefused.subscribe((refused) => {
    if (!refused.begun) record(recordOf(refused))
  })
}

/**
 * Writes a line for every refused request:
 * `Refused "GET / HTTP/1.1" from 192.0.2.7 with 400: The request has two Host fields`.
 *
 * @param write takes the line, and the kind of entry that it is for a {@link LogLimiter}
 */
export function logRefusals(
  events: RequestEvents,
  write: (level: LogLevel, kind: string, line: string) => void,
): void {
  events.requestRefused.subscribe((refused) => {
    const { requestLine, remoteAddress, status, reason } = refused
    const what = requestLine === '' ? 'a request' : quoteText(requestLine)
    const line = `Refused ${what} from ${remoteAddress || 'unix socket'} with ${status}: ${reason}`
    write(refused.clientGaveUp ? 'info' : 'warning', `requests refused with ${status}`, line)
  })
}

function recordOf({ requestLine, remoteAddress, status, startedAt }: RequestRefused): AccessRecord {
  const [method = '', target = '', protocol = ''] = requestLine.split(' ')
  const now = Date.now()
  const began = startedAt ?? now
  return {
    remoteAddress,
    method,
    target,
    protocol,
    requestLine,
    status,
    bytes: 0,
    startedAt: began,
    seconds: Math.max(0, now - began) / 1000,
    header: () => undefined,
  }
}
