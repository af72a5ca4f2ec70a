import { quoteByte, quoteBytes } from '../../bytes/quoted.ts'
import { COLON, CR, HTAB, LF, SP } from '../../semantics/syntax.ts'
import { HttpError } from '../errors.ts'
import type { FieldName } from '../field-names.ts'
import type { H1RequestHead } from './request-head.ts'

/** What a TLS client sends first: the type of a handshake record. */
const TLS_HANDSHAKE = 0x16

/**
 * RFC 9112 §6.1: such a message ought to be handled as an error, since two recipients may see two
 * lengths.
 */
export function bothLengths(): HttpError {
  return new HttpError(
    400,
    'content-length-and-transfer-encoding',
    'The request has both Content-Length and Transfer-Encoding',
  )
}

/**
 * @param where what precedes the CR; may be long, may come from the client, must be printable
 * @param byte what follows the CR
 */
export function bareCR(where: string, byte: number): HttpError {
  const what = where.slice(0, 96)
  return new HttpError(
    400,
    'bare-cr',
    `The CR at the end of ${what} is followed by ${quoteByte(byte)}, not by LF`,
  )
}

/** A byte that no request line begins with. */
export function refusedFirstByte(byte: number): HttpError {
  if (byte === TLS_HANDSHAKE) {
    return new HttpError(
      400,
      'tls-handshake',
      'The client speaks TLS (https), but this address serves plain HTTP',
    )
  }
  if (byte === LF)
    return new HttpError(400, 'bare-lf', 'There is a bare LF before the request line')
  if (byte === CR) {
    return new HttpError(400, 'empty-lines', 'There is more than one empty line before the request')
  }
  return new HttpError(
    400,
    'bad-request-line',
    `The request line begins with the byte ${quoteByte(byte)}`,
  )
}

/** @param part what came before that byte, as it may stand in a log */
export function refusedInRequestLine(byte: number, part: string): HttpError {
  if (byte === LF) return new HttpError(400, 'bare-lf', `${part} is followed by a bare LF`)
  if (byte === SP)
    return new HttpError(400, 'bad-request-line', `${part} is followed by a space too many`)
  if (byte === CR)
    return new HttpError(400, 'bad-request-line', `${part} is followed by the end of the line`)
  return new HttpError(
    400,
    'bad-request-line',
    `${part} is followed by the byte ${quoteByte(byte)}`,
  )
}

/**
 * The byte at `at`, which ends the name that began at `start` and is no colon, or ends an empty
 * one.
 */
export function refusedInName(bytes: Buffer, start: number, at: number): HttpError {
  const name = quoteBytes(bytes, start, at)
  const byte = bytes[at]!
  if (byte === COLON)
    return new HttpError(400, 'empty-field-name', 'There is a field without a name')
  if (byte === LF) {
    return new HttpError(400, 'bare-lf', `The field line ${name} ends with LF, and has no colon`)
  }
  if (byte === CR) return new HttpError(400, 'no-colon', `The field line ${name} has no colon`)
  if (byte === SP || byte === HTAB) {
    return new HttpError(
      400,
      'space-before-colon',
      `The field name ${name} is followed by white space`,
    )
  }
  return new HttpError(
    400,
    'bad-field-name',
    `The field name ${name} is followed by the byte ${quoteByte(byte)}`,
  )
}

/** @param why completes a sentence that begins with the target */
export function refusedTarget(head: H1RequestHead, why: string): HttpError {
  const { bytes, targetStart, targetEnd } = head
  return new HttpError(
    400,
    'bad-target',
    `The request target ${quoteBytes(bytes, targetStart, targetEnd)} ${why}`,
  )
}

/** @param before the name of the field before the white space; null if there is none */
export function refusedLeadingSpace(before: FieldName | null): HttpError {
  if (before === null) {
    return new HttpError(400, 'space-before-fields', 'There is white space before the first field')
  }
  const field = before.lower.slice(0, 64)
  return new HttpError(400, 'obs-fold', `The field ${field} is continued on a second line`)
}

export function refusedInValue(name: FieldName, byte: number): HttpError {
  const field = name.lower.slice(0, 64)
  if (byte === LF) return new HttpError(400, 'bare-lf', `The field ${field} ends with LF, not CRLF`)
  return new HttpError(
    400,
    'bad-field-value',
    `The value of the field ${field} has the byte ${quoteByte(byte)}`,
  )
}

/** @param version what stands in its place, as it may stand in a log */
export function unsupportedVersion(version: string): HttpError {
  return new HttpError(
    505,
    'unsupported-version',
    `Only HTTP/1.0 and HTTP/1.1 are served here, not ${version}`,
  )
}
