import type { ResponseHeaders } from '../../wsgi/types.ts'

/** What is about the content that a 304 does not have. */
const ABOUT_CONTENT: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'repr-digest',
  'want-content-digest',
])

/**
 * The headers of a 304, out of those that the response would have had (RFC 9110 §15.4.5). What a
 * cache needs to bring its copy up to date stays (Cache-Control, Content-Location, Date, ETag,
 * Expires, Vary), and so does what is not about the content (Set-Cookie, Access-Control-*,
 * Content-Security-Policy). Last-Modified stays only where there is no ETag.
 */
export function notModifiedHeaders(headers: ResponseHeaders): ResponseHeaders {
  const tagged = headers.some(([name]) => name.toLowerCase() === 'etag')
  return headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !ABOUT_CONTENT.has(lower) && !(tagged && lower === 'last-modified')
  })
}
