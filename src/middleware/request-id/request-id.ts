/**
 * Gives each request an id, so that all log lines of a request can be found, on this and on other
 * servers.
 *
 * The id is in `environ['monoceros.request_id']`, in the header of the request, where applications
 * in Python find it (`request.headers['X-Request-ID']`), and in a header of the response. An id
 * that the client sent is dropped, unless the option `trust` is true.
 *
 * Do not use an id as a secret or for access control: clients can read it.
 *
 * @example
 * import { compose, errorHandler, requestId } from 'monoceros'
 *
 * export const app = compose(requestId(), errorHandler())((environ, startResponse) => {
 *   environ['wsgi.errors'].write(`${environ['monoceros.request_id']}: looking for the article\n`)
 *   startResponse('404 Not Found', [['Content-Type', 'text/plain']])
 *   return [new TextEncoder().encode('No such article\n')]
 * })
 *
 * @module
 */
import { toFunction } from '../../wsgi/application.ts'
import { environKey } from '../../wsgi/environ.ts'
import { isHopByHop } from '../../wsgi/head-rules.ts'
import type { Middleware, WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { changeHeaders } from '../header-change.ts'
import { optionError } from '../option-error.ts'

declare module '../../wsgi/types.ts' {
  interface WSGIEnvironment {
    /** The id of the request, from the middleware `requestId`. */
    'monoceros.request_id'?: string | undefined
  }
}

/** Options of {@link requestId}. */
export interface RequestIdOptions {
  /** The name of the header, in the request and the response. Defaults to `X-Request-ID`. */
  readonly header?: string
  /**
   * Whether to keep the id that came with the request. Set it only behind a proxy that sets the
   * header for every request: otherwise clients choose the ids in your logs. An id that is not 1 to
   * 128 letters, digits and `- _ . ~ + / = : @` is replaced in any case. Defaults to false.
   */
  readonly trust?: boolean
  /** Makes an id of the same characters. Defaults to a random UUID. */
  readonly generate?: (environ: WSGIEnvironment) => string
}

const HARMLESS = /^[A-Za-z0-9\-_.~+/=:@]{1,128}$/
const HEADER_NAME = /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/

/**
 * Makes a middleware that gives each request an id.
 *
 * @throws TypeError or RangeError (`bad-option`) if an option is wrong, or, for a request, if
 * `generate` returns an id with other characters
 * @example requestId({ header: 'X-Correlation-ID', trust: true })(app)
 */
export function requestId(options: RequestIdOptions = {}): Middleware {
  const { header = 'X-Request-ID', trust = false, generate = () => crypto.randomUUID() } = options
  // In an environ, a name with an underscore is the same as one with a hyphen.
  if (typeof header !== 'string' || !HEADER_NAME.test(header) || isHopByHop(header)) {
    throw optionError(
      RangeError,
      'requestId: header must be the name of a header without underscores, ' +
        `such as "X-Request-ID", not ${describeValue(header)}`,
    )
  }
  if (typeof trust !== 'boolean') {
    throw optionError(
      TypeError,
      `requestId: trust must be true or false, not ${describeValue(trust)}`,
    )
  }
  if (typeof generate !== 'function') {
    throw optionError(
      TypeError,
      `requestId: generate must be a function, not ${describeValue(generate)}`,
    )
  }
  const key = environKey(header)
  const own = new Set([header.toLowerCase()])

  return function withRequestId(app) {
    const inner = toFunction(app)
    return function requestIdApplication(environ, startResponse) {
      const received = environ[key]
      let id: string
      if (trust && typeof received === 'string' && HARMLESS.test(received)) {
        id = received
      } else {
        id = generate(environ)
        if (typeof id !== 'string' || !HARMLESS.test(id)) {
          throw optionError(
            TypeError,
            'requestId: generate must return 1 to 128 letters, digits and - _ . ~ + / = : @, ' +
              `not ${describeValue(id)}`,
          )
        }
      }
      environ['monoceros.request_id'] = id
      environ[key] = id
      return inner(environ, (status, headers, excInfo) => {
        // An application may send the header itself; it must not be there twice.
        return startResponse(status, changeHeaders(headers, own, [[header, id]]), excInfo)
      })
    }
  }
}
