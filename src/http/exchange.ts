import type { Span } from '../bytes/span.ts'
import type { RequestHead } from './request-head.ts'
import type { Field, ResponseHead } from './response-head.ts'

/**
 * The two halves of an exchange as the engine sees it. The engine calls the handler once per
 * request with the parsed head and a {@link Reply}, and gets a {@link RequestSink} back that hears
 * everything that happens to the request from then on. Nothing here knows of WSGI, or of a version of
 * HTTP: each has its own implementation of {@link Reply} (`h1/`).
 */
export type RequestHandler = (head: RequestHead, reply: Reply) => RequestSink

/** What hears of one request: its body, the progress of its answer, and its end. */
export interface RequestSink {
  /** The engine is ready for the answer. Nothing else is called before this. */
  begin(): void
  /** A piece of the body. It is a view that stays valid; nobody writes to it again. */
  bodyData(chunk: Buffer): void
  /** The body is complete (called for every request that gets that far, with or without a body). */
  bodyEnd(): void
  /**
   * The client has closed its own direction. It may still be reading; nothing is to be done but to
   * think of it as more likely to be gone.
   */
  clientEnded(): void
  /** That many bytes of the response body, as given to {@link Reply}, have left this process. */
  written(bytes: number): void
  /**
   * The exchange is over; the reply must not be used any more. `completed` tells whether a whole
   * response went out; otherwise the client is gone, the request broke off, or `abort` was called.
   * `refusedWith` is the status of the engine's own answer where the request was refused after it
   * had begun (a malformed or too slow body) and nothing had been answered.
   */
  closed(completed: boolean, refusedWith?: number): void
}

/**
 * What a handler answers a request with. Call `respond`, or `start`, any number of `data`, then
 * `finish` or `abort`.
 */
export interface Reply {
  /** Who is at the other end. Empty strings and 0 for a unix socket. */
  readonly peer: Peer
  /** Body bytes of the response given so far (not those withheld because of HEAD, 204 or 304). */
  readonly bytesSent: number
  /**
   * Bytes that have left this process on this connection, of all responses: a number that grows
   * while the client reads.
   */
  readonly taken: number
  /**
   * Sends a whole response: the head and all of the body. The span is read before this returns; its
   * head room may be written over.
   * @returns whether the span's memory is still needed: the client has not taken all of it
   */
  respond(head: ResponseHead, body: Span): boolean
  /**
   * Sends the head and what is at hand of the body, as {@link respond}; the rest follows by `data`
   * and `finish`.
   * @returns whether the span's memory is still needed
   */
  start(head: ResponseHead, body?: Span): boolean
  /**
   * Sends a piece of the body. What is more than the declared Content-Length is cut off.
   * @returns whether the span's memory is still needed; never if it was lent and copying was
   * cheaper
   */
  data(body: Span): boolean
  /**
   * Ends the response. When fewer bytes came than were declared, the connection is closed instead:
   * the client must see that it is incomplete.
   */
  finish(): void
  /**
   * Ends the connection where it is, so that the client sees that the response is incomplete.
   * @param atOnce drop what the client has not taken yet
   */
  abort(atOnce?: boolean): void
  /**
   * Sends one of the small fixed answers and, when `close` is set, ends the connection after it.
   */
  refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void
  /** Asks for no more body until `resumeBody`. */
  pauseBody(): void
  resumeBody(): void
  /**
   * The handler wants the body now: a client that waits for `100 Continue` gets it (RFC 9110
   * §10.1.1).
   */
  wantBody(): void
}

/** The addresses of a connection, as text. */
export interface Peer {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** The connection is encrypted all the way to this process. */
  readonly encrypted: boolean
  /**
   * For the gateway, which keeps here what it derived from the addresses. Nothing in `http/` reads
   * it.
   */
  environPart: object | null
}
