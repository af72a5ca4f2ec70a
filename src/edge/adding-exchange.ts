import type { Reply } from '../http/exchange.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'
import type { AddedFields } from './added-fields.ts'
import { ChangedResponse } from './changed-response.ts'

/** Adds fields to the response of an exchange, whoever makes it. */
export class AddingExchange extends ChangedResponse {
  readonly #added: AddedFields

  constructor(reply: Reply, added: AddedFields) {
    super(reply)
    this.#added = added
  }

  protected override changed(head: ResponseHead): ResponseHead {
    return this.#added.to(head)
  }

  protected override changedFields(fields: readonly Field[]): readonly Field[] {
    return this.#added.with(fields)
  }
}
