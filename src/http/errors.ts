/** The most bytes of a client's input that an error message quotes. */
const QUOTED_BYTES = 64

/**
 * A request that is refused while it is read. After it the connection cannot be used for another request, because where
 * the next one begins is in doubt (RFC 9112 §9.6): answer with `status` and close.
 *
 * `code` is stable and names the rule (`two-hosts`, `bare-lf`); `message` is the one line for the error log. Whatever
 * the message quotes of the client's bytes is escaped and cut short, so it is safe to write to a log.
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
 * Bytes as they may stand in a log line: in double quotes, everything but visible ASCII and the space as `\xNN`, quotes
 * and backslashes escaped, at most 64 bytes and then `…`.
 */
export function quoteBytes(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + QUOTED_BYTES)
  let text = '"'
  for (let i = start; i < stop; i++) {
    const byte = bytes[i]!
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    else text += hexEscape(byte)
  }
  return stop < end ? `${text}…"` : `${text}"`
}

/** One byte as it may stand in a log line: `"a"`, or `\x00` when it is not visible ASCII. */
export function quoteByte(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : hexEscape(byte)
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
