import { randomFillSync } from 'node:crypto'
import type { RequestEnded } from '../observe/request-events.ts'
import { type Attribute, INTERNAL, SERVER, type Span } from './span.ts'

/** A client chooses how long they are, and its spans may wait for a while. In characters. */
const LONGEST_PATH = 1024
const LONGEST_TEXT = 256

/** The methods that OpenTelemetry knows; all others count as one, whatever clients send. */
const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

/**
 * The spans of a request that has ended and is recorded: one for the whole, and for each part that
 * it had one within: `queue`, `application` and `send`. A request that is answered without the
 * application has only the first.
 *
 * Names and attributes follow OpenTelemetry's conventions for HTTP servers. The query is left out:
 * it may have secrets.
 */
export function spansOf(record: RequestEnded): Span[] {
  const { trace, times } = record
  if (!trace?.sampled || !times) return []
  const { traceId, spanId, parentId, applicationId, state } = trace
  const now = performance.now()
  const offset = wallClock(now)
  const micros = (at: number) => Math.round((offset + at) * 1000)
  const failed = record.status >= 500
  const whole: Span = {
    traceId,
    spanId,
    parentId,
    state,
    name: spanName(record.method),
    kind: SERVER,
    start: micros(times.arrived),
    end: micros(now),
    attributes: attributesOf(record),
    failed,
    remoteParent: parentId !== '',
  }
  const spans = [whole]
  const part = (name: string, id: string, from: number, to: number) => {
    spans.push({
      ...whole,
      spanId: id,
      parentId: spanId,
      name,
      kind: INTERNAL,
      start: micros(from),
      end: micros(Math.max(from, to)),
      attributes: [],
      failed: false,
      remoteParent: false,
    })
  }
  const { queued, begun, answered, finished } = times
  if (queued > 0) part('queue', newId(), queued, begun || finished || now)
  if (begun > 0) part('application', applicationId, begun, finished || now)
  if (answered > 0) part('send', newId(), answered, now)
  return spans
}

/** What the span of a whole request is called. */
export function spanName(method: string): string {
  return METHODS.has(method) ? method : 'HTTP'
}

/** What is known of a request before it is answered, which samplers may look at. */
export function requestAttributes(request: {
  readonly method: string
  readonly target: string
  readonly secure?: boolean
}): Attribute[] {
  const { method, target, secure } = request
  return [
    ['http.request.method', METHODS.has(method) ? method : '_OTHER'],
    ['url.path', pathOf(target).slice(0, LONGEST_PATH)],
    ['url.scheme', secure === true ? 'https' : 'http'],
  ]
}

export function attributesOf(record: RequestEnded): Attribute[] {
  const { method, status, protocol, remoteAddress } = record
  const attributes = requestAttributes(record)
  attributes.push(
    ['http.response.status_code', status],
    ['network.protocol.version', protocol.slice(protocol.indexOf('/') + 1).replace('2.0', '2')],
    ['http.response.body.size', record.bytes],
  )
  if (!METHODS.has(method))
    attributes.push(['http.request.method_original', method.slice(0, LONGEST_TEXT)])
  if (remoteAddress !== '') attributes.push(['client.address', remoteAddress])
  const host = record.header('host')
  if (host !== undefined) attributes.push(['server.address', host.slice(0, LONGEST_TEXT)])
  const agent = record.header('user-agent')
  if (agent !== undefined) attributes.push(['user_agent.original', agent.slice(0, LONGEST_TEXT)])
  if (status >= 500) attributes.push(['error.type', String(status)])
  return attributes
}

function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

/** When `performance.now()` was 0, in milliseconds since 1970. */
let began = performance.timeOrigin
/** By how many milliseconds the clocks may differ before it is set again. */
const DRIFT = 20

/**
 * What has to be added to a time of `performance.now()`, for milliseconds since 1970. Wall clocks
 * are set, and the spans of a long-lived process would drift away from others'.
 */
export function wallClock(now: number): number {
  const measured = Date.now() - now
  if (Math.abs(measured - began) > DRIFT) began = measured
  return began
}

const random = Buffer.alloc(1024)
let at = random.length

export function newId(): string {
  if (at === random.length) {
    randomFillSync(random)
    at = 0
  }
  at += 8
  return random.toString('hex', at - 8, at)
}
