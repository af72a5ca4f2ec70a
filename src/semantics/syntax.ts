/**
 * Classes of bytes, one table of 256 each: 0 for a byte that is not in the class. A table look-up
 * is what the parsers spend most of their time on.
 */

export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const QUOTE = 0x22
export const PERCENT = 0x25
export const ASTERISK = 0x2a
export const COMMA = 0x2c
export const SLASH = 0x2f
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const QUESTION_MARK = 0x3f
export const AT = 0x40
export const OPENING_BRACKET = 0x5b
export const BACKSLASH = 0x5c
export const CLOSING_BRACKET = 0x5d
export const UNDERSCORE = 0x5f

const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

function table(members: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => members(byte))
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}

function among(characters: string): (byte: number) => number {
  return (byte) => (characters.includes(String.fromCharCode(byte)) ? 1 : 0)
}

/** `tchar`, RFC 9110 §5.6.2: what names and methods consist of. */
export const TCHAR = table(among(`!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`))

/**
 * `tchar` as its lower-case byte: one look-up checks a name's byte and folds its case. (No token
 * byte is 0.)
 */
export const TOKEN_LOWER = table((byte) => (TCHAR[byte] === 1 ? lowerCase(byte) : 0))

/**
 * What a field value may contain, RFC 9110 §5.5: visible ASCII, space, tab and `obs-text` (0x80 to
 * 0xFF).
 */
export const FIELD_VALUE = table((byte) => (byte === HTAB || (byte >= SP && byte !== 0x7f) ? 1 : 0))

/**
 * What a request target may contain: visible ASCII but `#`, since a fragment is never sent (RFC
 * 9112 §3.2), and the bytes 0x80 to 0xFF. That is more than RFC 3986 has (`|`, `^`, `"` and raw
 * UTF-8 are sent unescaped by clients in use and do no harm) and never a control, a DEL or a space.
 * The question mark is 2: where the query begins.
 */
export const TARGET = table((byte) => {
  if (byte === QUESTION_MARK) return 2
  return byte > SP && byte !== 0x7f && byte !== 0x23 ? 1 : 0
})

/**
 * `unreserved` and `sub-delims` of RFC 3986 §2: a registered name consists of these and of
 * percent-encoded bytes.
 */
export const REGISTERED_NAME = table(among(`-._~!$&'()*+,;=${DIGITS}${LETTERS}`))

/** `DIGIT`. */
export const DIGIT = table(among(DIGITS))

/** `HEXDIG`, as its value plus one. */
export const HEX_DIGIT_PLUS_ONE = table((byte) => {
  const value = `${DIGITS}abcdef`.indexOf(String.fromCharCode(lowerCase(byte)))
  return value + 1
})

/** What stands unescaped in a quoted string, `qdtext` of RFC 9110 §5.6.4. */
export const QUOTED_TEXT = table((byte) =>
  FIELD_VALUE[byte] === 1 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
)
