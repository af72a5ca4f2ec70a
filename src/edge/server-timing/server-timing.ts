import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { Field, ResponseHead } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'
import { ChangedResponse } from '../changed-response.ts'
import { Networks } from '../networks.ts'
import { formatTraceParent } from '../tracing/trace-context.ts'

export interface ServerTimingOptions {
  /** Addresses and networks of those who get it; `*` for all. */
  readonly tells: readonly string[]
}

/**
 * Adds `Server-Timing` (W3C Server Timing) to responses: how long the request waited for a worker
 * (`queue`), and how long the application took until it gave the head (`app`), in milliseconds.
 * With traces, `traceparent` names the trace, so that a browser's monitoring can continue it.
 *
 * What the application has put into the field stays: this is another field of that name.
 */
export function serverTiming({ tells }: ServerTimingOptions): EdgeHandler {
  const networks = new Networks(tells)
  /** Most requests come from few addresses, and a look-up costs microseconds. */
  let last = { address: '', tells: true }
  return (next) => (head, reply) => {
    const { remoteAddress } = reply.peer
    if (remoteAddress !== last.address) {
      last = { address: remoteAddress, tells: networks.trusts(remoteAddress) }
    }
    if (!last.tells) return next(head, reply)
    const exchange = new TimedExchange(head, reply)
    exchange.sink = next(head, exchange)
    return exchange
  }
}

class TimedExchange extends ChangedResponse {
  readonly #head: RequestHead

  constructor(head: RequestHead, reply: Reply) {
    super(reply)
    this.#head = head
  }

  protected override changed(head: ResponseHead): ResponseHead {
    const { status, reason, contentLength, hasDate, hasServer } = head
    const fields = this.changedFields(head.fields)
    if (fields === head.fields) return head
    return { status, reason, fields, contentLength, hasDate, hasServer, rendered: null }
  }

  protected override changedFields(fields: readonly Field[]): readonly Field[] {
    const { times, trace } = this.#head
    const metrics: string[] = []
    if (times !== null && times.begun > 0) {
      metrics.push(`queue;dur=${milliseconds(times.queued, times.begun)}`)
      metrics.push(`app;dur=${milliseconds(times.begun, times.answered || times.finished)}`)
    }
    if (trace !== null) {
      const { traceId, spanId, sampled } = trace
      metrics.push(`traceparent;desc="${formatTraceParent(traceId, spanId, sampled)}"`)
    }
    return metrics.length === 0 ? fields : [...fields, ['Server-Timing', metrics.join(', ')]]
  }
}

function milliseconds(from: number, to: number): string {
  return Math.max(0, to - from).toFixed(2)
}
