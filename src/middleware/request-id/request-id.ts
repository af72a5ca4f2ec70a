/**
 * Gives each request an id, so that the lines which a request leaves in logs, here and elsewhere,
 * can be found together.
 *
 * The id is `environ['monoceros.request_id']`; it is in the environ as the request's header, too,
 * where applications in Python look (`request.headers['X-Request-ID']`); and the response has it as
 * a header. What a client sends under that name is dropped, unless `trust` says otherwise.
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

/** Options of {@link requestId}. */
export interface RequestIdOptions {
  /** The header's name, of the request and of the response. Default `X-Request-ID`. */
  readonly header?: string
  /**
   * Take the id that came with the request. Only behind a proxy that sets it for every request:
   * else clients choose what stands in your logs. Even then it must be 1 to 128 letters, digits and
   * `- _ . ~ + / = : @`; any other is replaced. Default false.
   */
  readonly trust?: boolean
  /** Makes an id, of the same characters. Default: a random UUID. */
  readonly generate?: (environ: WSGIEnvironment) => string
}

const HARMLESS = /^[A-Za-z0-9\-_.~+/=:@]{1,128}$/
const HEADER_NAME = /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/

/** @throws TypeError or RangeError (`bad-option`) */
export function requestId(options: RequestIdOptions = {}): Middleware {
  const { header = 'X-Request-ID', trust = false, generate = () => crypto.randomUUID() } = options
  // Underscores pass for dashes in an environ, so such a name would be another header's.
  if (typeof header !== 'string' || !HEADER_NAME.test(header) || isHopByHop(header)) {
    throw optionError(
      RangeError,
      `requestId: header must be a header's name without underscores, such as "X-Request-ID", not ${describeValue(header)}`,
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
            `requestId: generate must give 1 to 128 letters, digits and - _ . ~ + / = : @, not ${describeValue(id)}`,
          )
        }
      }
      environ['monoceros.request_id'] = id
      environ[key] = id
      return inner(environ, (status, headers, excInfo) => {
        // An application that knows the header sends it itself, as it had it from us; it must not
        // be there twice.
        return startResponse(status, changeHeaders(headers, own, [[header, id]]), excInfo)
      })
    }
  }
}
