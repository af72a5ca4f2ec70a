/**
 * Codes of errors and warnings, such as `MONO1001`: each stands at the end of the first line of its
 * text, in brackets. A line that ends in a colon introduces the next ones, so there the code stands
 * before the sentence that does: `2 servers run [MONO6007]. Name one:`. In the text, it goes
 * wherever the text goes: through frames, messages between processes, files and syslog.
 * `docs/errors/` has a page for each, made from {@link TABLE}.
 */
import type { TABLE } from './table.ts'

/** A code of the table. The table itself is not loaded: its texts are for the pages only. */
export type Code = keyof typeof TABLE

declare const marked: unique symbol

/** A text with a code. Logs take no other text for warnings and errors. */
export type Coded = string & { readonly [marked]: true }

/** A first line with a code at its end, or before its colon or the sentence that ends in it. */
const WITH_CODE = /^([^\n]*) \[(MONO\d{4})\](?=$|\n|:\n|\. [^\n]*:\n)/

/**
 * Adds its code to a text. A text that has one keeps it: whoever has written it knows better what
 * is wrong than who passes it on.
 *
 * @example coded('MONO1001', 'Unknown option "--x"') // 'Unknown option "--x" [MONO1001]'
 * @example coded('MONO2031', 'No Python. Tried:\n - a') // 'No Python [MONO2031]. Tried:\n - a'
 */
export function coded(code: Code, text: string): Coded {
  if (text.includes('[MONO') && WITH_CODE.test(text)) return text as Coded
  const end = text.indexOf('\n')
  if (end === -1) return `${text} [${code}]` as Coded
  const place = placeIn(text.slice(0, end))
  return `${text.slice(0, place)} [${code}]${text.slice(place)}` as Coded
}

/** Where the code stands in the first of several lines. */
function placeIn(line: string): number {
  if (!line.endsWith(':')) return line.length
  const introduction = line.lastIndexOf('. ')
  return introduction === -1 ? line.length - 1 : introduction
}

/** A text without its code, and the code; null if it has none. */
export function splitCode(text: string): { readonly text: string; readonly code: string } | null {
  if (!text.includes('[MONO')) return null
  const found = WITH_CODE.exec(text)
  if (found === null) return null
  const [whole, line = '', code = ''] = found
  return { text: line + text.slice(whole.length), code }
}

/**
 * A text that comes from somewhere else, where its code was added: a Python worker (a test looks
 * for codes there), or the application itself, whose texts have none.
 */
export function fromElsewhere(text: string): Coded {
  return text as Coded
}

/** An error with a message for the user, which has a code. */
export class CodedError extends Error {
  declare readonly message: Coded

  constructor(message: Coded, options?: ErrorOptions) {
    super(message, options)
  }
}
