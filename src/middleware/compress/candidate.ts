import type { ResponseHeaders } from '../../wsgi/types.ts'
import { headerValue } from '../conditional/held-head.ts'
import type { CompressSettings } from './options.ts'

/** Whether to compress a response for a client that accepts a coding. */
export function isCandidate(
  settings: CompressSettings,
  status: string,
  headers: ResponseHeaders,
): boolean {
  if (status.startsWith('204') || status.startsWith('206') || status.startsWith('304')) return false
  let type: string | undefined
  for (const [name, value] of headers) {
    switch (name.toLowerCase()) {
      case 'content-type':
        type = value
        break
      case 'content-encoding':
        if (value.trim().toLowerCase() !== 'identity') return false
        break
      case 'content-range':
        return false
      case 'cache-control':
        if (/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(value)) return false
        break
      case 'content-length':
        if (Number(value) < settings.threshold) return false
    }
  }
  return (
    type !== undefined && !/^\s*text\/event-stream\s*(?:;|$)/i.test(type) && settings.types(type)
  )
}

export function withVaryIfCompressible(
  settings: CompressSettings,
  status: string,
  headers: ResponseHeaders,
): ResponseHeaders {
  // The server refuses a head of the wrong type.
  if (typeof status !== 'string' || !Array.isArray(headers)) return headers
  try {
    return status.startsWith('304') || isCandidate(settings, status, headers)
      ? withVary(headers)
      : headers
  } catch {
    return headers
  }
}

export function withVary(headers: ResponseHeaders): ResponseHeaders {
  const vary = headerValue(headers, 'vary')
  if (vary !== undefined && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(vary)) return headers
  return [...headers, ['Vary', 'Accept-Encoding']]
}
