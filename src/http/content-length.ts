import { quoteBytes } from '../bytes/quoted.ts'
import { DIGIT, HTAB } from '../semantics/syntax.ts'
import { HttpError } from './errors.ts'

const LONGEST_CONTENT_LENGTH = Number.MAX_SAFE_INTEGER

/** A value without white space around it; `end` is where the line ends. */
interface Value {
  readonly valueStart: number
  readonly valueEnd: number
  readonly end: number
}

/**
 * The value of a Content-Length in bytes (RFC 9110 §8.6): only digits, up to
 * 2^53 - 1. A list of equal values, which a recipient may merge, is refused.
 *
 * @throws HttpError `bad-content-length`
 */
export function contentLength(bytes: Buffer, { valueStart, valueEnd, end }: Value): number {
  let length = 0
  for (let i = valueStart; i < valueEnd; i++) {
    const byte = bytes[i]!
    const digit = byte - 0x30
    if (DIGIT[byte] === 0 || length > (LONGEST_CONTENT_LENGTH - digit) / 10) {
      throw badContentLength(bytes, valueStart, valueEnd)
    }
    length = length * 10 + digit
  }
  if (valueStart === valueEnd || tabWithin(bytes, valueEnd, end)) {
    throw badContentLength(bytes, valueStart, end)
  }
  return length
}

/**
 * A tab after a value is white space in RFC 9110, but not for all recipients (llhttp). Where the
 * length of a body or the fate of the connection depends on it, the request is refused.
 */
export function tabWithin(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === HTAB) return true
  return false
}

function badContentLength(bytes: Buffer, start: number, end: number): HttpError {
  return new HttpError(
    400,
    'bad-content-length',
    `Content-Length is not a length: ${quoteBytes(bytes, start, end)}`,
  )
}
