/** What the logs record of requests: both logs subscribe to the events of {@link RequestEvents}. */
import { quoteText } from '../bytes/quoted.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import type { RequestEvents, RequestRefused } from '../observe/request-events.ts'
import type { LogLevel } from './error-log.ts'

/** A request that is answered with this status or a higher one is always recorded. */
const FAILED = 400

/**
 * Records every request that ends, and every message that is refused before it is one.
 *
 * @param skip paths whose requests are not recorded unless they fail; see `access_log_skip`
 */
export function logRequests(
  events: RequestEvents,
  record: (record: AccessRecord) => void,
  skip: readonly string[] = [],
): void {
  events.requestEnded.subscribe(skip.length === 0 ? record : recordOthers(record, skip))
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

function recordOthers(
  record: (record: AccessRecord) => void,
  skip: readonly string[],
): (record: AccessRecord) => void {
  const patterns = skip.map((path) =>
    path.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^?]*'),
  )
  const skipped = new RegExp(`^(?:${patterns.join('|')})(?:\\?|$)`)
  return (ended) => {
    if (ended.status >= FAILED || !skipped.test(ended.target)) record(ended)
  }
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
