import type { Span } from '../bytes/span.ts'
import type { LentSocket } from '../transport/lent-socket.ts'
import type { Peer } from './peer.ts'
import type { RequestHead } from './request-head.ts'
import type { Field, ResponseHead } from './response-head.ts'

export type { LentSocket, Peer }

/**
 * What answers requests. The engine calls it once per request with the parsed head and a
 * {@link Reply}, and calls the {@link RequestSink} that it returns for everything that happens to
 * the request from then on.
 *
 * This is the boundary of the engine. It does not depend on WSGI, nor on a version of HTTP: each
 * version has its own implementation of {@link Reply} (`h1/`).
 */
export type RequestHandler = (head: RequestHead, reply: Reply) => RequestSink

/** Called for what happens to one request: its body, the progress of its answer, its end. */
export interface RequestSink {
  /** The engine is ready for the answer. Nothing else is called before this. */
  begin(): void
  /**
   * A piece of the body. It may be lent: who keeps it for longer than the call calls `owned`
   * (`bytes/lent-memory.ts`) first. If it is not, it stays valid and is never written to again.
   */
  bodyData(chunk: Buffer): void
  /** The body is complete (called for every request that gets that far, with or without a body). */
  bodyEnd(): void
  /**
   * The client has closed its own direction. It may still be reading, but it is more likely to be
   * gone.
   */
  clientEnded(): void
  /** That many bytes of the response body, as given to {@link Reply}, have left this process. */
  written(bytes: number): void
  /**
   * The exchange is over. The reply must not be used any more.
   *
   * @param completed a whole response went out. Otherwise the client is gone, the request broke
   * off, or `abort` was called.
   * @param refusedWith the status of the engine's own answer, if the request was refused after it
   * had begun (its body was malformed or too slow) and nothing had been answered
   */
  closed(completed: boolean, refusedWith?: number): void
}

/**
 * Answers one request. Call either `respond`, or `start`, then `data` any number of times, then
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
   * headroom may be written over.
   * @returns whether the span's memory is still needed: the client has not taken all of it
   */
  respond(head: ResponseHead, body: Span): boolean
  /**
   * Sends an interim response, any number of times before the final one begins (RFC 9110 §15.2).
   * Does nothing if that has begun, or if the client's version of HTTP has none.
   *
   * @param status 103: Early Hints (RFC 8297)
   * @param fields checked, as those of a final response
   */
  inform(status: 103, fields: readonly Field[]): void
  /**
   * Sends the head and the beginning of the body, as {@link respond} does. The rest follows by
   * `data` and `finish`.
   * @returns whether the span's memory is still needed
   */
  start(head: ResponseHead, body?: Span): boolean
  /**
   * Sends a piece of the body. Bytes beyond the declared Content-Length are cut off.
   * @returns whether the span's memory is still needed; never if it was lent and copying was
   * cheaper
   */
  data(body: Span): boolean
  /**
   * Lends the connection's socket to another process, which writes the next bytes of the body to
   * it. Until {@link lendingEnded}, the reply may only be aborted. Absent where that is never
   * possible.
   *
   * @param bytes how many
   * @returns null if that is not possible: something else would have to happen to these bytes, such
   * as encryption, or others wait to be sent before them
   */
  lend?(bytes: number): LentSocket | null
  /** The socket has been given back, after that many bytes of `before` and the body. */
  lendingEnded?(sent: number): void
  /**
   * Ends the response. If fewer bytes were given than declared, the connection is closed instead,
   * because the client must see that the response is incomplete.
   */
  finish(): void
  /**
   * Ends the connection immediately, so that the client sees that the response is incomplete.
   * @param atOnce drops what the client has not taken yet
   */
  abort(atOnce?: boolean): void
  /**
   * Sends a small answer of the server's own. With `close`, ends the connection after it.
   */
  refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void
  /** Stops `bodyData` calls until `resumeBody`. */
  pauseBody(): void
  resumeBody(): void
  /**
   * The handler needs the body now: a client that waits for `100 Continue` gets it (RFC 9110
   * §10.1.1).
   */
  wantBody(): void
}
