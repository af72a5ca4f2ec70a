import type { Span } from '../bytes/span.ts'
import type { LentSocket, Peer, Reply, RequestSink } from '../http/exchange.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'

/**
 * Stands between the engine and the next handler, and passes everything on. A handler that wants to
 * see or change something overrides that method. It is the reply that the next handler sees and the
 * sink that the engine sees in one object, because one is made per request.
 */
export class RelayedExchange implements Reply, RequestSink {
  /** The next handler's. */
  sink!: RequestSink
  protected readonly reply: Reply

  constructor(reply: Reply) {
    this.reply = reply
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
    this.sink.closed(completed, refusedWith)
  }

  // ---------------------------------------------------------------- Reply, to the engine

  get peer(): Peer {
    return this.reply.peer
  }

  get bytesSent(): number {
    return this.reply.bytesSent
  }

  get taken(): number {
    return this.reply.taken
  }

  inform(status: 103, fields: readonly Field[]): void {
    this.reply.inform(status, fields)
  }

  respond(head: ResponseHead, body: Span): boolean {
    return this.reply.respond(head, body)
  }

  start(head: ResponseHead, body?: Span): boolean {
    return this.reply.start(head, body)
  }

  data(body: Span): boolean {
    return this.reply.data(body)
  }

  /** Not by itself: a handler that overrides `data` has to see the body. */
  lend(bytes: number): LentSocket | null {
    return this.data === RelayedExchange.prototype.data ? (this.reply.lend?.(bytes) ?? null) : null
  }

  lendingEnded(sent: number): void {
    this.reply.lendingEnded?.(sent)
  }

  finish(): void {
    this.reply.finish()
  }

  abort(atOnce?: boolean): void {
    this.reply.abort(atOnce)
  }

  refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.reply.refuse(status, options)
  }

  pauseBody(): void {
    this.reply.pauseBody()
  }

  resumeBody(): void {
    this.reply.resumeBody()
  }

  wantBody(): void {
    this.reply.wantBody()
  }
}
