import type { RequestHandler } from '../http/exchange.ts'
import type { AcceptorReady, WorkerReport } from './messages.ts'

/**
 * What answers an acceptor's requests: workers with a Python application, or an application in this
 * process.
 */
export interface Backend {
  /** The engine's handler; called only after {@link start} has resolved. */
  readonly handler: RequestHandler
  /**
   * @throws what says why nothing can be served: ApplicationLoadError, InterpreterError,
   * WorkerStartError
   */
  start(): Promise<AcceptorReady>
  /** Loads the application anew. @throws as {@link start}; then the old one stays */
  reload(): Promise<void>
  /** Ends a reload that is under way: it fails, and what served before goes on. */
  abandonReload(): void
  scale(workers: number): void
  /** Its workers at this moment; empty if the application runs in this process. */
  report(): readonly WorkerReport[]
  /** Ends what runs the application, within `graceMs`. */
  stop(graceMs: number): Promise<void>
  /** Ends it at once. */
  kill(): void
}
