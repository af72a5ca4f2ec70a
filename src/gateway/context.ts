import type { ResponseBlocks } from '../field-block/response-block.ts'
import type { Coded } from '../messages/coded.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import type { Spool } from '../spool/spool.ts'
import type { EnvironWriter } from './environ.ts'
import type { SlowReaders } from './slow-readers.ts'

/** What every gateway needs from the settings and from the process around it. */
export interface GatewayBasics {
  readonly rootPath: string
  /** The most bytes a request body may have; 0 for no limit. */
  readonly limitRequestBody: number
  /** Bytes of response body that may be under way for one exchange. */
  readonly responseWindow: number
  /** Counts the memory that is held for clients. */
  readonly memory: MemoryBudget
  readonly log: GatewayLog
  /** Refused requests are published here. */
  readonly events: RequestEvents
}

/** What the gateway to workers needs in addition. */
export interface GatewayOptions extends GatewayBasics {
  /** Read whole bodies before a worker gets the request. */
  readonly requestBuffering: boolean
  /** Where request bodies and the responses of slow clients are kept. */
  readonly spool: Spool
}

/** The error log. */
export interface GatewayLog {
  error(text: Coded): void
  warning(text: Coded): void
  /**
   * For what a client can cause at will: only some of each kind are written, the others are counted
   * (see `LogLimiter`).
   *
   * @param kind what such entries are about, in the plural: `requests answered 503`
   */
  limited(level: 'warning' | 'error', kind: string, text: Coded): void
}

/** What all exchanges of a gateway share. */
export interface GatewayContext {
  readonly options: GatewayOptions
  readonly environ: EnvironWriter
  readonly responseBlocks: ResponseBlocks
  readonly runtime: Runtime
  readonly slowReaders: SlowReaders
}
