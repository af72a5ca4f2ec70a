import type { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { Field, ResponseHead } from '../../http/response-head.ts'
import { AddedFields } from '../added-fields.ts'
import type { EdgeHandler } from '../chain.ts'
import { RelayedExchange } from '../relayed-exchange.ts'

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
    const exchange = new SecuredExchange(reply, added)
    exchange.sink = next(head, exchange)
    return exchange
  }
}

class SecuredExchange extends RelayedExchange {
  readonly #added: AddedFields

  constructor(reply: Reply, added: AddedFields) {
    super(reply)
    this.#added = added
  }

  override respond(head: ResponseHead, body: Span): boolean {
    return this.reply.respond(this.#added.to(head), body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    return this.reply.start(this.#added.to(head), body)
  }

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.reply.refuse(status, { ...options, fields: this.#added.with(options?.fields ?? []) })
  }
}
