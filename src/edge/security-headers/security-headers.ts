import type { Field } from '../../http/response-head.ts'
import { AddedFields } from '../added-fields.ts'
import { AddingExchange } from '../adding-exchange.ts'
import type { EdgeHandler } from '../chain.ts'

/**
 * What OWASP's secure headers project and the defaults of Django and helmet have in common, as far
 * as it breaks no site:
 *
 * - no Content-Security-Policy and no Permissions-Policy, which depend on what a site does;
 * - no Cross-Origin-Resource-Policy, which would break files that other sites embed;
 * - pop-ups to other sites (sign-in, payment) keep their opener, so `same-origin-allow-popups`.
 */
export const SECURITY_HEADERS: readonly Field[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'strict-origin-when-cross-origin'],
  ['X-Frame-Options', 'SAMEORIGIN'],
  ['Cross-Origin-Opener-Policy', 'same-origin-allow-popups'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
]

/** Adds {@link SECURITY_HEADERS} to all responses; a field that a response has already stays. */
export function securityHeaders(): EdgeHandler {
  const added = new AddedFields(SECURITY_HEADERS)
  return (next) => (head, reply) => {
    const exchange = new AddingExchange(reply, added)
    exchange.sink = next(head, exchange)
    return exchange
  }
}
