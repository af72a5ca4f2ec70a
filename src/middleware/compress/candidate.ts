import { isWorthCoding, withVary } from '../../content-coding/coded-fields.ts'
import type { ResponseHeaders } from '../../wsgi/types.ts'
import type { CompressSettings } from './options.ts'

/** Whether to compress a response for a client that accepts a coding. */
export function isCandidate(
  settings: CompressSettings,
  status: string,
  headers: ResponseHeaders,
): boolean {
  return isWorthCoding(settings, Number(status.slice(0, 3)), headers)
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
