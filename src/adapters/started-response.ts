import { checkHead, type HeadFacts } from '../wsgi/head-rules.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'

/** The checked head of a response. A copy, because an application may change its list later. */
export interface StartedResponse extends HeadFacts {
  readonly reason: string
  readonly headers: ResponseHeaders
}

/** Checks and copies the arguments of `startResponse`. @throws WSGIError if they break a rule */
export function readStart(status: string, headers: ResponseHeaders): StartedResponse {
  const { status: code, contentLength } = checkHead(status, headers)
  return {
    status: code,
    contentLength,
    reason: status.slice(4),
    // A 204 has no Content-Length (RFC 9110 §8.6).
    headers:
      code === 204
        ? headers.filter(([name]) => name.toLowerCase() !== 'content-length')
        : [...headers],
  }
}
