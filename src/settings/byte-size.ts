/** Sizes with UNITS, such as `64k`. */

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/**
 * Reads a size: digits and an optional `k`, `M` or `G` (powers of 1024; `K`, `kB` and `KiB` mean
 * the same).
 *
 * @returns bytes, or undefined if the text is not a size or exceeds 2^53 - 1
 * @example parseByteSize('64k') // 65536
 */
export function parseByteSize(text: string): number | undefined {
  const match = /^([0-9]+)(?:(k|m|g)(?:i?b)?|b)?$/i.exec(text)
  if (!match) return undefined
  const size = Number(match[1]) * UNITS[(match[2] ?? '').toLowerCase()]!
  return Number.isSafeInteger(size) ? size : undefined
}

/**
 * The shortest exact text of a size.
 *
 * @example formatByteSize(262144) // '256k'
 */
export function formatByteSize(size: number): string {
  if (size === 0) return '0'
  for (const unit of ['G', 'M', 'k']) {
    const factor = UNITS[unit.toLowerCase()]!
    if (size % factor === 0) return `${size / factor}${unit}`
  }
  return String(size)
}
