import { pathOf } from './excerpt.ts'

/** A call in a traceback of Python or a stack of JavaScript. */
export interface Place {
  readonly file: string
  readonly line: number
  /** The name of the function; `''` if there is none. */
  readonly name: string
}

const PYTHON_PLACE = /^ *(?:\| )? {2}File "(.+)", line (\d+)(?:, in (.+))?$/
const JAVASCRIPT_PLACE =
  /^ +at (?:(?:async )?(.*?) \()?(?:async )?(file:\/\/\/.*|\/.*?):(\d+):\d+\)?$/
/** How Node.js and jiti show the place of a syntax error: `/srv/app.js:3`, `/srv/app.ts:3:0`. */
const SYNTAX_PLACE = /^ ?(file:\/\/\/\S+|\/\S+\.[cm]?[jt]s):(\d+)(?::\d+)?$/
const LIBRARY = /[/\\](?:site-packages|dist-packages|node_modules)[/\\]|[/\\]lib\d*[/\\]python\d/

/** The places that an error text names, in its order. */
export function placesIn(text: string): Place[] {
  return text.split('\n').flatMap((line) => placeOf(line) ?? [])
}

function placeOf(line: string): Place | null {
  const python = PYTHON_PLACE.exec(line)
  if (python !== null) return { file: python[1]!, line: Number(python[2]), name: python[3] ?? '' }
  const javascript = JAVASCRIPT_PLACE.exec(line)
  if (javascript !== null) {
    const [, name = '', file = '', number] = javascript
    return { file: pathOf(file), line: Number(number), name }
  }
  const syntax = SYNTAX_PLACE.exec(line)
  return syntax === null ? null : { file: pathOf(syntax[1]!), line: Number(syntax[2]), name: '' }
}

/** Whether a place belongs to the application: not to a package, and not to Python itself. */
export function isOfApplication({ file }: Place): boolean {
  return file.startsWith('/') && !LIBRARY.test(file)
}

/**
 * What went wrong: the exception with its message, which comes last in a traceback of Python and
 * first in a stack of JavaScript. The whole text if it is neither.
 *
 * @example messageIn('Traceback (most recent call last):\n  File …\nKeyError: 3') // 'KeyError: 3'
 */
export function messageIn(text: string): string {
  const lines = text.split('\n')
  const traceback = lines.lastIndexOf('Traceback (most recent call last):')
  if (traceback !== -1) {
    let from = traceback + 1
    while (from < lines.length && /^ /.test(lines[from]!)) from++
    if (from < lines.length) return lines.slice(from).join('\n')
  }
  const syntax = lines.findIndex((line) => PYTHON_PLACE.test(line))
  if (syntax !== -1) {
    const last = lines.findLastIndex((line) => /^ /.test(line))
    if (last + 1 < lines.length) return lines.slice(last + 1).join('\n')
  }
  const stack = lines.findIndex((line) => JAVASCRIPT_PLACE.test(line))
  if (stack === -1) {
    const error = lines.findIndex((line) => /^\w*Error: /.test(line))
    return error === -1 ? text : lines.slice(error).join('\n')
  }
  const before = lines.slice(0, stack)
  const first = before.findIndex((line) => /^\w*(?:Error|Exception)\b/.test(line))
  return before.slice(Math.max(0, first)).join('\n')
}
