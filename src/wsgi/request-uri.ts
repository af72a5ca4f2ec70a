import { encodePercent } from './environ.ts'
import type { WSGIEnvironment } from './types.ts'

/** The variables that a request's URI is made of. */
export type UriFacts = Pick<WSGIEnvironment, 'wsgi.url_scheme' | 'SERVER_NAME' | 'SERVER_PORT'> &
  Partial<WSGIEnvironment>

/**
 * Reconstructs the URI of a request from its environ (`wsgiref.util.request_uri`; PEP 3333 "URL
 * Reconstruction").
 *
 * The host is the one that the client sent in `Host`. Unless the server checks it, do not use it in
 * a link that goes to somebody else, such as a link to reset a password.
 *
 * @param includeQuery whether to add the query string. Defaults to true
 * @throws WSGIError if the path has a character beyond latin-1
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
 * (`wsgiref.util.application_uri`). For an application at the root it ends with a slash.
 *
 * @throws WSGIError if SCRIPT_NAME has a character beyond latin-1
 * @example
 * applicationUri(environ) // 'http://localhost:8000/shop'
 */
export function applicationUri(environ: UriFacts): string {
  const scheme = environ['wsgi.url_scheme']
  const { SERVER_NAME, SERVER_PORT } = environ
  const usualPort = scheme === 'https' ? '443' : '80'
  const server = SERVER_PORT === usualPort ? SERVER_NAME : `${SERVER_NAME}:${SERVER_PORT}`
  const path = encodePercent(environ.SCRIPT_NAME || '/', QUOTED_IN_SCRIPT_NAME)
  return `${scheme}://${environ.HTTP_HOST || server}${path}`
}

// The same characters as in wsgiref, which quotes more than RFC 3986 §3.3 requires.
const QUOTED_IN_SCRIPT_NAME = /[^A-Za-z0-9_.~/-]/g
const QUOTED_IN_PATH_INFO = /[^A-Za-z0-9_.~/;=,-]/g
