import { owned } from '../bytes/lent-memory.ts'
import type { Reply, RequestHandler, RequestSink } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'

/** Passes requests on to a handler: one by one, as they are asked for, or all. The others wait. */
export class Turnstile {
  /** Resolves when no more requests are passed on. */
  readonly closed: Promise<void>
  readonly #handler: RequestHandler
  readonly #waiting: Held[] = []
  readonly #permits: ((held: Held | null) => void)[] = []
  #state: 'one by one' | 'open' | 'closed' = 'one by one'
  #resolveClosed: () => void = () => {}

  constructor(handler: RequestHandler) {
    this.#handler = handler
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  /** The handler for the engine. */
  readonly handle: RequestHandler = (head, reply) => {
    if (this.#state === 'open') return this.#handler(head, reply)
    const held = new Held(this.#handler, head, reply, () => this.#forget(held))
    if (this.#state === 'closed') {
      held.refuse()
      return held
    }
    const permit = this.#permits.shift()
    if (permit === undefined) this.#waiting.push(held)
    else queueMicrotask(() => permit(held))
    return held
  }

  /** Passes on all requests from now on. */
  open(): void {
    if (this.#state === 'closed') return
    this.#state = 'open'
    for (const held of this.#waiting.splice(0)) held.admit()
  }

  /** Passes on one request; resolves when its exchange is over. */
  admitOne(): Promise<void> {
    return new Promise((resolve) => {
      const permit = (held: Held | null) => {
        if (held === null) resolve()
        else held.admit(resolve)
      }
      if (this.#state === 'closed') return resolve()
      const held = this.#waiting.shift()
      if (held === undefined) this.#permits.push(permit)
      else permit(held)
    })
  }

  /** Passes on no more requests: those that wait are answered 503. */
  close(): void {
    this.#state = 'closed'
    for (const held of this.#waiting.splice(0)) held.refuse()
    for (const permit of this.#permits.splice(0)) permit(null)
    this.#resolveClosed()
  }

  #forget(held: Held): void {
    const at = this.#waiting.indexOf(held)
    if (at !== -1) this.#waiting.splice(at, 1)
  }
}

/** A request that waits: it records the engine's calls, to repeat them to the handler later. */
class Held implements RequestSink {
  readonly #handler: RequestHandler
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #gone: () => void
  #sink: RequestSink | null = null
  #over: (() => void) | null = null
  #begun = false
  #chunks: Buffer[] = []
  #bodyEnded = false
  #clientEnded = false
  #isGone = false
  #refused = false

  constructor(handler: RequestHandler, head: RequestHead, reply: Reply, gone: () => void) {
    this.#handler = handler
    this.#head = head
    this.#reply = reply
    this.#gone = gone
  }

  admit(over?: () => void): void {
    if (this.#isGone) return over?.()
    this.#over = over ?? null
    const sink = this.#handler(this.#head, this.#reply)
    this.#sink = sink
    if (this.#begun) sink.begin()
    for (const chunk of this.#chunks.splice(0)) sink.bodyData(chunk)
    if (this.#isGone) return
    if (this.#bodyEnded) sink.bodyEnd()
    else this.#reply.resumeBody()
    if (this.#clientEnded && !this.#isGone) sink.clientEnded()
  }

  /** Answers 503 as soon as the engine is ready for an answer. */
  refuse(): void {
    this.#refused = true
    if (this.#begun && !this.#isGone) this.#reply.refuse(503, { close: true })
  }

  begin(): void {
    this.#begun = true
    if (this.#refused) this.refuse()
    else this.#sink?.begin()
  }

  bodyData(chunk: Buffer): void {
    if (this.#sink !== null) return this.#sink.bodyData(chunk)
    this.#chunks.push(owned(chunk))
    this.#reply.pauseBody()
  }

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
    this.#isGone = true
    this.#gone()
    this.#sink?.closed(completed, refusedWith)
    this.#over?.()
  }
}
