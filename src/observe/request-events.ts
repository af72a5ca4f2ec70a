import type { AccessRecord } from './access-record.ts'
import { type ListenerFailed, Topic } from './topic.ts'

/** A request has arrived and is about to be answered. `requestEnded` follows, whatever happens. */
export interface RequestBegun {
  readonly method: string
  /** The request target as it was sent. */
  readonly target: string
  /** The client's address; empty for a Unix socket. */
  readonly remoteAddress: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

/**
 * A request was refused by the server itself: it is malformed, too large or too slow, or the server
 * has no space for it.
 */
export interface RequestRefused {
  /** The client's address; empty for a Unix socket. */
  readonly remoteAddress: string
  /** As far as it was received, one character a byte; `''` if nothing was. */
  readonly requestLine: string
  /** The status of the answer. */
  readonly status: number
  /** For the log. What it quotes of the request is escaped and cut short. */
  readonly reason: string
  /** The client gave up or left; there is nothing to investigate. */
  readonly clientGaveUp: boolean
  /** Whether `requestBegun` came before, so that `requestEnded` follows. */
  readonly begun: boolean
  /**
   * When the connection began to send it, in milliseconds since 1970; null if it is `begun`,
   * because `requestEnded` will tell.
   */
  readonly startedAt: number | null
}

/** What happens to the requests of one server. */
export class RequestEvents {
  readonly requestBegun: Topic<RequestBegun>
  /** The response is complete, or the client is gone: the same record as in the access log. */
  readonly requestEnded: Topic<AccessRecord>
  readonly requestRefused: Topic<RequestRefused>

  /** @param failed called when a listener throws */
  constructor(failed: ListenerFailed) {
    this.requestBegun = new Topic('requestBegun', failed)
    this.requestEnded = new Topic('requestEnded', failed)
    this.requestRefused = new Topic('requestRefused', failed)
  }

  /**
   * Publishes that a request with a valid head is refused.
   *
   * @param reason for the log
   */
  publishRefusal(
    request: { requestLine(): string },
    client: { readonly remoteAddress: string },
    status: number,
    reason: string,
  ): void {
    if (!this.requestRefused.hasListeners) return
    this.requestRefused.publish({
      remoteAddress: client.remoteAddress,
      requestLine: request.requestLine(),
      status,
      reason,
      clientGaveUp: false,
      begun: true,
      startedAt: null,
    })
  }
}
