/** A path as the names of directories and a file below a root. Each name leads one level down. */
export interface ServedPath {
  readonly names: readonly string[]
  /** The path ends with a slash, so it names a directory. */
  readonly directory: boolean
  /** One of the names begins with a dot. */
  readonly hidden: boolean
}

/**
 * Characters that no name may have: control characters, the separators of Windows, those that
 * select another drive or another stream of a file there (`C:`, `a.txt::$DATA`), wildcards, and
 * others that names on Windows cannot have.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\x00-\x1f\x7f\\:*?"<>|]/
/** Windows ignores dots and spaces at the end of a name: `secret.txt.` means `secret.txt`. */
const TRIMMED_BY_WINDOWS = /[. ]$/
/** Names of devices on Windows, in any directory and with any extension. */
const DEVICE =
  /^(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?:\.|$)/i

// A byte order mark is a part of a name.
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const NOT_ASCII = /[\x80-\uffff]/

/**
 * Parses a path. Paths are not normalized: one with `.`, `..`, an empty name, or a name that means
 * something else on some system names no file. The rules are the same on every system, so that the
 * same files are served everywhere.
 *
 * @param view from PATH_INFO: percent-decoded, one character for each byte
 * @returns null if the path names no file
 * @example
 * servedPath('/css/site.css')
 * // { names: ['css', 'site.css'], directory: false, hidden: false }
 * servedPath('/../etc/passwd') // null
 */
export function servedPath(view: string): ServedPath | null {
  if (view === '') return { names: [], directory: false, hidden: false }
  if (!view.startsWith('/')) return null
  const text = fromUtf8(view)
  if (text === null || FORBIDDEN.test(text)) return null
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

/**
 * Decodes a view of bytes as UTF-8. Bytes that are not UTF-8, such as an overlong slash (C0 AF),
 * name no file.
 */
function fromUtf8(view: string): string | null {
  if (!NOT_ASCII.test(view)) return view
  try {
    return UTF_8.decode(Buffer.from(view, 'latin1'))
  } catch {
    return null
  }
}
