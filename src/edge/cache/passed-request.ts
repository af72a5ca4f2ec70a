import type { Reply } from '../../http/exchange.ts'
import type { Field, ResponseHead } from '../../http/response-head.ts'
import { ChangedResponse } from '../changed-response.ts'
import { statusField, withStatus } from './cache-status.ts'

/** A request that the store is not for. Its answer says so. */
export class PassedRequest extends ChangedResponse {
  readonly #status: string

  /** @param status the parameters of Cache-Status */
  constructor(reply: Reply, status: string) {
    super(reply)
    this.#status = status
  }

  protected override changed(head: ResponseHead): ResponseHead {
    return withStatus(head, this.#status)
  }

  protected override changedFields(fields: readonly Field[]): readonly Field[] {
    return [...fields, statusField(this.#status)]
  }
}
