import { checkHead, type HeadFacts } from '../wsgi/head-rules.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'

/**
 * The head of a response as an application gave it, checked and its own: the application may change
 * its list later.
 */
export interface StartedResponse extends HeadFacts {
  readonly reason: string
  readonly headers: ResponseHeaders
}

/** @throws WSGIError */
export function readStart(status: string, headers: ResponseHeaders): StartedResponse {
  const { status: code, contentLength } = checkHead(status, headers)
  return {
    status: code,
    contentLength,
    reason: status.slice(4),
    // RFC 9110 §8.6: no Content-Length in a 204.
    headers:
      code === 204
        ? headers.filter(([name]) => name.toLowerCase() !== 'content-length')
        : [...headers],
  }
}
