import type { RequestHead } from '../../http/request-head.ts'

/**
 * Where `/docs` is redirected to, because the relative links of the page need a slash: to the last
 * segment and a slash, relative to the path itself (RFC 3986 §5.2). So it is right behind a proxy
 * that has removed a part of the path, and cannot lead to another server.
 *
 * @example directoryLocation(head) // './docs/?a=b' for the target '/shop/docs?a=b'
 */
export function directoryLocation(head: RequestHead): string {
  const path = head.bytes.toString('latin1', head.pathStart, head.pathEnd)
  const query = head.hasQuery
    ? `?${head.bytes.toString('latin1', head.queryStart, head.queryEnd)}`
    : ''
  // A dot in front: a colon in the segment would end a scheme.
  const location = `./${path.slice(path.lastIndexOf('/') + 1)}/${query}`
  return location.replace(
    /[^\x21-\x7e]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
