import type { Span } from '../../bytes/span.ts'
import type { Peer, Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../../http/response-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import { EndedRequest } from './ended-request.ts'

/**
 * The status that logs show for a client that left before its answer; nginx made the number known.
 */
const CLIENT_LEFT = 499

/**
 * Stands between the engine and the next handler and notes how the request is answered. It is the
 * reply that the handler sees and the sink that the engine sees in one object, because one is made
 * per request.
 */
export class ObservedExchange implements Reply, RequestSink {
  /** The next handler's. */
  sink!: RequestSink
  readonly #events: RequestEvents
  readonly #head: RequestHead
  readonly #reply: Reply
  /** Milliseconds since 1970. */
  readonly #startedAt = performance.timeOrigin + performance.now()
  #response: ResponseHead | null = null

  constructor(events: RequestEvents, head: RequestHead, reply: Reply) {
    this.#events = events
    this.#head = head
    this.#reply = reply
    const { requestBegun } = events
    if (!requestBegun.hasListeners) return
    requestBegun.publish({
      method: head.method,
      target: head.target,
      remoteAddress: reply.peer.remoteAddress,
      startedAt: this.#startedAt,
    })
  }

  // ---------------------------------------------------------------- RequestSink, to the handler

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
    this.sink.clientEnded()
  }

  written(bytes: number): void {
    this.sink.written(bytes)
  }

  closed(completed: boolean, refusedWith?: number): void {
    const { requestEnded } = this.#events
    const { bytesSent } = this.#reply
    this.sink.closed(completed, refusedWith)
    if (!requestEnded.hasListeners) return
    const response = this.#response
    const status = response?.status ?? refusedWith ?? (completed ? 500 : CLIENT_LEFT)
    requestEnded.publish(
      new EndedRequest(this.#head, this.#reply.peer, response, status, bytesSent, this.#startedAt),
    )
  }

  // ---------------------------------------------------------------- Reply, to the engine

  get peer(): Peer {
    return this.#reply.peer
  }

  get bytesSent(): number {
    return this.#reply.bytesSent
  }

  get taken(): number {
    return this.#reply.taken
  }

  respond(head: ResponseHead, body: Span): boolean {
    this.#response = head
    return this.#reply.respond(head, body)
  }

  start(head: ResponseHead, body?: Span): boolean {
    this.#response = head
    return this.#reply.start(head, body)
  }

  data(body: Span): boolean {
    return this.#reply.data(body)
  }

  finish(): void {
    this.#reply.finish()
  }

  abort(atOnce?: boolean): void {
    this.#reply.abort(atOnce)
  }

  refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.#response = responseHead(status, options?.fields ?? [])
    this.#reply.refuse(status, options)
  }

  pauseBody(): void {
    this.#reply.pauseBody()
  }

  resumeBody(): void {
    this.#reply.resumeBody()
  }

  wantBody(): void {
    this.#reply.wantBody()
  }
}
