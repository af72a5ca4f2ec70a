/**
 * Catches what an application throws, logs it with the request and the stack, and answers with 500.
 *
 * It catches errors when the application is called, while its promise is awaited, while its body is
 * produced, and in the body's `close()`. The answer is plain text, HTML or JSON, as the client
 * prefers by `Accept`. Put it outside everything that may throw, and inside a logger, so that the
 * log has its answers.
 *
 * Do not use it around an application whose framework answers errors itself, such as Flask or
 * Django: it never sees them.
 *
 * @example
 * import { compose, errorHandler, logger } from 'monoceros'
 *
 * export const app = compose(
 *   logger(),
 *   errorHandler({ debug: process.env.APP_DEBUG === '1' }),
 * )(shop)
 */
import { toFunction } from '../../wsgi/application.ts'
import { isPromise, mapBody } from '../../wsgi/body.ts'
import type { Middleware, WSGIBody, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { type ErrorHandlerOptions, Failure } from './failure.ts'

export type { ErrorEntry, ErrorHandlerOptions, RenderedError } from './failure.ts'

/**
 * Makes a middleware that catches, logs and answers the errors of an application.
 *
 * The status is 500, unless the error has its own, like those of `http-errors`: a numeric `status`
 * from 500 to 599, or from 400 if the error has `expose: true`. The message of an error with
 * `expose: true` is shown to the client, and its `headers` (a plain object) are sent. Below 500
 * such an error is not logged, because it is an answer and not a failure.
 *
 * After the head was sent, no answer is possible: the error is passed to the server, which shows
 * the client that the response is incomplete. Errors that only report that the client has gone away
 * (`code` `client-gone` or `input-broken`) are passed on and not logged.
 *
 * @throws TypeError (`bad-option`) if an option has the wrong type
 * @example errorHandler({ log: ({ text }) => logService.error(text) })(app)
 */
export function errorHandler(options: ErrorHandlerOptions = {}): Middleware {
  checkOptions(options)
  return (app) => {
    const inner = toFunction(app)
    const handled: WSGIFunction = (environ, startResponse) => {
      const failure = new Failure(options, environ, startResponse)
      const call = (error: unknown) => failure.answer(error, 'call')
      try {
        const result = inner(environ, startResponse)
        if (isPromise(result)) return result.then((body) => guarded(body, failure)).catch(call)
        return guarded(result, failure)
      } catch (error) {
        return call(error)
      }
    }
    return handled
  }
}

/** Wraps a body to handle its errors. An array without `close()` cannot throw, so it stays. */
function guarded(body: WSGIBody, failure: Failure): WSGIBody {
  if (Array.isArray(body) && typeof (body as WSGIBody).close !== 'function') return body
  return mapBody(body, {
    failed: (error) => failure.answer(error, 'body'),
    close: (inner) => {
      try {
        const result = inner()
        return isPromise(result)
          ? result.then(undefined, (error: unknown) => failure.closing(error))
          : result
      } catch (error) {
        failure.closing(error)
        return undefined
      }
    },
  })
}

const FUNCTIONS = ['log', 'render', 'json'] as const

function checkOptions(options: ErrorHandlerOptions): void {
  for (const name of FUNCTIONS) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== 'function')
      throw badOption(name, 'a function', value)
  }
  const debug: unknown = options.debug
  // A value that is only truthy, such as the string "false", must not enable the debug page.
  if (debug !== undefined && typeof debug !== 'boolean')
    throw badOption('debug', 'true or false', debug)
}

function badOption(name: string, wanted: string, value: unknown): TypeError {
  return optionError(
    TypeError,
    `errorHandler: ${name} must be ${wanted}, not ${describeValue(value)}`,
  )
}
