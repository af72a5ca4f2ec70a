import { quoteBytes } from '../bytes/quoted.ts'
import { HttpError } from './errors.ts'
import {
  FIELD_SIZE_CEILING,
  FIELDS_CEILING,
  HEAD_CEILING,
  limitText,
  REQUEST_LINE_CEILING,
} from './limits.ts'

/** A field that may stand in a message only once. */
export function duplicate(code: string, field: string): HttpError {
  return new HttpError(400, code, `The request has more than one ${field} field`)
}

/** @param limit as {@link effectiveLimits} has it, as in the two below */
export function requestLineTooLong(limit: number): HttpError {
  const text = limitText(limit, 'bytes', 'limit_request_line', REQUEST_LINE_CEILING)
  return new HttpError(414, 'request-line-too-long', `The request line is longer than ${text}`)
}

/** The bytes so far are as many as a head may have, and there are more. */
export function headTooLarge(limit: number, inRequestLine: boolean): HttpError {
  const text = limitText(limit, 'bytes', 'limit_request_head', HEAD_CEILING)
  return inRequestLine
    ? new HttpError(414, 'head-too-large', `The request line alone is larger than ${text}`)
    : new HttpError(431, 'head-too-large', `The head is larger than ${text}`)
}

export function tooManyFields(limit: number): HttpError {
  const text = limitText(limit, 'fields', 'limit_request_fields', FIELDS_CEILING)
  return new HttpError(431, 'too-many-fields', `The request has more than ${text}`)
}

/** @param name the name, or its beginning, as it may stand in a log */
export function fieldTooLong(limit: number, name: string): HttpError {
  const text = limitText(limit, 'bytes', 'limit_request_field_size', FIELD_SIZE_CEILING)
  return new HttpError(431, 'field-too-long', `The field line ${name} is longer than ${text}`)
}

/** @param why completes a sentence that begins with the field name */
export function refusedUnderscore(
  bytes: Buffer,
  { start, nameEnd }: { readonly start: number; readonly nameEnd: number },
  why: string,
): HttpError {
  return new HttpError(
    400,
    'underscore-in-field-name',
    `The field name ${quoteBytes(bytes, start, nameEnd)} ${why}`,
  )
}
