import type { ResponseHeaders } from '../wsgi/types.ts'

/**
 * Copies the headers of a response, without some and with others. The application's own list is not
 * changed, because it may be a constant.
 *
 * A value that is not a list of headers is returned as it is: the server reports what is wrong.
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
