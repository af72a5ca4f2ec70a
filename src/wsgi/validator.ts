/**
 * Checks both sides of the contract, as Python's `wsgiref.validate.validator` does: put it around
 * an application to see whether the application keeps to PEP 3333, and whether the server that
 * calls it does; around and inside a middleware to see whether that is a good application and a
 * good server.
 *
 * What goes in and comes out is not changed, but that a body is a mere iterable afterwards: what
 * servers do faster with an array or a file they do piece by piece. It is for development and
 * tests; it costs some microseconds for each request.
 *
 * The first thing that is wrong is thrown as a {@link ViolationError}, which names the offender: to
 * the application where it calls something wrongly, to the server where it does or where the
 * application gives it something wrong. What can be seen only later, such as a `close()` that was
 * never called, goes to `wsgi.errors`, some time after.
 *
 * Beyond what servers refuse it holds an application to this: no `Status` header; a `Content-Type`
 * with a body, none with 204 and 304, and none of them with a body; as many bytes as
 * `Content-Length` says; no `write()` from within the body.
 *
 * @example
 * import { compose, compress, errorHandler, makeServer, validator } from 'monoceros'
 * import { app } from './app.ts'
 *
 * const checked = process.env.NODE_ENV === 'production' ? app : validator(app)
 * await makeServer('', 8000, compose(errorHandler(), compress())(checked)).serveForever()
 *
 * @example
 * // Is a middleware right on both of its sides?
 * const suspect = validator(middleware(validator(app)))
 */
import { toFunction } from './application.ts'
import { isPromise } from './body.ts'
import type {
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from './types.ts'
import { checkedBody } from './validator/checked-body.ts'
import { checkEnviron } from './validator/checked-environ.ts'
import { CheckedErrors } from './validator/checked-errors.ts'
import { CheckedInput } from './validator/checked-input.ts'
import { CheckedResponse } from './validator/checked-response.ts'
import { byServer } from './validator/violation.ts'
import { describeValue } from './wsgi-error.ts'

export { type Offender, ViolationError } from './validator/violation.ts'

/**
 * An application that runs another and checks both sides of the contract.
 *
 * @param app the application to be checked
 * @returns an application that throws {@link ViolationError} where a rule is broken, and else does
 * what `app` does
 * @throws WSGIError where `app` is no application
 */
export function validator(app: WSGIApplication): WSGIFunction {
  const inner = toFunction(app)
  return function validated(
    ...args: [WSGIEnvironment, StartResponse]
  ): WSGIBody | Promise<WSGIBody> {
    // Checked by hand: a JavaScript server is not held to the types.
    const count: number = args.length
    if (count !== 2) {
      throw byServer(
        'Specification Details',
        `it must call an application with two arguments, not ${count}`,
      )
    }
    const [environ, startResponse] = args
    checkEnviron(environ)
    if (typeof startResponse !== 'function') {
      throw byServer(
        'The start_response() Callable',
        `startResponse must be a function, not ${describeValue(startResponse)}`,
      )
    }
    const errors = environ['wsgi.errors']
    const request = `${environ.REQUEST_METHOD} ${environ.SCRIPT_NAME}${environ.PATH_INFO}`
    const response = new CheckedResponse(startResponse, environ.REQUEST_METHOD === 'HEAD')
    environ['wsgi.input'] = new CheckedInput(environ['wsgi.input'], environ.CONTENT_LENGTH)
    environ['wsgi.errors'] = new CheckedErrors(errors)
    const result: unknown = inner(environ, response.startResponse)
    const check = (body: unknown) => checkedBody(body, response, request, errors)
    return isPromise(result) ? result.then(check) : check(result)
  }
}
