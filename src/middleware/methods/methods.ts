/**
 * Makes one application of several, by the request's method: one that reads, one that writes.
 *
 * - HEAD is answered by the application for GET, whose body the server leaves out (RFC 9110
 *   §9.3.2);
 * - OPTIONS is answered 204 with `Allow` (RFC 9110 §9.3.7);
 * - any other method is answered `405 Method Not Allowed` with `Allow` (RFC 9110 §15.5.6).
 *
 * An application of your own for HEAD or OPTIONS comes before these.
 *
 * @example
 * import { dispatcher, methods } from 'monoceros'
 *
 * const articles = methods({ GET: listArticles, POST: createArticle })
 * const article = methods({ GET: showArticle, PUT: replaceArticle, DELETE: deleteArticle })
 * export const app = dispatcher({ '/articles': articles, '/article': article })
 *
 * @module
 */
import { isApplication, toFunction } from '../../wsgi/application.ts'
import type { WSGIApplication, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { plainResponse } from '../plain-response.ts'

/**
 * Methods of HTTP (RFC 9110 §9.3, RFC 5789), of caches, and of WebDAV (RFC 4918, RFC 3253, RFC
 * 5323).
 */
export type Method =
  | 'GET'
  | 'HEAD'
  | 'POST'
  | 'PUT'
  | 'PATCH'
  | 'DELETE'
  | 'OPTIONS'
  | 'QUERY'
  | 'PURGE'
  | 'PROPFIND'
  | 'PROPPATCH'
  | 'MKCOL'
  | 'COPY'
  | 'MOVE'
  | 'LOCK'
  | 'UNLOCK'
  | 'REPORT'
  | 'SEARCH'

/** An application for each method. */
export type MethodTable = { readonly [method in Method]?: WSGIApplication }

const METHOD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Z]+$/

/**
 * A method that nobody has heard of is answered 405 too, not 501: 501 would say that no resource of
 * this server knows it (RFC 9110 §15.6.2), and this application speaks for one resource only.
 *
 * @returns an application
 * @throws TypeError or RangeError (`bad-option`) for a method in lower case (methods are
 * case-sensitive, RFC 9110 §9.1), for what is no application, and for an empty table
 */
export function methods(table: MethodTable): WSGIFunction {
  // Not an object: a request's method may be any word, `constructor` among them.
  const byMethod = new Map<string, WSGIFunction>()
  if (typeof table !== 'object' || table === null) {
    throw optionError(
      TypeError,
      `methods: must get an object such as { GET: app }, not ${describeValue(table)}`,
    )
  }
  for (const [name, app] of Object.entries(table)) {
    if (app === undefined) continue
    if (!METHOD_NAME.test(name)) {
      const upper = name.toUpperCase()
      const advice = METHOD_NAME.test(upper) ? `: write ${upper}` : ''
      throw optionError(
        RangeError,
        `methods: ${JSON.stringify(name)} is not a method in capital letters${advice}`,
      )
    }
    if (!isApplication(app)) {
      throw optionError(
        TypeError,
        `methods: ${name} must be an application, not ${describeValue(app)}`,
      )
    }
    byMethod.set(name, toFunction(app))
  }
  if (byMethod.size === 0)
    throw optionError(RangeError, 'methods: has no method; give it one, as in { GET: app }')

  const get = byMethod.get('GET')
  if (get !== undefined && !byMethod.has('HEAD')) byMethod.set('HEAD', get)
  const allow = [...new Set([...byMethod.keys(), 'OPTIONS'])].sort().join(', ')
  const notAllowed = plainResponse('405 Method Not Allowed', ['Allow', allow])
  if (!byMethod.has('OPTIONS')) {
    byMethod.set('OPTIONS', function options(_environ, startResponse) {
      startResponse('204 No Content', [['Allow', allow]])
      return []
    })
  }

  return function byMethodApplication(environ, startResponse) {
    return (byMethod.get(environ.REQUEST_METHOD) ?? notAllowed)(environ, startResponse)
  }
}
