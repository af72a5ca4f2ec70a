/** Tables and values for people. Everything that a client or an application chose is harmless. */

/** Characters that a terminal would obey: C0, DEL and C1, and those that change the direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about these
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** A text for one line of a terminal. */
export function harmless(text: string): string {
  return text.replace(
    OBEYED,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** The same for a text of several lines. */
export function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n')
}

/** JSON that is safe for a terminal too: `JSON.stringify` leaves DEL and C1 as they are. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(OBEYED, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** How a column is aligned. */
export type Align = 'left' | 'right'

/** Rows in columns, with a heading; two spaces between columns. */
export function table(
  headings: readonly string[],
  align: readonly Align[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [headings, ...rows.map((row) => row.map(harmless))]
  const widths = headings.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  )
  return all.map((row) => {
    const cells = headings.map((_, column) => {
      const cell = row[column] ?? ''
      return align[column] === 'right'
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    })
    return cells.join('  ').trimEnd()
  })
}

/** A line that is not longer than `width`, which is at least 1. */
export function shortened(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, width - 1)}…` : line
}

/** `3.2 MB`; powers of 1024. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KB', 'MB', 'GB', 'TB']
  let value = bytes / 1024
  let unit = 0
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** `0.25 s`, `12 s`, `3 m 04 s`, `5 h 02 m`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`
  if (seconds < 59.5) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `1 worker`, `2 workers` */
export function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
