import { decodeText, encodeText } from '../../wsgi/text.ts'

/**
 * A path of a request as the names of directories and a file below a root. None of them leads
 * anywhere but one step down.
 */
export interface ServedPath {
  readonly names: readonly string[]
  /** It ends with a slash: a directory is meant. */
  readonly directory: boolean
  /** One of the names begins with a dot. */
  readonly hidden: boolean
}

/**
 * What must not be in a name: control characters; the separators of Windows, and what asks there
 * for another drive or for another stream of a file (`C:`, `a.txt::$DATA`); wildcards and other
 * characters that Windows does not have in names.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\x00-\x1f\x7f\\:*?"<>|]/
/**
 * Windows leaves dots and spaces out at the end of a name, so that `secret.txt.` is `secret.txt`,
 * and `. .` is `.`.
 */
const TRIMMED_BY_WINDOWS = /[. ]$/
/** Devices, in whatever directory and with whatever extension. */
const DEVICE =
  /^(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?:\.|$)/i

/**
 * Reads a path. It is not put in order: a path with `.`, `..`, an empty name or one that could mean
 * something else on some system names no file. The rules are the same on every system, so that what
 * is served in one place is served in all.
 *
 * @param view from PATH_INFO: percent-decoded, one character a byte
 * @returns null where no file is meant
 * @example servedPath('/css/site.css') // { names: ['css', 'site.css'], directory: false, hidden: false }
 * @example servedPath('/../etc/passwd') // null
 */
export function servedPath(view: string): ServedPath | null {
  if (view === '') return { names: [], directory: false, hidden: false }
  if (!view.startsWith('/')) return null
  const text = decodeText(view)
  // Bytes that are not UTF-8, such as an overlong slash (C0 AF), are no name of ours.
  if (encodeText(text) !== view) return null
  if (FORBIDDEN.test(text)) return null
  const names = text.split('/')
  names.shift()
  const directory = names.at(-1) === ''
  if (directory) names.pop()
  let hidden = false
  for (const name of names) {
    if (name === '' || TRIMMED_BY_WINDOWS.test(name) || DEVICE.test(name)) return null
    if (name.startsWith('.')) hidden = true
  }
  return { names, directory, hidden }
}
