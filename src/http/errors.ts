/** The most bytes of a client's input that an error message quotes. */
const QUOTED_BYTES = 64
/** The most of a request line that one quotes. */
const QUOTED_TEXT_BYTES = 1024
const SPECIAL = /[^\x20-\x7e]|["\\]/
const SPECIALS = new RegExp(SPECIAL, 'g')

/**
 * A request that is refused while it is read. After it the connection cannot be used for another
 * request, because where the next one begins is in doubt (RFC 9112 §9.6): answer with `status` and
 * close.
 *
 * `code` is stable and names the rule (`two-hosts`, `bare-lf`); `message` is the one line for the
 * error log. Whatever the message quotes of the client's bytes is escaped and cut short, so it is
 * safe to write to a log.
 *
 * @example
 * ```ts
 * try {
 *   parser.feed(chunk, 0, chunk.length)
 * } catch (error) {
 *   if (!(error instanceof HttpError)) throw error
 *   log.warning(`refused with ${error.status}: ${error.message}`)
 * }
 * ```
 */
export class HttpError extends Error {
  readonly code: string
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'HttpError'
    this.code = code
    this.status = status
  }
}

/**
 * Bytes as they may stand in a log line: in double quotes, everything but visible ASCII and the
 * space as `\xNN`, quotes and backslashes escaped, at most 64 bytes and then `…`.
 */
export function quoteBytes(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + QUOTED_BYTES)
  let text = '"'
  for (let i = start; i < stop; i++) text += escaped(bytes[i]!)
  return stop < end ? `${text}…"` : `${text}"`
}

/**
 * A request line, or any other latin-1 view of bytes, as it may stand in a log line: as {@link
 * quoteBytes} has it, but up to 1024 bytes.
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

/** One byte as it may stand in a log line: `"a"`, or `\x00` when it is not visible ASCII. */
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
