import { owned } from '../../bytes/lent-memory.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import { RelayedExchange } from '../relayed-exchange.ts'

/**
 * Holds a request back until it is decided who handles it, then hands it on as if it had come only
 * now. Its body is not read in the meantime.
 */
export class WaitingExchange extends RelayedExchange {
  #decided = false
  #begun = false
  #bodyEnded = false
  #clientEnded = false
  #over = false
  /** What of the body was on its way when reading stopped; usually nothing. */
  #chunks: Buffer[] = []
  /** This object stops the body … */
  #holdsBody: boolean
  /** … or the handler does. */
  #paused = false

  /** @param hasBody whether the request has a body */
  constructor(reply: Reply, hasBody: boolean) {
    super(reply)
    this.#holdsBody = hasBody
  }

  /** Hands the request on: to the sink that `handle` returns. Nothing happens if it is over. */
  decide(handle: (reply: Reply) => RequestSink): void {
    if (this.#over) return
    this.sink = handle(this)
    this.#decided = true
    if (this.#begun) this.#handOver()
  }

  /** Each step may end the exchange. */
  #handOver(): void {
    this.sink.begin()
    for (const chunk of this.#chunks) if (!this.#over) this.sink.bodyData(chunk)
    this.#chunks = []
    if (this.#bodyEnded && !this.#over) this.sink.bodyEnd()
    if (this.#clientEnded && !this.#over) this.sink.clientEnded()
    if (!this.#holdsBody || this.#over) return
    this.#holdsBody = false
    if (!this.#paused) this.reply.resumeBody()
  }

  override begin(): void {
    this.#begun = true
    if (this.#decided) {
      this.#holdsBody = false
      this.sink.begin()
    } else if (this.#holdsBody) this.reply.pauseBody()
  }

  override bodyData(chunk: Buffer): void {
    if (this.#decided) this.sink.bodyData(chunk)
    else this.#chunks.push(owned(chunk))
  }

  override bodyEnd(): void {
    if (this.#decided) this.sink.bodyEnd()
    else this.#bodyEnded = true
  }

  override clientEnded(): void {
    if (this.#decided) this.sink.clientEnded()
    else this.#clientEnded = true
  }

  override written(bytes: number): void {
    if (this.#decided) this.sink.written(bytes)
  }

  override closed(completed: boolean, refusedWith?: number): void {
    this.#over = true
    if (this.#decided) this.sink.closed(completed, refusedWith)
  }

  override pauseBody(): void {
    this.#paused = true
    if (!this.#holdsBody) this.reply.pauseBody()
  }

  override resumeBody(): void {
    this.#paused = false
    if (!this.#holdsBody) this.reply.resumeBody()
  }
}
