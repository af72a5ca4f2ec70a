/** How bytes from a client are shown in error messages and logs, where nothing may forge a line. */

/** The most bytes that an error message quotes. */
const QUOTED_BYTES = 64
/** The most of a request line that a log entry quotes. */
const QUOTED_TEXT_BYTES = 1024
const SPECIAL = /[^\x20-\x7e]|["\\]/
const SPECIALS = new RegExp(SPECIAL, 'g')

/**
 * Bytes [start, end) for a log line: in double quotes, everything except visible ASCII and the
 * space as `\xNN`, quotes and backslashes escaped. At most 64 bytes, then `…`.
 */
export function quoteBytes(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + QUOTED_BYTES)
  let text = '"'
  for (let i = start; i < stop; i++) text += escaped(bytes[i]!)
  return stop < end ? `${text}…"` : `${text}"`
}

/**
 * The same for a request line, or any other latin-1 view of bytes, up to 1024 bytes.
 *
 * @example quoteText('GET /caf\xc3\xa9 HTTP/1.1') // '"GET /caf\\xc3\\xa9 HTTP/1.1"'
 */
export function quoteText(text: string): string {
  const cut = text.length > QUOTED_TEXT_BYTES
  const shown = cut ? text.slice(0, QUOTED_TEXT_BYTES) : text
  const quoted = SPECIAL.test(shown)
    ? shown.replace(SPECIALS, (character) => escaped(character.charCodeAt(0)))
    : shown
  return cut ? `"${quoted}…"` : `"${quoted}"`
}

/** One byte for a log line: `"a"`, or `\x00` if it is not visible ASCII. */
export function quoteByte(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : hexEscape(byte)
}

function escaped(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hexEscape(byte)
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
