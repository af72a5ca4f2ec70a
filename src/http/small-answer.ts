import { STATUS_CODES } from 'node:http'
import type { ResponseHead } from './response-head.ts'

/**
 * The field line of a 503 that will be over soon: when to come again, in seconds (RFC 9110
 * §10.2.3).
 */
export const RETRY_SOON = 'Retry-After: 1\r\n'

/**
 * The head and body of one of the server's own answers: a status line, a line of plain text,
 * nothing of the request in it (so there is nothing to inject).
 *
 * @param fields further field lines, each ended with CRLF
 */
export function smallAnswer(status: number, fields: string): [ResponseHead, Buffer] {
  const reason = STATUS_CODES[status] ?? 'Error'
  const text = `${status} ${reason}\r\nContent-Type: text/plain; charset=utf-8\r\n${fields}`
  return [
    { status, text, contentLength: -1, hasDate: false, hasServer: false },
    Buffer.from(`${status} ${reason}\n`, 'latin1'),
  ]
}
