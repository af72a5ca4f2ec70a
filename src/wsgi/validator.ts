/**
 * Checks both sides of the contract of PEP 3333, like Python's `wsgiref.validate.validator`.
 *
 * Put it around an application to check the application and the server that calls it. Put it around
 * and inside a middleware to check the middleware in both of its roles.
 *
 * The first broken rule is thrown as a {@link ViolationError}, which names the offender. It is
 * thrown to the application if the application makes a wrong call, and to the server if the server
 * does, or if the application gives the server something wrong. Mistakes that show only later, such
 * as a `close()` that was never called, are written to `wsgi.errors`.
 *
 * Text that was probably not decoded or not encoded is written there as well, once: a page that
 * shows `pÃ¼` for `pü`, and a header with characters beyond ASCII that are not UTF-8. The line
 * points to `decodeText` or `encodeText`.
 *
 * Requests and responses pass unchanged, except that every body becomes a plain iterable: an array
 * or a file is sent piece by piece. Each request costs some microseconds more.
 *
 * The validator also checks rules that servers do not enforce:
 *
 * - there is no `Status` header;
 * - there is a `Content-Type` with a body, and none with 204 and 304, which have no body;
 * - the body has as many bytes as `Content-Length` declares;
 * - `write()` is not called from within the body.
 *
 * Do not use it in production: it is for development and tests.
 *
 * @example
 * import { compose, compress, errorHandler, makeServer, validator } from 'monoceros'
 * import { app } from './app.ts'
 *
 * const checked = process.env.NODE_ENV === 'production' ? app : validator(app)
 * await makeServer('', 8000, compose(errorHandler(), compress())(checked)).serveForever()
 *
 * @example
 * // Checks a middleware on both of its sides.
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
import { TextWatch } from './validator/text-watch.ts'
import { byServer } from './validator/violation.ts'
import { describeValue } from './wsgi-error.ts'

export { type Offender, ViolationError } from './validator/violation.ts'

/**
 * Wraps an application so that both sides of the contract are checked.
 *
 * @param app the application to check
 * @returns an application that behaves like `app`, and throws {@link ViolationError} if a rule is
 * broken
 * @throws WSGIError if `app` is not an application
 */
export function validator(app: WSGIApplication): WSGIFunction {
  const inner = toFunction(app)
  const told = new Set<string>()
  return function validated(
    ...args: [WSGIEnvironment, StartResponse]
  ): WSGIBody | Promise<WSGIBody> {
    // Checked here because the types do not bind a server written in JavaScript.
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
    const text = new TextWatch(environ, errors, told)
    const response = new CheckedResponse(startResponse, environ.REQUEST_METHOD === 'HEAD', text)
    environ['wsgi.input'] = new CheckedInput(environ['wsgi.input'], environ.CONTENT_LENGTH)
    environ['wsgi.errors'] = new CheckedErrors(errors)
    const result: unknown = inner(environ, response.startResponse)
    const check = (body: unknown) => checkedBody(body, response, request, errors)
    return isPromise(result) ? result.then(check) : check(result)
  }
}
