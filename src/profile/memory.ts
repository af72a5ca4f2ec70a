/** Which lines of an application allocate memory that stays, in one process. */

/** A line, and what its objects take. Sizes in bytes. */
export interface MemoryLine {
  readonly file: string
  readonly line: number
  /** By how much they have grown in the meantime; negative if they have shrunk. */
  readonly grown: number
  /** What they take at the end, as far as it was traced. */
  readonly size: number
  readonly objectsGrown: number
  readonly objects: number
}

export interface MemoryFindings {
  /** How long, in seconds. */
  readonly seconds: number
  /** All lines together. */
  readonly grown: number
  /** Those that have changed most, the largest first. */
  readonly lines: readonly MemoryLine[]
  /** The memory of the process before and after; null where the system does not tell. */
  readonly resident: readonly (number | null)[]
}

/** @returns null if it is no such findings */
export function readMemoryFindings(value: unknown): MemoryFindings | null {
  const { seconds, grown, lines, resident } = (value ?? {}) as Record<string, unknown>
  if (typeof seconds !== 'number' || typeof grown !== 'number') return null
  if (!Array.isArray(lines) || !lines.every(isLine) || !Array.isArray(resident)) return null
  const amounts = resident.map((bytes) => (typeof bytes === 'number' ? bytes : null))
  return { seconds, grown, lines, resident: amounts }
}

function isLine(value: unknown): value is MemoryLine {
  const { file, line, grown, size, objectsGrown, objects } = (value ?? {}) as Record<
    string,
    unknown
  >
  return (
    typeof file === 'string' &&
    [line, grown, size, objectsGrown, objects].every((number) => typeof number === 'number')
  )
}
