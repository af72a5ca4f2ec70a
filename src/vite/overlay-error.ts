import { excerptAt } from '../source-code/excerpt.ts'
import { isOfApplication, messageIn, type Place, placesIn } from '../source-code/traceback.ts'

/** An error in the form in which Vite's overlay shows it. */
export interface OverlayError {
  readonly message: string
  readonly stack: string
  readonly frame: string
  readonly plugin: string
  readonly id?: string
  readonly loc?: { readonly file: string; readonly line: number; readonly column: number }
}

const SOURCE_FILE = /\.(?:py|[cm]?[jt]sx?)$/
const LINES_AROUND = 3
/** At most this many calls are shown. */
const MOST_PLACES = 20

/**
 * Makes it of a traceback of Python or a stack of JavaScript.
 *
 * It has the calls of the application, and not those of packages, the latest first, as the overlay
 * has them for JavaScript. The overlay makes links of places with a column, which open an editor.
 *
 * @param app names the application: `flaskapp:app`
 */
export function overlayError(text: string, app: string): OverlayError {
  const places = placesIn(text)
  const inOrder = isPython(text) ? places.toReversed() : places
  const own = inOrder.filter(isOfApplication)
  const shown = (own.length > 0 ? own : inOrder).slice(0, MOST_PLACES)
  const [first] = own
  const error = {
    message: messageIn(text).trim(),
    stack: shown.map((place) => `    at ${nameOf(place)}${place.file}:${place.line}:1`).join('\n'),
    frame: first === undefined ? '' : frameAt(first),
    plugin: `monoceros: ${app}`,
  }
  if (first === undefined) return error
  return { ...error, id: first.file, loc: { file: first.file, line: first.line, column: 1 } }
}

function isPython(text: string): boolean {
  return /^ *(?:\| )? {2}File "/m.test(text)
}

function nameOf({ name }: Place): string {
  return name === '' ? '' : `${name.replace(/[()]/g, '')} `
}

/** The source around a place, as compilers show it: `> 12 |     return 1 / 0`. */
function frameAt(place: Place): string {
  const excerpt = excerptAt(place, SOURCE_FILE, LINES_AROUND)
  if (excerpt === null) return ''
  const { first, lines } = excerpt
  const width = String(first + lines.length - 1).length
  return lines
    .map((line, index) => {
      const number = first + index
      const mark = number === place.line ? '> ' : '  '
      return `${mark}${String(number).padStart(width)} | ${line}\n`
    })
    .join('')
}
