import type { Span } from '../bytes/span.ts'
import type { Reply } from '../http/exchange.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'
import type { AddedFields } from './added-fields.ts'
import { RelayedExchange } from './relayed-exchange.ts'

/** Adds fields to the response of an exchange, whoever makes it. */
export class AddingExchange extends RelayedExchange {
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
