import { quoteBytes } from '../../bytes/quoted.ts'
import { COMMA, HTAB, SP } from '../../semantics/syntax.ts'
import { HttpError } from '../errors.ts'

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
