import { quoteBytes } from '../../bytes/quoted.ts'
import { COMMA, DIGIT, HTAB, SP } from '../../semantics/syntax.ts'
import { HttpError } from '../errors.ts'
import type { FieldLine } from './field-line.ts'

const LONGEST_CONTENT_LENGTH = Number.MAX_SAFE_INTEGER

/**
 * The value of a Content-Length in bytes (RFC 9110 §8.6): only digits, up to
 * 2^53 - 1. A list of equal values, which a recipient may merge, is refused.
 *
 * @throws HttpError `bad-content-length`
 */
export function contentLength(bytes: Buffer, { valueStart, valueEnd, end }: FieldLine): number {
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

/**
 * Accepts only `chunked`. Other codings before a final `chunked` have a known length but are not
 * supported: 501 (RFC 9112 §6.1). If `chunked` is not last, or is repeated, the length cannot be
 * determined: 400 (§6.3).
 *
 * @param value the values of all Transfer-Encoding lines as one list, one character for each byte
 * @throws HttpError `unknown-transfer-coding` or `bad-transfer-encoding`; returns only for
 * `chunked`
 */
export function checkTransferEncoding(value: string): void {
  if (value === 'chunked') return
  const bytes = Buffer.from(value, 'latin1')
  const codings = listElements(bytes, 0, bytes.length)
  if (codings.length === 1 && codings[0] === 'chunked') return
  if (
    codings.length > 1 &&
    codings.every(isToken) &&
    codings.indexOf('chunked') === codings.length - 1
  ) {
    throw new HttpError(
      501,
      'unknown-transfer-coding',
      `Unknown transfer coding: ${quoteBytes(bytes, 0, bytes.length)}`,
    )
  }
  throw new HttpError(
    400,
    'bad-transfer-encoding',
    `Transfer-Encoding is not "chunked" but ${quoteBytes(bytes, 0, bytes.length)}`,
  )
}

/**
 * The elements of a list (RFC 9110 §5.6.1) in lower case, without white space around them. Not a
 * regular expression: one with white space before a comma takes quadratic time over a value
 * that is all white space.
 */
export function listElements(bytes: Buffer, start: number, end: number): string[] {
  const elements: string[] = []
  for (let from = start; from <= end; ) {
    let next = from
    while (next < end && bytes[next] !== COMMA) next++
    let first = from
    let last = next
    while (first < last && (bytes[first] === SP || bytes[first] === HTAB)) first++
    while (last > first && (bytes[last - 1] === SP || bytes[last - 1] === HTAB)) last--
    elements.push(first === last ? '' : bytes.toString('latin1', first, last).toLowerCase())
    from = next + 1
  }
  return elements
}

function isToken(text: string): boolean {
  return /^[-!#$%&'*+.^_`|~0-9a-z]+$/.test(text)
}

function badContentLength(bytes: Buffer, start: number, end: number): HttpError {
  return new HttpError(
    400,
    'bad-content-length',
    `Content-Length is not a length: ${quoteBytes(bytes, start, end)}`,
  )
}
