import { EMPTY, Span } from '../../src/bytes/span.ts'
import type { Peer, Reply, RequestHandler, RequestSink } from '../../src/http/exchange.ts'
import { RequestHeadParser } from '../../src/http/h1/request-head-parser.ts'
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../../src/http/limits.ts'
import type { RequestHead } from '../../src/http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../../src/http/response-head.ts'

export const CLIENT: Peer = {
  remoteAddress: '192.0.2.7',
  remotePort: 4711,
  localAddress: '127.0.0.1',
  localPort: 80,
  encrypted: false,
  tls: null,
  environPart: null,
}

const ignore = () => {}

/** A handler's sink that takes what the engine says, and does nothing. */
export const IGNORING: RequestSink = {
  begin: ignore,
  bodyData: ignore,
  bodyEnd: ignore,
  clientEnded: ignore,
  written: ignore,
  closed: ignore,
}

/** The head of a request, given as HTTP/1.1 and parsed as the engine does. */
export function parseHead(text: string, limits: Partial<HeadLimits> = {}): RequestHead {
  const parser = new RequestHeadParser({ ...DEFAULT_HEAD_LIMITS, ...limits })
  const bytes = Buffer.from(text, 'latin1')
  parser.feed(new Span().set(bytes, 0, bytes.length))
  if (!parser.complete) throw new Error(`not a whole head: ${JSON.stringify(text)}`)
  return parser.head
}

/**
 * Stands for the engine in unit tests of handlers: gives a handler one request, and notes what the
 * handler answers.
 */
export class ScriptedEngine implements Reply {
  readonly peer: Peer
  bytesSent = 0
  taken = 0
  /** What the handler did, in order. */
  readonly said: string[] = []
  head: ResponseHead | null = null
  sink: RequestSink | null = null

  constructor(peer: Peer = CLIENT) {
    this.peer = peer
  }

  /** Gives the handler a request without a body. */
  request(handler: RequestHandler, text: string): this {
    this.begin(handler, text)
    this.sink?.bodyEnd()
    return this
  }

  /** Gives the handler the head of a request. */
  begin(handler: RequestHandler, text: string): RequestSink {
    const sink = handler(parseHead(text), this)
    this.sink = sink
    sink.begin()
    return sink
  }

  /** The exchange is over. */
  close(completed: boolean, refusedWith?: number): void {
    const sink = this.sink
    this.sink = null
    sink?.closed(completed, refusedWith)
  }

  inform(status: 103, fields: readonly Field[]): void {
    this.said.push(`inform ${status} ${fields.map((field) => field.join(': ')).join(', ')}`)
  }

  respond(head: ResponseHead, body: Span): boolean {
    this.#note(head, 'respond', body)
    this.close(true)
    return false
  }

  start(head: ResponseHead, body: Span | typeof EMPTY = EMPTY): boolean {
    this.#note(head, 'start', body as Span)
    return false
  }

  data(body: Span): boolean {
    this.bytesSent += body.length
    this.said.push(`data ${body.latin1()}`)
    return false
  }

  finish(): void {
    this.said.push('finish')
    this.close(true)
  }

  abort(atOnce = false): void {
    this.said.push(atOnce ? 'abort at once' : 'abort')
    this.close(false)
  }

  refuse(status: number, options: { close?: boolean; fields?: readonly Field[] } = {}): void {
    this.said.push(`refuse ${status}${options.close ? ' close' : ''}`)
    this.head = responseHead(status, options.fields ?? [])
    this.close(true)
  }

  pauseBody(): void {
    this.said.push('pause')
  }

  resumeBody(): void {
    this.said.push('resume')
  }

  wantBody(): void {
    this.said.push('want')
  }

  #note(head: ResponseHead, how: string, body: Span): void {
    this.head = head
    this.bytesSent += body.length
    this.said.push(`${how} ${head.status} ${body.latin1()}`.trimEnd())
  }
}
