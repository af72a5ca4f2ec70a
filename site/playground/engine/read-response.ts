import type { Response } from '../protocol.ts'
import { latin1Text } from './node-buffer.ts'

/**
 * Reads what a server has sent on a connection that it has closed: a status line, fields and a
 * body (RFC 9112 §6.3). Null if that is no response. It is forgiving, because what is looked at
 * may be a server that somebody is still writing.
 */
export function readResponse(bytes: Uint8Array): Response | null {
  const text = latin1Text(bytes.subarray(0, 64 * 1024))
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [line = '', ...lines] = text.slice(0, end).split('\r\n')
  const match = /^HTTP\/\d\.\d (.*)$/.exec(line)
  if (match === null) return null
  const headers = lines.map((each) => {
    const colon = each.indexOf(':')
    return [each.slice(0, colon), each.slice(colon + 1).trim()] as const
  })
  let body = bytes.slice(end + 4)
  const declared = headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]
  const length = declared === undefined ? body.length : Number(declared)
  const complete = body.length >= length
  if (body.length > length) body = body.slice(0, length)
  return { status: match[1]!, headers, body, complete }
}
