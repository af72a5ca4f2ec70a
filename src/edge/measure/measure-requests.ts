import type { RequestMeter } from '../../metrics/request-meter.ts'
import type { EdgeHandler } from '../chain.ts'
import { MeasuredExchange } from './measured-exchange.ts'

/**
 * Measures every request for `metrics_bind`. It must be the outermost handler, so that the answer
 * of any other is seen. Without that setting it is not in the chain.
 */
export function measureRequests(meter: RequestMeter): EdgeHandler {
  return (next) => (head, reply) => {
    const exchange = new MeasuredExchange(meter, head, reply)
    exchange.sink = next(head, exchange)
    return exchange
  }
}
