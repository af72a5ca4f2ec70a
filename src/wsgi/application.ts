import type {
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * Whether a value is an application: a function, or an object with a method `wsgi`.
 *
 * @example isApplication({ wsgi: (environ, startResponse) => [] }) // true
 */
export function isApplication(value: unknown): value is WSGIApplication {
  if (typeof value === 'function') return true
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { wsgi?: unknown }).wsgi === 'function'
  )
}

/**
 * Turns an application into a function. A function is returned as it is; for an object, the result
 * calls its method `wsgi`.
 *
 * @throws WSGIError if `app` is not an application
 * @example
 * const shout: Middleware = (app) => {
 *   const inner = toFunction(app)
 *   return (environ, startResponse) => inner(environ, startResponse)
 * }
 */
export function toFunction(app: WSGIApplication): WSGIFunction {
  if (typeof app === 'function') return app
  if (isApplication(app)) return (environ, startResponse) => app.wsgi(environ, startResponse)
  throw new WSGIError(
    'Specification Details',
    'an application must be a function (environ, startResponse), or an object with a method ' +
      `wsgi(environ, startResponse), not ${describeValue(app)}`,
  )
}

/** Calls an application. See {@link toFunction}. */
export function callApplication(
  app: WSGIApplication,
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): WSGIBody | Promise<WSGIBody> {
  return typeof app === 'function'
    ? app(environ, startResponse)
    : toFunction(app)(environ, startResponse)
}
