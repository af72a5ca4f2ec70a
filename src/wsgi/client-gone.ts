import type { WSGIEnvironment } from './types.ts'

/**
 * The client is gone, so nothing can be sent. What `write()` rejects with then.
 */
export class ClientGoneError extends Error {
  readonly code = 'client-gone'

  constructor() {
    super('The client went away before its response was complete')
    this.name = 'ClientGoneError'
  }
}

/** How far the causes of an error are followed; they may go round in a ring. */
const MOST_CAUSES = 16

/**
 * Whether an error says no more than that the client has gone away: nobody has done anything wrong.
 * So does one with a cause of that kind, such as the `AbortError` that Node.js makes of {@link
 * abortSignal}.
 */
export function isAboutTheClient(error: unknown): boolean {
  // Anything can be thrown, also what throws when it is looked at.
  try {
    let current = error as { code?: unknown; cause?: unknown } | null | undefined
    for (let i = 0; i < MOST_CAUSES && typeof current === 'object' && current !== null; i++) {
      const { code, cause } = current
      if (code === 'client-gone' || code === 'input-broken') return true
      current = cause as typeof current
    }
    return false
  } catch {
    return false
  }
}

/** What knows of a request's client: the call of its application. */
export interface ClientWatch {
  /**
   * Calls back when the client is gone, unless the response is over by then; at once when it is
   * gone already.
   */
  whenClientGone(callback: () => void): void
}

// A symbol: it is no variable of the request, and whoever copies an environ (`{ ...environ }`)
// keeps it.
const WATCH = Symbol('monoceros.client')

/** For servers: has {@link whenClientGone} know of a request's client. */
export function watchClient(environ: WSGIEnvironment, watch: ClientWatch): void {
  ;(environ as { [WATCH]?: ClientWatch })[WATCH] = watch
}

/**
 * Calls back when the client of a request goes away before its response is complete, also while the
 * application has not answered yet. Where the server cannot tell, never.
 */
export function whenClientGone(environ: WSGIEnvironment, callback: () => void): void {
  ;(environ as { [WATCH]?: ClientWatch })[WATCH]?.whenClientGone(callback)
}

/**
 * A signal that is aborted when the client of a request goes away before its response is complete:
 * for what an application waits for.
 *
 * @example
 * const app: WSGIApplication = async (environ, startResponse) => {
 *   const report = await fetch('http://reports.internal/', { signal: abortSignal(environ) })
 *   startResponse('200 OK', [['Content-Type', 'text/plain']])
 *   return report.body!
 * }
 */
export function abortSignal(environ: WSGIEnvironment): AbortSignal {
  const controller = new AbortController()
  whenClientGone(environ, () => controller.abort(new ClientGoneError()))
  return controller.signal
}
