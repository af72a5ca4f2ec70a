import type { ResponseHeaders } from '../wsgi/types.ts'

/**
 * A copy of a response's headers, without some and with others. The application's own list stays as
 * it is: it may be a constant.
 *
 * What is no list of headers is given back unchanged: the server's side of the contract says what
 * is wrong with it.
 *
 * @param remove names in lower case
 * @example changeHeaders(headers, new Set(['server']), [['X-Request-ID', id]])
 */
export function changeHeaders(
  headers: ResponseHeaders,
  remove: ReadonlySet<string>,
  add: ResponseHeaders,
): ResponseHeaders {
  if (!Array.isArray(headers)) return headers
  const kept = headers.filter(
    (header) => !(Array.isArray(header) && remove.has(String(header[0]).toLowerCase())),
  )
  return kept.concat(add)
}
