import { encodePercent } from './environ.ts'
import type { WSGIEnvironment } from './types.ts'

/** What of an environ its URI is made of. */
export type UriFacts = Pick<WSGIEnvironment, 'wsgi.url_scheme' | 'SERVER_NAME' | 'SERVER_PORT'> &
  Partial<WSGIEnvironment>

/**
 * The URI of a request, put together again from its environ (`wsgiref.util.request_uri`; PEP 3333
 * "URL Reconstruction").
 *
 * Its host is what the client said in `Host`: do not send a link made of it (a password reset, say)
 * to anybody but that client unless the server checks the host.
 *
 * @param includeQuery whether the query string is part of it
 * @throws WSGIError where the path has a character beyond latin-1
 * @example
 * // GET /shop/caf%C3%A9?page=2 to an application that is mounted at /shop
 * requestUri(environ) // 'http://localhost:8000/shop/caf%C3%A9?page=2'
 */
export function requestUri(environ: UriFacts, includeQuery = true): string {
  const application = applicationUri(environ)
  const path = encodePercent(environ.PATH_INFO ?? '', QUOTED_IN_PATH_INFO)
  // Without SCRIPT_NAME the application's URI has the first slash already.
  const uri = application + (environ.SCRIPT_NAME ? path : path.slice(1))
  return includeQuery && environ.QUERY_STRING ? `${uri}?${environ.QUERY_STRING}` : uri
}

/**
 * The URI of the application: scheme, host and `SCRIPT_NAME`, without path and query
 * (`wsgiref.util.application_uri`). Of an application at the root it ends with a slash.
 *
 * @throws WSGIError where SCRIPT_NAME has a character beyond latin-1
 * @example
 * applicationUri(environ) // 'http://localhost:8000/shop'
 */
export function applicationUri(environ: UriFacts): string {
  const scheme = environ['wsgi.url_scheme']
  const { SERVER_NAME, SERVER_PORT } = environ
  const usualPort = scheme === 'https' ? '443' : '80'
  const server = SERVER_PORT === usualPort ? SERVER_NAME : `${SERVER_NAME}:${SERVER_PORT}`
  return `${scheme}://${environ.HTTP_HOST || server}${encodePercent(environ.SCRIPT_NAME || '/', QUOTED_IN_SCRIPT_NAME)}`
}

// Those of wsgiref, which quotes more than RFC 3986 §3.3 asks for.
const QUOTED_IN_SCRIPT_NAME = /[^A-Za-z0-9_.~/-]/g
const QUOTED_IN_PATH_INFO = /[^A-Za-z0-9_.~/;=,-]/g
