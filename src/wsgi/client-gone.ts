import type { WSGIEnvironment } from './types.ts'

/**
 * The client went away before its response was complete. `write()` rejects with it, and it is the
 * reason of an {@link abortSignal}. Its `code` is `client-gone`.
 */
export class ClientGoneError extends Error {
  readonly code = 'client-gone'

  constructor() {
    super('The client went away before its response was complete')
    this.name = 'ClientGoneError'
  }
}

/** How many causes of an error are followed. They may form a cycle. */
const MOST_CAUSES = 16

/**
 * Whether an error only reports that the client has gone away, so that it need not be logged. An
 * error with such a cause counts too, for example the `AbortError` of Node.js for an {@link
 * abortSignal}.
 */
export function isAboutTheClient(error: unknown): boolean {
  // An application can throw anything, even an object whose properties throw.
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

/** Reports when the client of a request goes away. */
export interface ClientWatch {
  /**
   * Calls back when the client goes away before its response is over, or at once if it has gone.
   */
  whenClientGone(callback: () => void): void
}

// A symbol, because it is not a variable of the request. A copy (`{ ...environ }`) keeps it.
const WATCH = Symbol('monoceros.client')

/** For servers: makes {@link whenClientGone} work for a request. */
export function watchClient(environ: WSGIEnvironment, watch: ClientWatch): void {
  ;(environ as { [WATCH]?: ClientWatch })[WATCH] = watch
}

/**
 * Calls back when the client of a request goes away before its response is complete, even before
 * the application has answered. Never calls back on a server that does not support it.
 */
export function whenClientGone(environ: WSGIEnvironment, callback: () => void): void {
  ;(environ as { [WATCH]?: ClientWatch })[WATCH]?.whenClientGone(callback)
}

/**
 * Makes a signal that aborts when the client of a request goes away before its response is
 * complete. Pass it to whatever the application awaits. The reason is a {@link ClientGoneError}.
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
