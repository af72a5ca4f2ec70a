import type { Span } from '../bytes/span.ts'
import type { Reply } from '../http/exchange.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'
import type { FileSending } from './file-sending.ts'
import { RelayedExchange } from './relayed-exchange.ts'

/** A response is dropped until it has this many bytes; then it is cancelled. */
const MOST_DROPPED = 1024 * 1024

/**
 * Passes an exchange on, until the response shows that a file is to be sent instead of it. What the
 * next handler still says is dropped then, as fast as it comes, so that whatever produces it is
 * free at once.
 */
export abstract class FileInstead extends RelayedExchange {
  /** Sends the file. Null until the response is dropped, and while the file is looked for. */
  protected sending: FileSending | null = null
  #dropped = -1
  #cancelled = false
  #over = false

  constructor(reply: Reply) {
    super(reply)
  }

  /**
   * Called with the head of the response.
   *
   * @returns false to pass it on; true to drop it, after which {@link answer} is called
   */
  protected abstract replaces(head: ResponseHead): boolean

  /** Answers instead. Called once. */
  protected abstract answer(): void

  /** The exchange is over: nothing may be answered any more. */
  protected get over(): boolean {
    return this.#over
  }

  override respond(head: ResponseHead, body: Span): boolean {
    if (!this.replaces(head)) return this.reply.respond(head, body)
    this.#dropped = 0
    this.answer()
    return false
  }

  override start(head: ResponseHead, body?: Span): boolean {
    if (!this.replaces(head)) return this.reply.start(head, body)
    this.#dropped = 0
    if (body !== undefined) this.#drop(body.length)
    this.answer()
    return false
  }

  override data(body: Span): boolean {
    if (this.#dropped === -1) return this.reply.data(body)
    this.#drop(body.length)
    return false
  }

  override finish(): void {
    if (this.#dropped === -1) this.reply.finish()
  }

  override abort(atOnce?: boolean): void {
    if (this.#dropped === -1) this.reply.abort(atOnce)
  }

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    if (this.#dropped === -1) this.reply.refuse(status, options)
  }

  override get bytesSent(): number {
    return this.#dropped === -1 ? this.reply.bytesSent : this.#dropped
  }

  #drop(bytes: number): void {
    this.#dropped += bytes
    if (bytes > 0 && !this.#cancelled) this.sink.written(bytes)
    if (this.#dropped > MOST_DROPPED && !this.#cancelled) setImmediate(() => this.#cancel())
  }

  #cancel(): void {
    if (this.#cancelled || this.#over) return
    this.#cancelled = true
    this.sink.closed(false)
  }

  override bodyData(chunk: Buffer): void {
    if (!this.#cancelled) this.sink.bodyData(chunk)
  }

  override bodyEnd(): void {
    if (!this.#cancelled) this.sink.bodyEnd()
  }

  override clientEnded(): void {
    if (!this.#cancelled) this.sink.clientEnded()
  }

  override written(bytes: number): void {
    if (this.#dropped === -1) this.sink.written(bytes)
    else this.sending?.written(bytes)
  }

  override closed(completed: boolean, refusedWith?: number): void {
    this.#over = true
    this.sending?.close()
    if (!this.#cancelled) this.sink.closed(completed, refusedWith)
  }
}
