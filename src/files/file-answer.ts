import { notModifiedHeaders } from '../semantics/not-modified.ts'
import {
  type ConditionalFields,
  evaluatePreconditions,
  rangeApplies,
} from '../semantics/preconditions.ts'
import { lengthOf, type Segment, segmentsOf } from './range-content.ts'
import { requestedRanges } from './requested-ranges.ts'

/** A header field: its name and its value. */
export type FileField = [name: string, value: string]

/** What a request says about which bytes of a file it wants. */
export interface FileRequestFields extends ConditionalFields {
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

/** How a GET or HEAD of a file is to be answered. */
export type FileAnswer =
  | {
      readonly status: 200 | 206
      /** With Content-Length. */
      readonly fields: FileField[]
      /** The body of the answer to a GET, in order. */
      readonly segments: readonly Segment[]
      /** Bytes of that body. */
      readonly length: number
    }
  | { readonly status: 304; readonly fields: FileField[] }
  | { readonly status: 412 }
  | { readonly status: 416; readonly contentRange: string }

/**
 * Decides how a file is sent: whole, in parts (RFC 9110 §14), or not at all, because the client has
 * it or has another state of it (RFC 9110 §13).
 *
 * @param method `GET` or `HEAD`
 * @param size of the file, in bytes
 * @param fields of the answer with the whole file, without Content-Length. Changed.
 */
export function fileAnswer(
  method: string,
  request: FileRequestFields,
  size: number,
  fields: FileField[],
): FileAnswer {
  const validators = {
    etag: fieldOf(fields, 'etag'),
    lastModified: fieldOf(fields, 'last-modified'),
  }
  const outcome = evaluatePreconditions(request, validators)
  if (outcome === 'not-modified') return { status: 304, fields: notModifiedHeaders(fields) }
  if (outcome === 'failed') return { status: 412 }
  // A range means something for GET only (RFC 9110 §14.2).
  const ranges =
    method === 'GET' && rangeApplies(request.ifRange, validators)
      ? requestedRanges(request.range, size)
      : 'whole'
  if (ranges === 'unsatisfiable') return { status: 416, contentRange: `bytes */${size}` }
  const segments = ranges === 'whole' ? [{ start: 0, end: size }] : segmentsOf(ranges, size, fields)
  const length = segments.reduce((sum, segment) => sum + lengthOf(segment), 0)
  fields.push(['Content-Length', String(length)])
  return { status: ranges === 'whole' ? 200 : 206, fields, segments, length }
}

function fieldOf(fields: readonly FileField[], lowerName: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === lowerName)?.[1]
}
