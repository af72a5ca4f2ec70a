/**
 * Combines several applications into one, by the method of the request.
 *
 * - HEAD is answered by the application for GET; the server leaves out the body (RFC 9110 §9.3.2).
 * - OPTIONS is answered with 204 and `Allow` (RFC 9110 §9.3.7).
 * - Any other method is answered with `405 Method Not Allowed` and `Allow` (RFC 9110 §15.5.6).
 *
 * Your own applications for HEAD or OPTIONS take precedence.
 *
 * Do not use it around an application that handles methods itself, such as one of a web framework.
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
 * Makes an application that passes each request on to the application for its method.
 *
 * Unknown methods are answered with 405 too. 501 would mean that no resource of the server supports
 * the method (RFC 9110 §15.6.2), but this application stands for one resource only.
 *
 * @param table an application for each method, in upper case
 * @returns an application
 * @throws RangeError (`bad-option`) for a method that is not in upper case (methods are
 * case-sensitive, RFC 9110 §9.1), and for an empty table
 * @throws TypeError (`bad-option`) for a value that is not an application
 * @example methods({ GET: showArticle, PUT: replaceArticle })
 */
export function methods(table: MethodTable): WSGIFunction {
  // A Map, because the method of a request may be any word, such as `constructor`.
  const byMethod = new Map<string, WSGIFunction>()
  if (typeof table !== 'object' || table === null) {
    throw optionError(
      TypeError,
      `methods: the argument must be an object such as { GET: app }, not ${describeValue(table)}`,
    )
  }
  for (const [name, app] of Object.entries(table)) {
    if (app === undefined) continue
    if (!METHOD_NAME.test(name)) {
      const upper = name.toUpperCase()
      const advice = METHOD_NAME.test(upper) ? `: write ${upper}` : ''
      throw optionError(
        RangeError,
        `methods: ${JSON.stringify(name)} is not a method in upper case${advice}`,
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
    throw optionError(
      RangeError,
      'methods: the table is empty; give it a method, as in { GET: app }',
    )

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
