import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { Field } from '../../http/response-head.ts'

/** Answers a request with one of the server's own small answers. */
export class SmallReply implements RequestSink {
  readonly #reply: Reply
  readonly #status: number
  readonly #fields: readonly Field[]

  constructor(reply: Reply, status: number, fields: readonly Field[]) {
    this.#reply = reply
    this.#status = status
    this.#fields = fields
  }

  begin(): void {
    this.#reply.refuse(this.#status, { fields: this.#fields })
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(): void {}

  closed(): void {}
}
