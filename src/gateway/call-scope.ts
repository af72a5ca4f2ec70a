import type { RequestTrace } from '../observe/request-trace.ts'
import type { WSGIEnvironment } from '../wsgi/types.ts'

/** Where the code of an application in this process runs for one request, such as in a span. */
export interface CallScope {
  /** Runs a part of it. */
  run(part: () => void): void
}

/** Makes such scopes; see `ApplicationGateway`. */
export interface CallScopes {
  /**
   * The application is about to be called. The scope may change the environ.
   *
   * @returns null if this request needs none
   */
  open(trace: RequestTrace | null, environ: WSGIEnvironment): CallScope | null
}
