import parseRange from 'range-parser'

/** The bytes of a file from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * More ranges than any client needs. A request for more is answered with the whole file, because
 * many small ranges can be an attack (RFC 9110 §14.2, CVE-2011-3192).
 */
const MOST_RANGES = 16

/**
 * The ranges that a Range header asks for (RFC 9110 §14.1.2). Ranges that overlap or adjoin are
 * joined.
 *
 * @param size the size of the file in bytes
 * @returns `whole` if the header is ignored, because it is malformed, has another unit, or has too
 * many ranges
 * @example
 * requestedRanges('bytes=0-99, -50', 1000)
 * // [{ start: 0, end: 100 }, { start: 950, end: 1000 }]
 */
export function requestedRanges(
  header: string | undefined,
  size: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  if (header === undefined || !/^\s*bytes\s*=/i.test(header)) return 'whole'
  if (header.split(',', MOST_RANGES + 1).length > MOST_RANGES) return 'whole'
  // The last 500 of 100 bytes are all 100, but range-parser calls them unsatisfiable.
  const suited = header.replace(/([=,]\s*-)(\d+)/g, (_, before: string, length: string) => {
    return before + String(Math.min(Number(length), size))
  })
  const ranges = parseRange(size, suited, { combine: true })
  if (ranges === -1) return 'unsatisfiable'
  if (ranges === -2) return 'whole'
  return ranges.map(({ start, end }) => ({ start, end: end + 1 }))
}
