/** Source code around the place of an error, for pages that show errors to a developer. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { escapeHtml } from '../semantics/html-text.ts'

/** Lines of a source file around a place. */
export interface SourceExcerpt {
  /** The number of the first line. */
  readonly first: number
  readonly lines: readonly string[]
}

/** Of larger files nothing is shown; in bytes. */
const LARGEST_SOURCE = 2 * 1024 * 1024
const LONGEST_LINE = 300

/**
 * The source lines around a place; null if its file cannot be read, or is not source code.
 *
 * @param file an absolute path
 * @param sources which names source files have: no other file is ever shown
 * @param around how many lines to show before and after it
 */
export function excerptAt(
  { file, line }: { readonly file: string; readonly line: number },
  sources: RegExp,
  around: number,
): SourceExcerpt | null {
  if (!sources.test(file)) return null
  const lines = readSource(file)?.split(/\r?\n/) ?? []
  if (line < 1 || line > lines.length) return null
  const first = Math.max(1, line - around)
  return {
    first,
    lines: lines
      .slice(first - 1, line + around)
      .map((text) => (text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text)),
  }
}

/** The lines with their numbers, and one of them marked: the content of a `pre` element. */
export function excerptHtml({ first, lines }: SourceExcerpt, marked: number): string {
  const width = String(first + lines.length - 1).length
  return lines
    .map((line, index) => {
      const number = first + index
      const text = escapeHtml(`${String(number).padStart(width)}  ${line}`)
      return number === marked ? `<mark>${text}</mark>` : `${text}\n`
    })
    .join('')
}

/**
 * The path of a file URL, without the query that loaders add to reload a file. Any other text is
 * returned as it is.
 */
export function pathOf(place: string): string {
  if (!place.startsWith('file:')) return place
  try {
    return fileURLToPath(place.replace(/[?#].*$/, ''))
  } catch {
    return place
  }
}

function readSource(path: string): string | null {
  let descriptor: number
  try {
    // Without O_NONBLOCK, a FIFO with this name would block the process.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch {
    return null
  }
  try {
    const facts = fstatSync(descriptor)
    if (!facts.isFile() || facts.size > LARGEST_SOURCE) return null
    return readFileSync(descriptor, 'utf8')
  } catch {
    return null
  } finally {
    closeSync(descriptor)
  }
}
