/** Making what a client sent harmless for an access log, as Apache does it. */

const special = /[^\x20-\x7e]|["\\]/
const plainWord = /^[\w.:@/?=&%-]+$/

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/**
 * What a client sent, harmless for a log, as Apache does it: `\"`, `\\`, `\n` and the like, `\xNN`
 * for other bytes that are not printable ASCII. Nothing at all is `-`.
 *
 * @param text a latin-1 view of bytes; a character beyond is escaped as its UTF-8 bytes
 * @example escapeLogText('a"\n\u00e9') // 'a\\"\\n\\xe9'
 */
export function escapeLogText(text: string | undefined): string {
  if (text === undefined || text === '') return '-'
  return special.test(text) ? text.replace(/[^\x20-\x7e]|["\\]/gu, escapeCharacter) : text
}

/**
 * The same for what stands without quotes in the usual formats, where a space would shift the
 * columns.
 */
export function escapeLogWord(text: string | undefined): string {
  if (text === undefined || text === '') return '-'
  // One test settles it for nearly every address and user name.
  return plainWord.test(text) ? text : escapeLogText(text).replaceAll(' ', '\\x20')
}

/**
 * Text of a format, which may hold quotes and anything else, but no line ends and nothing that is
 * not ASCII.
 */
export function escapeLiteral(text: string): string {
  return text.replace(
    /[^\t\x20-\x7e]/gu,
    (character) => shortEscapes[character] ?? hexadecimal(new TextEncoder().encode(character)),
  )
}

function escapeCharacter(character: string): string {
  const short = shortEscapes[character]
  if (short !== undefined) return short
  const code = character.charCodeAt(0)
  return hexadecimal(code < 0x100 ? [code] : [...new TextEncoder().encode(character)])
}

function hexadecimal(bytes: Iterable<number>): string {
  let text = ''
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, '0')}`
  return text
}
