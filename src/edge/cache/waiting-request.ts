import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RunningFill, Waiter } from './cache-context.ts'
import type { StoredResponse } from './stored-response.ts'

/** A request that waits for the response to another one. */
export class WaitingRequest implements RequestSink, Waiter {
  readonly head: RequestHead
  readonly reply: Reply
  readonly #fill: RunningFill
  readonly #goOn: (stored: StoredResponse | null) => RequestSink
  /** What handles it when it does not wait any more. */
  #sink: RequestSink | null = null
  #bodyEnded = false
  #clientEnded = false
  #over = false

  /** @param goOn handles the request, with what has been stored or without */
  constructor(
    head: RequestHead,
    reply: Reply,
    fill: RunningFill,
    goOn: (stored: StoredResponse | null) => RequestSink,
  ) {
    this.head = head
    this.reply = reply
    this.#fill = fill
    this.#goOn = goOn
  }

  release(stored: StoredResponse | null): void {
    // Not from within the other exchange, which may be in the middle of something.
    setImmediate(() => {
      if (this.#over) return
      const sink = this.#goOn(stored)
      this.#sink = sink
      sink.begin()
      if (this.#bodyEnded && !this.#over) sink.bodyEnd()
      if (this.#clientEnded && !this.#over) sink.clientEnded()
    })
  }

  begin(): void {}

  bodyData(): void {}

  bodyEnd(): void {
    this.#bodyEnded = true
    this.#sink?.bodyEnd()
  }

  clientEnded(): void {
    this.#clientEnded = true
    this.#sink?.clientEnded()
  }

  written(bytes: number): void {
    this.#sink?.written(bytes)
  }

  closed(completed: boolean, refusedWith?: number): void {
    this.#over = true
    if (this.#sink === null) this.#fill.leave(this)
    else this.#sink.closed(completed, refusedWith)
  }
}
