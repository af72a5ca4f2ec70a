/**
 * An application that throws must not leave its user without an answer, nor its developer without
 * the reason.
 *
 * `errorHandler` catches what an application throws: when it is called, while it is awaited, while
 * its body is produced, and in the body's `close()`. It logs the error with the request and the
 * stack, and answers 500 in the form that the client prefers by `Accept`: plain text, HTML or JSON.
 * Put it outside of all that may throw, and inside of a logger, so that the log sees its answers.
 *
 * @example
 * import { compose, errorHandler, logger } from 'monoceros'
 *
 * export const app = compose(logger(), errorHandler({ debug: process.env.APP_DEBUG === '1'
 * }))(shop)
 */
import { toFunction } from '../../wsgi/application.ts'
import { isPromise, mapBody } from '../../wsgi/body.ts'
import type { Middleware, WSGIBody, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { type ErrorHandlerOptions, Failure } from './failure.ts'

export type { ErrorEntry, ErrorHandlerOptions, RenderedError } from './failure.ts'

/**
 * Catches, logs and answers for what an application throws.
 *
 * The answer's status is 500. An error may have its own, as those of `http-errors` do: a numeric
 * `status` from 500 to 599, or with `expose: true` from 400; such an error's message is shown to
 * the client, its `headers` (a plain object) are sent, and below 500 it is not logged, for it is an
 * answer and no failure.
 *
 * Once the head is sent nothing can be answered: the error goes on, and the server shows the client
 * that the response is incomplete. Errors that only say that the client has gone away (`code`
 * `client-gone` or `input-broken`) go on unlogged.
 *
 * @throws TypeError (`code` `bad-option`) for an option of the wrong type
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

/**
 * A body whose errors are answered for. An array without `close()` is sent as it is: it cannot
 * throw.
 */
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
  // Anything that is merely truthy, such as the text "false", must not open the debug page.
  if (debug !== undefined && typeof debug !== 'boolean')
    throw badOption('debug', 'true or false', debug)
}

function badOption(name: string, wanted: string, value: unknown): TypeError {
  return optionError(
    TypeError,
    `errorHandler: ${name} must be ${wanted}, not ${describeValue(value)}`,
  )
}
