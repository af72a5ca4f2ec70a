import { AddedFields } from '../added-fields.ts'
import { AddingExchange } from '../adding-exchange.ts'
import type { EdgeHandler } from '../chain.ts'

/**
 * Adds Strict-Transport-Security to responses over HTTPS, unless the application has set it. Over
 * plain HTTP it must not be sent (RFC 6797 §7.2).
 *
 * @param value of the field: `max-age=31536000; includeSubDomains`
 */
export function hsts(value: string): EdgeHandler {
  const added = new AddedFields([['Strict-Transport-Security', value]])
  return (next) => (head, reply) => {
    if (!head.secure) return next(head, reply)
    const exchange = new AddingExchange(reply, added)
    exchange.sink = next(head, exchange)
    return exchange
  }
}
