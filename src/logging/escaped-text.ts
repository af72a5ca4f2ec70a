/** Makes text from a client harmless for an access log, as Apache does it. */

const SPECIAL = /[^\x20-\x7e]|["\\]/
const PLAIN_WORD = /^[\w.:@/?=&%-]+$/

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/**
 * Escapes text from a client for a log, as Apache does it: `\"`, `\\`, `\n` and the like, `\xNN`
 * for other bytes that are not printable ASCII. Empty or missing text becomes `-`.
 *
 * @param text a latin-1 view of bytes; any other character is escaped as its UTF-8 bytes
 * @example escapeLogText('a"\n\u00e9') // 'a\\"\\n\\xe9'
 */
export function escapeLogText(text: string | undefined): string {
  if (text === undefined || text === '') return '-'
  return SPECIAL.test(text) ? text.replace(/[^\x20-\x7e]|["\\]/gu, escapeCharacter) : text
}

/** The same for text that has no quotes in the usual formats: a space would shift the columns. */
export function escapeLogWord(text: string | undefined): string {
  if (text === undefined || text === '') return '-'
  // One test is enough for nearly every address and user name.
  return PLAIN_WORD.test(text) ? text : escapeLogText(text).replaceAll(' ', '\\x20')
}

/** Escapes the literal text of a format: only line ends, controls and what is not ASCII. */
export function escapeLiteral(text: string): string {
  return text.replace(
    /[^\t\x20-\x7e]/gu,
    (character) => SHORT_ESCAPES[character] ?? hexadecimal(new TextEncoder().encode(character)),
  )
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES[character]
  if (short !== undefined) return short
  const code = character.charCodeAt(0)
  return hexadecimal(code < 0x100 ? [code] : [...new TextEncoder().encode(character)])
}

function hexadecimal(bytes: Iterable<number>): string {
  let text = ''
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, '0')}`
  return text
}
