import type { RequestEvents } from '../../observe/request-events.ts'
import type { EdgeHandler } from '../chain.ts'
import { ObservedExchange } from './observed-exchange.ts'

/**
 * Publishes when requests begin and end. It must be the outermost handler, so that whatever answers
 * a request, its answer is seen.
 *
 * Without listeners, a request costs two look-ups here; with listeners, an object. A request that
 * began before the first subscription is not reported when it ends.
 */
export function observeRequests(events: RequestEvents): EdgeHandler {
  const { requestBegun, requestEnded } = events
  return (next) => (head, reply) => {
    if (!requestEnded.hasListeners && !requestBegun.hasListeners) return next(head, reply)
    const exchange = new ObservedExchange(events, head, reply)
    exchange.sink = next(head, exchange)
    exchange.publishBegin()
    return exchange
  }
}
