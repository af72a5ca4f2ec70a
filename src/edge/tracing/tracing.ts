import type { Peer } from '../../http/peer.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RequestTrace } from '../../observe/request-trace.ts'
import type { EdgeHandler } from '../chain.ts'
import { Networks } from '../networks.ts'
import { parseTraceParent, passedTraceState, type TraceParent } from './trace-context.ts'
import { TraceIds } from './trace-ids.ts'
import { TracedHead } from './traced-head.ts'

/**
 * Decides whether a trace is recorded.
 *
 * @param traceId 32 hexadecimal digits
 * @param parent whether the sender records it; null if the trace begins here
 */
export type Sampler = (traceId: string, parent: boolean | null) => boolean

/** The trace of a sender, which a request continues. */
export interface RemoteTrace extends TraceParent {
  /** See {@link RequestTrace.state}. */
  readonly state: string
}

/** Begins the trace of a request with a library of the application's. */
export interface TraceLibrary {
  /**
   * @param remote null if the trace begins here
   * @returns null if the library does not take part
   */
  begin(head: RequestHead, remote: RemoteTrace | null): RequestTrace | null
}

export interface TracingOptions {
  /** Addresses and networks whose traces are continued; `*` for all. */
  readonly continues: readonly string[]
  readonly sampler: Sampler
  /** The application has a span of its own, which is the parent of what it records. */
  readonly recordsSpans: boolean
  /** Null for ids and decisions of our own. */
  readonly library: TraceLibrary | null
}

/**
 * Gives each request its place in a trace: in that of the sender, if it is trusted and says a valid
 * one, otherwise in a new one. It comes before the handlers that answer or refuse requests, so that
 * each of them has it.
 */
export function traceRequests(options: TracingOptions): EdgeHandler {
  const { sampler, recordsSpans, library } = options
  const networks = new Networks(options.continues)
  const ids = new TraceIds()
  return (next) => (head, reply) => {
    const remote = remoteOf(head, reply.peer)
    head.trace = library?.begin(head, remote) ?? traceOf(remote)
    return next(head, reply)
  }

  /** @returns null for one that is not trusted or not valid, as for none */
  function remoteOf(head: RequestHead, peer: Peer): RemoteTrace | null {
    // First what is cheap: most requests have none.
    const field = head.get('traceparent')
    if (field === undefined || !networks.trusts(peer.remoteAddress)) return null
    const parent = parseTraceParent(field)
    if (parent === null) return null
    const { traceId, spanId, sampled } = parent
    return { traceId, spanId, sampled, state: passedTraceState(head.get('tracestate') ?? '') }
  }

  function traceOf(remote: RemoteTrace | null): RequestTrace {
    const random = ids.next()
    const spanId = random.slice(32, 48)
    const applicationId = recordsSpans ? random.slice(48) : spanId
    const traceId = remote?.traceId ?? random.slice(0, 32)
    const parentId = remote?.spanId ?? ''
    const sampled = sampler(traceId, remote?.sampled ?? null)
    return { traceId, spanId, parentId, applicationId, sampled, state: remote?.state ?? '' }
  }
}

/** Tells the application its place in the trace. The innermost handler: others need no new head. */
export function tellTraces(): EdgeHandler {
  return (next) => (head, reply) =>
    next(head.trace === null ? head : new TracedHead(head, head.trace), reply)
}
