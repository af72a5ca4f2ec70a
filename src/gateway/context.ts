import type { Peer } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { ResponseHead } from '../http/response-head.ts'
import type { ResponseHeads } from '../http/response-lines.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import type { Spool } from '../spool/spool.ts'
import type { EnvironWriter } from './environ.ts'
import type { ProxyTrust } from './proxy-trust.ts'
import type { SlowReaders } from './slow-readers.ts'

/** What every gateway needs of the settings and of the process around it. */
export interface GatewayBasics {
  readonly rootPath: string
  /** The most bytes a request body may have; 0 for no limit. */
  readonly limitRequestBody: number
  /** Bytes of response body that may be under way for one exchange. */
  readonly responseWindow: number
  readonly trust: ProxyTrust
  /** What is held for clients is counted here. */
  readonly memory: MemoryBudget
  readonly log: GatewayLog
}

/** What the gateway to workers needs beside it. */
export interface GatewayOptions extends GatewayBasics {
  /** Read bodies whole before a worker is engaged. */
  readonly requestBuffering: boolean
  /** Where request bodies and the responses of slow clients are kept. */
  readonly spool: Spool
}

/** Where the gateway tells of what went wrong, and of every exchange that is over. */
export interface GatewayLog {
  error(text: string): void
  warning(text: string): void
  /**
   * What a client can bring about at will: of each kind at most so many entries a second are
   * written, and the others counted.
   *
   * @param kind what such entries are about, in the plural: `requests refused with 413`
   */
  limited(level: 'warning' | 'error', kind: string, text: string): void
  /** Null when nobody asked for an access log: then no record is made. */
  access: ((exchange: FinishedExchange) => void) | null
}

/** An exchange that is over, for the access log. */
export interface FinishedExchange {
  readonly head: RequestHead
  readonly peer: Peer
  readonly status: number
  /** Null if there was no response, or the engine made it. */
  readonly responseHead: ResponseHead | null
  /** Bytes of response body. */
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly seconds: number
}

/**
 * What the access log says of a client that left before its answer; nginx made the number known.
 */
const CLIENT_LEFT = 499

/**
 * The record of an exchange.
 *
 * @param startedAt milliseconds since 1970
 * @param refusedWith the status of the engine's own answer, see {@link RequestSink.closed}
 */
export function finishedExchange(
  head: RequestHead,
  peer: Peer,
  response: ResponseHead | null,
  bytes: number,
  startedAt: number,
  completed: boolean,
  refusedWith: number | undefined,
): FinishedExchange {
  return {
    head,
    peer,
    status: response?.status ?? refusedWith ?? (completed ? 500 : CLIENT_LEFT),
    responseHead: response,
    bytes,
    startedAt,
    seconds: (performance.timeOrigin + performance.now() - startedAt) / 1000,
  }
}

/** What all exchanges of a gateway share. */
export interface GatewayContext {
  readonly options: GatewayOptions
  readonly environ: EnvironWriter
  readonly responseHeads: ResponseHeads
  readonly runtime: Runtime
  readonly slowReaders: SlowReaders
}
