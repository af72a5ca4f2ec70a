import { randomBytes } from 'node:crypto'
import type { ByteRange } from './requested-ranges.ts'

/** A part of a body: bytes, or those of the file from `start` up to but not including `end`. */
export type Segment = Uint8Array | ByteRange

/**
 * The body of a 206 for some ranges of a file (RFC 9110 §15.3.7).
 *
 * @param headers changed: gets Content-Range, or for several ranges another Content-Type
 */
export function segmentsOf(
  ranges: readonly ByteRange[],
  size: number,
  headers: [name: string, value: string][],
): Segment[] {
  if (ranges.length === 1) {
    headers.push(['Content-Range', contentRange(ranges[0]!, size)])
    return [ranges[0]!]
  }
  const at = headers.findIndex(([name]) => name.toLowerCase() === 'content-type')
  const type = headers[at]?.[1] ?? 'application/octet-stream'
  const boundary = randomBytes(18).toString('base64url')
  headers[at] = ['Content-Type', `multipart/byteranges; boundary=${boundary}`]
  const segments: Segment[] = []
  for (const range of ranges) {
    const head =
      `\r\n--${boundary}\r\nContent-Type: ${type}\r\n` +
      `Content-Range: ${contentRange(range, size)}\r\n\r\n`
    segments.push(Buffer.from(head, 'latin1'), range)
  }
  segments.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  return segments
}

function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

export function lengthOf(segment: Segment): number {
  return segment instanceof Uint8Array ? segment.length : segment.end - segment.start
}
