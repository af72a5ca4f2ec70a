import parseRange from 'range-parser'
import type { RequestHead } from '../../http/request-head.ts'
import { parseHttpDate } from '../../semantics/http-date.ts'
import type { StoredResponse } from './stored-response.ts'

/** The entity tags of a list. */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
const LONGEST = 8192

/**
 * Whether a client's copy is the stored response (RFC 9111 §4.3.2, RFC 9110 §13.1.2 and §13.1.3):
 * If-None-Match, or If-Modified-Since if there is none.
 */
export function isUnchanged(head: RequestHead, stored: StoredResponse): boolean {
  const tags = head.get('if-none-match')
  if (tags !== undefined) {
    if (tags.trim() === '*') return true
    const { etag } = stored
    if (etag === undefined || tags.length > LONGEST) return false
    const opaque = etag.replace(/^W\//, '')
    return (tags.match(ENTITY_TAG) ?? []).some((tag) => tag.replace(/^W\//, '') === opaque)
  }
  const since = parseHttpDate(head.get('if-modified-since') ?? '')
  const modified = parseHttpDate(stored.lastModified ?? '')
  return modified <= since
}

/** A part of a response: bytes [`start`, `end`). */
export interface Part {
  readonly start: number
  readonly end: number
}

/**
 * The part of a stored response that a request asks for (RFC 9110 §14.2).
 *
 * @returns `'whole'` if Range has to be ignored: it is malformed, has several parts, or If-Range
 * says so; `'none'` if the response has no such part
 */
export function requestedPart(head: RequestHead, stored: StoredResponse): Part | 'whole' | 'none' {
  const range = head.get('range')
  if (range === undefined || head.method !== 'GET' || stored.status !== 200) return 'whole'
  if (range.length > LONGEST || !/^bytes=[^,]*$/i.test(range)) return 'whole'
  if (!rangeApplies(head, stored)) return 'whole'
  const ranges = parseRange(stored.body.length, range)
  if (ranges === -2) return 'whole'
  if (ranges === -1 || ranges.length !== 1) return 'none'
  const [{ start, end }] = ranges as unknown as [{ start: number; end: number }]
  return { start, end: end + 1 }
}

/** If-Range (RFC 9110 §13.1.5): only a strong validator that is the same. */
function rangeApplies(head: RequestHead, stored: StoredResponse): boolean {
  const condition = head.get('if-range')?.trim()
  if (condition === undefined) return true
  if (condition.startsWith('"')) return condition === stored.etag
  // A file may have changed twice within the second, unless a strong tag says that it has not.
  return (
    condition === stored.lastModified && stored.etag !== undefined && !stored.etag.startsWith('W/')
  )
}
