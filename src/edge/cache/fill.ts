import { EMPTY, Span } from '../../bytes/span.ts'
import type { Peer, Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { Field, ResponseHead } from '../../http/response-head.ts'
import type { CacheContext, RunningFill, Waiter } from './cache-context.ts'
import { statusField, withStatus } from './cache-status.ts'
import type { RequestFacts } from './request-facts.ts'
import { type StorageRules, storageRules, usableOnError } from './storage-rules.ts'
import { StoredAnswer } from './stored-answer.ts'
import { StoredResponse } from './stored-response.ts'

const NOTHING = Buffer.alloc(0)
/** Statuses that `stale-if-error` is about (RFC 5861 §4). */
const ERRORS: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** What a fill is for. */
export interface FillPurpose {
  readonly facts: RequestFacts
  /** The request as the client sent it. */
  readonly head: RequestHead
  /** The stored response that the application is asked about; null if there is none. */
  readonly stale: StoredResponse | null
  /** The parameters of Cache-Status if the answer comes from the application. */
  readonly status: string
}

/**
 * One request to the application whose response may be stored. It stands between the client that
 * caused it, if there is one, and the next handler: the client gets the response while it is
 * gathered for the store.
 *
 * Other requests may wait for it. As long as there are any, it goes on at the pace of the
 * application, and when its own client leaves.
 */
export class Fill implements Reply, RequestSink, RunningFill {
  /** The next handler's. */
  sink!: RequestSink
  joinable = false
  readonly #context: CacheContext
  readonly #purpose: FillPurpose
  readonly #peer: Peer
  /** The client's; null if there is none, or not any more. */
  #reply: Reply | null
  /** Answers the client from the store, instead of the application. */
  #answer: StoredAnswer | null = null
  readonly #waiting = new Set<Waiter>()
  #timer: NodeJS.Timeout | null = null
  /** The response so far, if it is to be stored. */
  #head: ResponseHead | null = null
  #rules: StorageRules | null = null
  #chunks: Buffer[] = []
  #gathered = 0
  /** What comes of the response is not needed. */
  #ignoring = false
  /** It must not be stored: the resource has been changed since, or purged. */
  #outdated = false
  /** Nobody waits for it any more, and it is in no list. */
  #settled = false
  /** The next handler has been told that the exchange is over, or has ended it. */
  #over = false
  // Bytes of body: given by the application, and those for which it has got credit.
  #given = 0
  #credited = 0
  /** Of the bytes given, those that have left to the client. */
  #taken = 0

  constructor(context: CacheContext, purpose: FillPurpose, reply: Reply | null, peer: Peer) {
    this.#context = context
    this.#purpose = purpose
    this.#reply = reply
    this.#peer = peer
    context.fillBegins(this)
    if (this.#isBackground) context.refreshing++
  }

  get key(): string {
    return this.#purpose.facts.key
  }

  // ---------------------------------------------------------------- those that wait

  join(waiter: Waiter): boolean {
    if (!this.#context.mayWait()) return false
    this.#waiting.add(waiter)
    this.#context.waiting++
    this.#timer ??= setTimeout(() => this.#tooLong(), this.#context.options.wait * 1000).unref()
    this.#credit()
    return true
  }

  leave(waiter: Waiter): void {
    if (!this.#waiting.delete(waiter)) return
    this.#context.waiting--
    this.#cancelIfUseless()
  }

  /** Those that wait have waited long enough. */
  #tooLong(): void {
    this.joinable = false
    this.#context.forget(this)
    this.#release(null)
    this.#cancelIfUseless()
  }

  outdate(): void {
    this.#outdated = true
    this.joinable = false
    this.#stopGathering()
  }

  /** No client waits for it; it goes on by itself. */
  get #isBackground(): boolean {
    return this.#purpose.status === ''
  }

  /**
   * @param stored what they get; null if they have to ask by themselves
   */
  #release(stored: StoredResponse | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    this.#context.waiting -= waiting.length
    for (const waiter of waiting) waiter.release(stored)
  }

  /** The outcome is known. */
  #settle(stored: StoredResponse | null): void {
    if (this.#settled) return
    this.#settled = true
    this.#stopGathering()
    this.#context.fillEnds(this)
    if (this.#isBackground) this.#context.refreshing--
    this.#release(stored)
  }

  // ---------------------------------------------------------------- RequestSink, from the client

  begin(): void {
    this.sink.begin()
  }

  bodyData(chunk: Buffer): void {
    this.sink.bodyData(chunk)
  }

  bodyEnd(): void {
    this.sink.bodyEnd()
  }

  clientEnded(): void {
    // Others need the response as much.
    if (this.#waiting.size > 0) return
    this.joinable = false
    this.#context.forget(this)
    this.sink.clientEnded()
  }

  written(bytes: number): void {
    if (this.#answer !== null) return this.#answer.written(bytes)
    this.#taken += bytes
    this.#credit()
  }

  closed(completed: boolean, refusedWith?: number): void {
    this.#reply = null
    this.#answer?.closed()
    if (this.#over) return
    // The application has not finished, and its response is still needed, or worth no error.
    if (this.#answer !== null || (!completed && this.#waiting.size > 0)) return this.#credit()
    this.#over = true
    if (!completed) this.#settle(null)
    this.sink.closed(completed, refusedWith)
  }

  /** Ends the application's part if nobody needs it. */
  #cancelIfUseless(): void {
    if (this.#over || this.#waiting.size > 0) return
    if (this.#reply !== null || this.#answer !== null || this.#isBackground) return
    this.#over = true
    this.#settle(null)
    this.sink.closed(false)
  }

  /**
   * Lets the application go on: by what the client has taken, or by all that it has given if others
   * wait for the whole response.
   */
  #credit(): void {
    if (this.#over) return
    const atOnce = this.#reply === null || this.#answer !== null || this.#waiting.size > 0
    const credit = (atOnce ? this.#given : Math.min(this.#taken, this.#given)) - this.#credited
    if (credit <= 0) return
    this.#credited += credit
    // Not from within the call that gave the bytes.
    queueMicrotask(() => {
      if (!this.#over) this.sink.written(credit)
    })
  }

  // ---------------------------------------------------------------- Reply, from the application

  get peer(): Peer {
    return this.#peer
  }

  get bytesSent(): number {
    return this.#reply === null || this.#answer !== null ? this.#given : this.#reply.bytesSent
  }

  get taken(): number {
    return this.#reply === null || this.#answer !== null ? this.#given : this.#reply.taken
  }

  inform(status: 103, fields: readonly Field[]): void {
    // Of a response that is only compared with the stored one, nobody knows whether it is sent.
    if (this.#purpose.stale === null) this.#reply?.inform(status, fields)
  }

  respond(head: ResponseHead, body: Span): boolean {
    this.#given += body.length
    if (this.#diverts(head)) {
      this.#end(true)
      return false
    }
    this.#decide(head, body.length)
    this.#gather(body)
    const complete = head.contentLength === -1 || head.contentLength === body.length
    const marked = this.#marked(head)
    this.#store(complete)
    const reply = this.#reply
    if (reply === null) {
      this.#end(complete)
      return false
    }
    return reply.respond(marked, body)
  }

  start(head: ResponseHead, body: Span = EMPTY): boolean {
    this.#given += body.length
    if (this.#diverts(head)) {
      this.#credit()
      return false
    }
    this.#decide(head, head.contentLength)
    const own = this.#gather(body)
    const kept = this.#reply?.start(this.#marked(head), own ?? body) ?? false
    this.#credit()
    return kept && own === null
  }

  data(body: Span): boolean {
    this.#given += body.length
    if (this.#ignoring) {
      this.#credit()
      return false
    }
    const own = this.#gather(body)
    const kept = this.#reply?.data(own ?? body) ?? false
    this.#credit()
    return kept && own === null
  }

  finish(): void {
    const expected = this.#head?.contentLength ?? -1
    const complete = expected === -1 || expected === this.#gathered
    if (!this.#ignoring) this.#store(complete)
    if (this.#ignoring || this.#reply === null) this.#end(complete)
    else this.#reply.finish()
  }

  abort(atOnce?: boolean): void {
    this.#settle(null)
    if (this.#ignoring || this.#reply === null) this.#end(false)
    else this.#reply.abort(atOnce)
  }

  refuse(status: number, options: { close?: boolean; fields?: readonly Field[] } = {}): void {
    if (ERRORS.has(status) && this.#servesStale()) return this.#end(false)
    this.#settle(null)
    const reply = this.#reply
    if (reply === null) return this.#end(false)
    const { status: parameters } = this.#purpose
    const fields = [...(options.fields ?? []), statusField(parameters)]
    reply.refuse(status, { ...options, fields })
  }

  pauseBody(): void {
    this.#reply?.pauseBody()
  }

  resumeBody(): void {
    this.#reply?.resumeBody()
  }

  wantBody(): void {
    this.#reply?.wantBody()
  }

  /** The application has ended its response, and the client does not tell. */
  #end(completed: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#settle(null)
    this.sink.closed(completed)
  }

  // ---------------------------------------------------------------- the store

  /**
   * Answers with the stored response, if the application says that it has not changed, or fails.
   * @returns whether it does; then the rest of the application's response is not needed
   */
  #diverts(head: ResponseHead): boolean {
    const { stale } = this.#purpose
    if (stale === null) return false
    if (head.status === 304) {
      this.#validated(stale, head)
      return true
    }
    return ERRORS.has(head.status) && this.#servesStale()
  }

  /** The stored response is as good as new (RFC 9111 §4.3.4). */
  #validated(stale: StoredResponse, by: ResponseHead): void {
    const { facts, head } = this.#purpose
    const { options, store } = this.#context
    const now = Date.now()
    const updated = stale.updatedHead(by)
    const rules = storageRules(updated, facts.directives, options.heuristic, now)
    let stored = stale
    if (typeof rules === 'string') store.drop(facts.key)
    else {
      stored = new StoredResponse(updated, stale.body, rules)
      if (!this.#outdated) store.put(facts, head, stored)
    }
    const usable = typeof rules !== 'string' && rules.lifetime > rules.initialAge
    this.#answerWith(stored, 'fwd=stale; fwd-status=304')
    this.#settle(usable ? stored : null)
  }

  /** Answers with a stale response because the application fails, if that is allowed. */
  #servesStale(): boolean {
    const { stale } = this.#purpose
    if (stale === null || !usableOnError(stale.rules, Date.now())) return false
    this.#answerWith(stale, 'hit; detail=stale-if-error')
    this.#settle(stale)
    return true
  }

  #answerWith(stored: StoredResponse, parameters: string): void {
    this.#ignoring = true
    const reply = this.#reply
    if (reply === null) return
    const { facts, head } = this.#purpose
    const status = (ttl: number) => `${parameters}; ttl=${ttl}`
    const origin = { flags: facts.flags, hit: false, status }
    this.#answer = new StoredAnswer(head, reply, stored, origin)
    this.#answer.begin()
  }

  /** Decides whether the response is gathered. */
  #decide(head: ResponseHead, length: number): void {
    const { directives, key } = this.#purpose.facts
    const { options, memory, store } = this.#context
    const rules = storageRules(head, directives, options.heuristic, Date.now())
    const storable = typeof rules !== 'string' && length <= options.largest
    if (storable && !memory.full && !this.#outdated) {
      this.#head = head
      this.#rules = rules
      // Nobody may use it without asking, so it is not worth waiting for.
      if (rules.lifetime <= rules.initialAge) store.noteUncacheable(key)
      return
    }
    // An error may be over with the next request, and a client must not decide it for others.
    const lasting = head.status !== 304 && !ERRORS.has(head.status) && !directives.has('no-store')
    if (!storable && lasting) store.noteUncacheable(key)
    this.#settle(null)
  }

  /**
   * @returns the copy, which the client gets: the memory of `body` may be used again as soon as the
   * application has credit, which it may have before the client has taken this. Null for none
   */
  #gather(body: Span): Span | null {
    if (this.#head === null || body.length === 0) return null
    const { options, memory, store } = this.#context
    const tooLarge = this.#gathered + body.length > options.largest
    if (tooLarge || memory.full) {
      if (tooLarge) store.noteUncacheable(this.key)
      this.#settle(null)
      return null
    }
    this.#gathered += body.length
    memory.add(body.length)
    const chunk = Buffer.from(body.view())
    this.#chunks.push(chunk)
    return new Span().set(chunk, 0, chunk.length)
  }

  #stopGathering(): void {
    if (this.#chunks.length > 0) this.#context.memory.add(-this.#gathered)
    this.#chunks = []
    this.#head = null
    this.#gathered = 0
  }

  /** Puts the whole response into the store. */
  #store(complete: boolean): void {
    const head = this.#head
    const rules = this.#rules
    if (head === null || rules === null || !complete) return this.#settle(null)
    const { facts, head: request } = this.#purpose
    const body = this.#gathered === 0 ? NOTHING : Buffer.allocUnsafeSlow(this.#gathered)
    let at = 0
    for (const chunk of this.#chunks) at += chunk.copy(body, at)
    const stored = new StoredResponse(head, body, rules)
    this.#context.store.put(facts, request, stored)
    this.#settle(rules.lifetime > rules.initialAge ? stored : null)
  }

  #marked(head: ResponseHead): ResponseHead {
    const { status } = this.#purpose
    return withStatus(head, this.#head === null ? status : `${status}; stored`)
  }
}
