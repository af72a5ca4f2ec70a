import type { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import { clientOf, type RequestHead } from '../../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../../http/response-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import { RequestTimes } from '../../observe/request-times.ts'
import { endedStatus } from '../ended-status.ts'
import { RelayedExchange } from '../relayed-exchange.ts'
import { EndedRequest } from './ended-request.ts'

/** Notes how the request is answered. */
export class ObservedExchange extends RelayedExchange {
  readonly #events: RequestEvents
  readonly #head: RequestHead
  /** Milliseconds since 1970. */
  readonly #startedAt: number
  #response: ResponseHead | null = null

  constructor(events: RequestEvents, head: RequestHead, reply: Reply) {
    super(reply)
    this.#events = events
    this.#head = head
    const now = performance.now()
    this.#startedAt = performance.timeOrigin + now
    // Metrics, which come before, may take times too.
    if (events.timed) head.times ??= new RequestTimes(now)
  }

  /** Call it when the handlers have the request: they know who the client is. */
  publishBegin(): void {
    const { requestBegun } = this.#events
    if (!requestBegun.hasListeners) return
    const head = this.#head
    requestBegun.publish({
      method: head.method,
      target: head.target,
      remoteAddress: clientOf(head, this.reply).remoteAddress,
      startedAt: this.#startedAt,
    })
  }

  override closed(completed: boolean, refusedWith?: number): void {
    const { requestEnded } = this.#events
    const { bytesSent } = this.reply
    const client = clientOf(this.#head, this.reply)
    this.sink.closed(completed, refusedWith)
    if (!requestEnded.hasListeners) return
    const response = this.#response
    const status = endedStatus(response?.status, completed, refusedWith)
    requestEnded.publish(
      new EndedRequest(this.#head, client, response, status, bytesSent, this.#startedAt),
    )
  }

  override respond(head: ResponseHead, body: Span): boolean {
    this.#response = head
    return this.reply.respond(head, body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    this.#response = head
    return this.reply.start(head, body)
  }

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.#response = responseHead(status, options?.fields ?? [])
    this.reply.refuse(status, options)
  }
}
