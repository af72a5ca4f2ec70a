import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { isUnchanged, requestedPart } from './conditions.ts'
import { CONDITIONAL, RANGE } from './request-facts.ts'
import type { StoredResponse } from './stored-response.ts'

/** Bytes of a body that are under way to a client; a longer body is sent piece by piece. */
const WINDOW = 128 * 1024
/** Points at the bytes that are given to the engine; all answers share it. */
const PIECE = new Span()

/** How a request came to be answered from the store. */
export interface Origin {
  /** See `requestFacts`. */
  readonly flags: number
  /** The parameters of Cache-Status. */
  readonly status: (ttl: number) => string
  /** Nothing else happened for this answer. */
  readonly hit: boolean
}

/** Answers a request with a stored response, or as much of it as the client needs. */
export class StoredAnswer implements RequestSink {
  readonly #head: RequestHead
  readonly #stored: StoredResponse
  readonly #origin: Origin
  /** Null when the exchange is over. */
  #reply: Reply | null
  #at = 0
  #end = 0
  #unwritten = 0

  constructor(head: RequestHead, reply: Reply, stored: StoredResponse, origin: Origin) {
    this.#head = head
    this.#reply = reply
    this.#stored = stored
    this.#origin = origin
    stored.hold()
  }

  begin(): void {
    const { flags, status, hit } = this.#origin
    const stored = this.#stored
    const reply = this.#reply!
    const now = Date.now()
    if ((flags & CONDITIONAL) !== 0 && isUnchanged(this.#head, stored)) {
      reply.respond(stored.headWithout(304, now, status), PIECE.set(stored.body, 0, 0))
      return
    }
    const part = (flags & RANGE) === 0 ? 'whole' : requestedPart(this.#head, stored)
    const { length } = stored.body
    if (part === 'none') {
      const content = { fields: [['Content-Range', `bytes */${length}`]] as const, length: -1 }
      reply.respond(stored.headWithout(416, now, status, content), PIECE.set(stored.body, 0, 0))
    } else if (part === 'whole') {
      this.#send(stored.head(now, hit, status), 0, length)
    } else {
      const { start, end } = part
      const fields = [
        ['Content-Range', `bytes ${start}-${end - 1}/${length}`],
        ['Content-Length', String(end - start)],
      ] as const
      const content = { fields, length: end - start }
      this.#send(stored.headWithout(206, now, status, content), start, end)
    }
  }

  #send(head: Parameters<Reply['respond']>[0], start: number, end: number): void {
    const reply = this.#reply!
    const { body } = this.#stored
    if (end - start <= WINDOW || this.#head.method === 'HEAD') {
      reply.respond(head, PIECE.set(body, start, end))
      PIECE.clear()
      return
    }
    this.#at = start
    this.#end = end
    reply.start(head)
    this.#sendMore()
  }

  #sendMore(): void {
    const { body } = this.#stored
    while (this.#reply !== null && this.#at < this.#end && this.#unwritten * 2 <= WINDOW) {
      const next = Math.min(this.#end, this.#at + WINDOW / 2)
      const from = this.#at
      this.#at = next
      this.#unwritten += next - from
      this.#reply.data(PIECE.set(body, from, next))
      PIECE.clear()
      if (next === this.#end) this.#reply?.finish()
    }
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(bytes: number): void {
    this.#unwritten -= bytes
    this.#sendMore()
  }

  closed(): void {
    if (this.#reply === null) return
    this.#reply = null
    this.#stored.release()
  }
}
