import type { Reply, RequestSink } from '../http/exchange.ts'
import { clientOf, type RequestHead } from '../http/request-head.ts'
import type { Field } from '../http/response-head.ts'
import type { RequestEvents } from '../observe/request-events.ts'

/** Why a request does not reach the application. */
export interface RefusalAnswer {
  readonly status: number
  /** For the log. */
  readonly reason: string
  /** Further fields of the answer. */
  readonly fields: readonly Field[]
  /** The connection stays open if the request has no body. */
  readonly keepsConnection?: boolean
}

/**
 * Answers a request with one of the server's own small answers, and usually closes the connection
 * after it, so that its body need not be read.
 */
export class RefusedRequest implements RequestSink {
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #refusal: RefusalAnswer
  readonly #events: RequestEvents

  constructor(head: RequestHead, reply: Reply, refusal: RefusalAnswer, events: RequestEvents) {
    this.#head = head
    this.#reply = reply
    this.#refusal = refusal
    this.#events = events
  }

  begin(): void {
    const { status, reason, fields, keepsConnection = false } = this.#refusal
    this.#events.publishRefusal(this.#head, clientOf(this.#head, this.#reply), status, reason)
    this.#reply.refuse(status, { close: !keepsConnection || this.#head.hasBody, fields })
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(): void {}

  closed(): void {}
}
