/** Headers about the content, which a 304 does not have. */
export const ABOUT_CONTENT: ReadonlySet<string> = new Set([
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
 * Selects the headers of a 304 from those of the full response (RFC 9110 §15.4.5). The headers that
 * a cache needs to update its copy stay (Cache-Control, Content-Location, Date, ETag, Expires,
 * Vary), and so do those that are not about the content (Set-Cookie, Access-Control-*,
 * Content-Security-Policy). Last-Modified stays only if there is no ETag.
 */
export function notModifiedHeaders<Field extends readonly [name: string, value: string]>(
  headers: readonly Field[],
): Field[] {
  const tagged = headers.some(([name]) => name.toLowerCase() === 'etag')
  return headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !ABOUT_CONTENT.has(lower) && !(tagged && lower === 'last-modified')
  })
}
