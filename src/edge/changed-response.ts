import type { Span } from '../bytes/span.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'
import { RelayedExchange } from './relayed-exchange.ts'

/** An exchange whose response gets another head, whoever makes it. */
export abstract class ChangedResponse extends RelayedExchange {
  /** What becomes of the head of a response. */
  protected abstract changed(head: ResponseHead): ResponseHead

  /** What becomes of the fields of the server's own answers: nothing, unless it is overridden. */
  protected changedFields(fields: readonly Field[]): readonly Field[] {
    return fields
  }

  override respond(head: ResponseHead, body: Span): boolean {
    return this.reply.respond(this.changed(head), body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    return this.reply.start(this.changed(head), body)
  }

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    const fields = this.changedFields(options?.fields ?? [])
    this.reply.refuse(status, { ...options, fields })
  }
}
