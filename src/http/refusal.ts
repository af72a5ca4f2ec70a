import type { Peer } from './exchange.ts'

/** One refused message: what the client was answered and why. */
export interface Refusal {
  readonly peer: Peer
  readonly status: number
  readonly reason: string
  /** A name for the reason, for metrics: one of a few. Those of an `HttpError` are such names. */
  readonly code: string
  /**
   * The request line as it was sent, a character a byte; up to 128 bytes of one that is not whole.
   * '' if nothing of it came.
   */
  readonly requestLine: string
  /** The client ended the connection in the middle of its own message, which is not a mistake. */
  readonly gaveUp: boolean
  /** The head was valid and went to the handler, whose sink is also notified of the refusal. */
  readonly begun: boolean
  /** Milliseconds since 1970. */
  readonly startedAt: number
}
