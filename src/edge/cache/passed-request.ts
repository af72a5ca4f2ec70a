import type { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { Field, ResponseHead } from '../../http/response-head.ts'
import { RelayedExchange } from '../relayed-exchange.ts'
import { statusField, withStatus } from './cache-status.ts'

/** A request that the store is not for. Its answer says so. */
export class PassedRequest extends RelayedExchange {
  readonly #status: string

  /** @param status the parameters of Cache-Status */
  constructor(reply: Reply, status: string) {
    super(reply)
    this.#status = status
  }

  override respond(head: ResponseHead, body: Span): boolean {
    return this.reply.respond(withStatus(head, this.#status), body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    return this.reply.start(withStatus(head, this.#status), body)
  }

  override refuse(
    status: number,
    options: { close?: boolean; fields?: readonly Field[] } = {},
  ): void {
    const fields = [...(options.fields ?? []), statusField(this.#status)]
    this.reply.refuse(status, { ...options, fields })
  }
}
