import parseRange from 'range-parser'

/** Bytes of a file from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * More than any client has a use for. A request for more is answered with the whole file, for many
 * small ranges are work for the server and nothing else (RFC 9110 §14.2, CVE-2011-3192).
 */
const MOST_RANGES = 16

/**
 * What a Range header asks for (RFC 9110 §14.1.2). Ranges that overlap or adjoin are made one.
 *
 * @param size of the file in bytes
 * @returns `whole` where the header is to be ignored: it is malformed, of another unit, or of too
 * many ranges
 * @example requestedRanges('bytes=0-99, -50', 1000) // [{ start: 0, end: 100 }, { start: 950, end: 1000 }]
 */
export function requestedRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  if (header === undefined || !/^\s*bytes\s*=/i.test(header)) return 'whole'
  if (header.split(',', MOST_RANGES + 1).length > MOST_RANGES) return 'whole'
  // The last 500 of 100 bytes are all 100; range-parser finds them unsatisfiable.
  const suited = header.replace(/([=,]\s*-)(\d+)/g, (_, before: string, length: string) => {
    return before + String(Math.min(Number(length), size))
  })
  const ranges = parseRange(size, suited, { combine: true })
  if (ranges === -1) return 'unsatisfiable'
  if (ranges === -2) return 'whole'
  return ranges.map(({ start, end }) => ({ start, end: end + 1 }))
}
