/** What the logs record of requests: both logs subscribe to the events of {@link RequestEvents}. */
import { quoteText } from '../bytes/quoted.ts'
import { type Code, type Coded, coded } from '../messages/coded.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import type { RequestEvents, RequestRefused } from '../observe/request-events.ts'
import { traceNote } from '../observe/trace-note.ts'

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
  write: {
    info(kind: string, line: string): void
    warning(kind: string, line: Coded): void
  },
): void {
  events.requestRefused.subscribe((refused) => {
    const { requestLine, remoteAddress, status, reason, trace = null } = refused
    const what = requestLine === '' ? 'a request' : quoteText(requestLine) + traceNote(trace)
    const line = `Refused ${what} from ${remoteAddress || 'unix socket'} with ${status}: ${reason}`
    const kind = `requests refused with ${status}`
    if (refused.clientGaveUp) write.info(kind, line)
    else write.warning(kind, coded(codeOfRefusal(status, refused.code), line))
  })
}

/** What the headers of a proxy are refused for. */
const OF_PROXIES = ['proxy-fields', 'bad-script-name', 'scheme-conflict', 'bad-forwarded']

const BY_STATUS: Readonly<Record<number, Code>> = {
  400: 'MONO4021',
  408: 'MONO4023',
  413: 'MONO4022',
  414: 'MONO4022',
  421: 'MONO4025',
  429: 'MONO4026',
  431: 'MONO4022',
  503: 'MONO4027',
}

function codeOfRefusal(status: number, code: string): Code {
  return OF_PROXIES.includes(code) ? 'MONO4024' : (BY_STATUS[status] ?? 'MONO4028')
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
