/**
 * Tables in Markdown, and the figures in them.
 */

/**
 * The first column is names, to the left; the others are figures, to the right.
 *
 * @param {string[]} head
 * @param {string[][]} rows
 * @returns {string[]} Lines.
 */
export function table(head, rows) {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column].length)),
  )
  const padded = (cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
  const line = (cells) => `| ${cells.map(padded).join(' | ')} |`
  const dashes = (width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)
  const rule = `|${widths.map(dashes).join('|')}|`
  return [line(head), rule, ...rows.map(line)]
}

/** @param {number[]} values */
export function sum(values) {
  return values.reduce((all, one) => all + one, 0)
}

/** Of those that are finite; NaN when there is none. @param {number[]} values */
export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * The value that so large a part of them is not above, by the nearest rank; NaN of none.
 *
 * @param {number[]} sorted From the smallest to the largest.
 * @param {number} part 0 to 1.
 */
export function percentile(sorted, part) {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** A whole number, or a dash for what is none. */
export function whole(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–'
}

/** Three significant digits for what is small, whole numbers above. */
export function figure(value) {
  return !Number.isFinite(value) ? '–' : value < 100 ? value.toPrecision(3) : whole(value)
}

/** Two decimals, for milliseconds and ratios. */
export function decimal(value) {
  return Number.isFinite(value) ? value.toFixed(2) : '–'
}
