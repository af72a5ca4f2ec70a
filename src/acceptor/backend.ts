import type { RequestHandler } from '../http/exchange.ts'
import type { ControlRequest } from '../observe/server-state.ts'
import type { PoolLoad, PoolState } from '../runtimes/workers/pool.ts'
import type { Inspected } from './inspections.ts'
import type { ReadyReport, WorkerReport } from './messages.ts'

/** Answers an acceptor's requests: with Python workers, or with an application in this process. */
export interface Backend extends Inspected {
  /** The engine's handler; called only after {@link start} has resolved. */
  readonly handler: RequestHandler
  /**
   * @throws ApplicationLoadError, InterpreterError, WorkerStartError if it cannot serve
   */
  start(): Promise<ReadyReport>
  /** Loads the application again. @throws as {@link start}; then the old one stays in use */
  reload(): Promise<void>
  /** Ends a reload that is in progress: it fails, and the old application stays in use. */
  abandonReload(): void
  scale(workers: number): void
  /** Its workers at this moment; empty if the application runs in this process. */
  report(): readonly WorkerReport[]
  /** The same with what each one is doing. */
  state(): PoolState
  /** The requests that it has or that wait for it; without workers, those of all clients. */
  requests(): readonly ControlRequest[]
  /** Replaces one worker; see `WorkerPool.restart`. */
  restart(pid: number, why: string): boolean
  /** What its workers' requests do at this moment; null if the application runs in this process. */
  load(): PoolLoad | null
  /** Has the workers open again the files that they log to. */
  reopenLogs(): void
  /** Ends the application's workers within `graceMs`. */
  stop(graceMs: number): Promise<void>
  /** Ends them immediately. */
  kill(): void
}

/** Of a backend without workers. */
export const NO_POOL: PoolState = {
  waiting: 0,
  waitingLimit: null,
  longestWait: 0,
  workers: [],
  slowRequests: [],
}
