import { ASTERISK, SLASH } from '../../semantics/syntax.ts'
import { authorityHostEnd } from '../authority.ts'
import { refusedTarget } from './head-refusals.ts'
import type { H1RequestHead } from './request-head.ts'

/**
 * Finds the form of a request's target and takes the target apart (RFC 9112 §3.2).
 *
 * @param head one whose method and whole target are known
 * @param questionMark where the first question mark of the target is, or -1
 * @throws HttpError `bad-target`
 */
export function takeTarget(head: H1RequestHead, questionMark: number): void {
  const { bytes } = head
  const start = head.targetStart
  const end = head.targetEnd
  head.pathStart = start
  head.pathEnd = end
  head.queryStart = end
  head.queryEnd = end
  head.authorityStart = end
  head.authorityEnd = end
  if (head.method === 'CONNECT') {
    // §3.2.3: both host and port are required.
    const hostEnd = authorityHostEnd(bytes, start, end)
    if (hostEnd <= start || hostEnd + 1 >= end) throw refusedTarget(head, 'is not host:port')
    head.targetForm = 'authority'
    head.authorityStart = start
    head.pathStart = end
    return
  }
  if (questionMark >= 0) {
    head.hasQuery = true
    head.pathEnd = questionMark
    head.queryStart = questionMark + 1
  }
  if (bytes[start] === SLASH) return
  if (bytes[start] === ASTERISK) {
    if (end - start > 1) throw refusedTarget(head, 'has no form that RFC 9112 knows')
    if (head.method !== 'OPTIONS') throw refusedTarget(head, 'is for OPTIONS only')
    head.targetForm = 'asterisk'
    return
  }
  const authority = start + schemeLength(bytes, start, end)
  if (authority === start) throw refusedTarget(head, 'has no form that RFC 9112 knows')
  let slash = authority
  while (slash < head.pathEnd && bytes[slash] !== SLASH) slash++
  // An empty host makes an http or https URI invalid, RFC 9110 §4.2.1.
  if (authorityHostEnd(bytes, authority, slash) <= authority) {
    throw refusedTarget(head, 'has no well-formed host')
  }
  head.targetForm = 'absolute'
  head.authorityStart = authority
  head.authorityEnd = slash
  head.pathStart = slash
}

/** The length of `http://` or `https://` at `start`, in any case, or 0. */
function schemeLength(bytes: Buffer, start: number, end: number): number {
  const prefix = bytes.toString('latin1', start, Math.min(end, start + 8)).toLowerCase()
  if (prefix.startsWith('http://')) return 7
  return prefix === 'https://' ? 8 : 0
}
