import type { AccessRecord } from './access-record.ts'
import type { RequestTimes } from './request-times.ts'
import type { RequestTrace } from './request-trace.ts'
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
  /** A name for the reason, for metrics: one of a few that are in this server's code. */
  readonly code: string
  /** The client gave up or left; there is nothing to investigate. */
  readonly clientGaveUp: boolean
  /** Whether `requestBegun` came before, so that `requestEnded` follows. */
  readonly begun: boolean
  /**
   * When the connection began to send it, in milliseconds since 1970; null if it is `begun`,
   * because `requestEnded` will tell.
   */
  readonly startedAt: number | null
  /** Its place in a trace; absent without traces, and if its head could not be read. */
  readonly trace?: RequestTrace | null
}

/** A request has ended: what the access log records of it, and what else is known. */
export interface RequestEnded extends AccessRecord {
  /** Its place in a trace, whole; null without traces. */
  readonly trace?: RequestTrace | null
  /** When its parts began; null if nobody measures. */
  readonly times?: RequestTimes | null
  /** The client used HTTPS. */
  readonly secure?: boolean
}

/** No worker could answer a request. */
export interface RequestLost {
  /** 502: its worker ended; 503: no worker had space in time; 504: it ran out of time. */
  readonly status: 502 | 503 | 504
}

/** Why requests with a valid head are refused with these statuses. */
const CODES: Readonly<Record<number, string>> = {
  400: 'proxy-fields',
  405: 'tunnel',
  408: 'slow-reader',
  413: 'body-too-large',
  421: 'host-not-allowed',
  429: 'rate-limit',
  503: 'no-memory',
}

/** What happens to the requests of one server. */
export class RequestEvents {
  readonly requestBegun: Topic<RequestBegun>
  /** The response is complete, or the client is gone: the same record as in the access log. */
  readonly requestEnded: Topic<RequestEnded>
  readonly requestRefused: Topic<RequestRefused>
  /**
   * Whether somebody who listens to `requestEnded` needs the times of its parts
   * ({@link RequestEnded.times}): reading the clock for them costs something. Set it before the
   * first request.
   */
  timed = false
  /** `requestEnded` follows. */
  readonly requestLost: Topic<RequestLost>

  /** @param failed called when a listener throws */
  constructor(failed: ListenerFailed) {
    this.requestBegun = new Topic('requestBegun', failed)
    this.requestEnded = new Topic('requestEnded', failed)
    this.requestLost = new Topic('requestLost', failed)
    this.requestRefused = new Topic('requestRefused', failed)
  }

  /**
   * Publishes that a request with a valid head is refused.
   *
   * @param reason for the log
   * @param code see {@link RequestRefused.code}; by default what the status says
   */
  publishRefusal(
    request: { requestLine(): string; readonly trace?: RequestTrace | null },
    client: { readonly remoteAddress: string },
    status: number,
    reason: string,
    code: string = CODES[status] ?? 'other',
  ): void {
    if (!this.requestRefused.hasListeners) return
    this.requestRefused.publish({
      remoteAddress: client.remoteAddress,
      requestLine: request.requestLine(),
      status,
      reason,
      code,
      clientGaveUp: false,
      begun: true,
      startedAt: null,
      trace: request.trace ?? null,
    })
  }
}
