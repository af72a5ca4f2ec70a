import type { HeadFacts } from './head-rules.ts'
import type { Judge } from './leniency.ts'
import type { ResponseHeaders } from './types.ts'

/**
 * Where a response goes: an HTTP connection, a response of `node:http`, a fetch `Response`, a test.
 *
 * Its methods are called in this order: `respond`; or `start`, any number of `data`, then `finish`
 * or `broken`; or `failed`. After {@link Call.cancel} only `complain` is called.
 */
export interface ResponseSink<Head extends HeadFacts> {
  /**
   * Checks the arguments of `startResponse` and copies what the sink needs. The list belongs to the
   * application, which may change it later.
   *
   * @throws WSGIError if the head breaks a rule
   */
  checkHead(status: string, headers: ResponseHeaders): Head
  /**
   * Sends a complete response. `body` belongs to the application and must not be written to. For
   * HEAD, `body` is given for its length only and must not be sent. For 204 and 304 it is empty.
   */
  respond(head: Head, body: Uint8Array): void
  /** Sends the head of a response. The body follows. */
  start(head: Head): void
  /**
   * Sends a piece of the body.
   *
   * @returns whether the next piece can be sent now; if not, use {@link whenReady}
   */
  data(chunk: Uint8Array): boolean
  /**
   * Calls back once when the next piece can be sent, but not before `whenReady` has returned. It is
   * not called again until then, and the callback is not called after the call was cancelled.
   */
  whenReady(callback: () => void): void
  /** Ends a complete response. */
  finish(): void
  /** The application failed before its head was sent: answer with 500. */
  failed(error: unknown): void
  /**
   * The application failed, or gave fewer bytes than its Content-Length, after its head was sent.
   * The client must be able to see that the response is incomplete.
   */
  broken(error: unknown): void
  /** Logs an error that changes nothing for the client. */
  complain(error: unknown): void
  /**
   * The application holds a body of `bytes` bytes in memory until all of it has been sent. Called
   * before the first piece.
   */
  holds?(bytes: number): void
  /** See {@link Judge}. A sink without it forgives nothing. */
  forgive?: Judge['forgive']
}
