import type { Bytes } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

const encoder = new TextEncoder()
// A byte order mark is kept: decoded text must encode to the same bytes.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Decodes a string from an environ, whose characters stand for bytes, as UTF-8. Bytes that are not
 * UTF-8 become U+FFFD (PEP 3333 "Unicode Issues").
 *
 * @example decodeText('/caf\u00c3\u00a9') // '/café'
 */
export function decodeText(view: string): string {
  for (let i = 0; i < view.length; i++) {
    if (view.charCodeAt(i) > 0x7f) return decoder.decode(latin1Bytes(view))
  }
  return view
}

/**
 * Encodes text for an environ or a header: its UTF-8 bytes, one character each. The reverse of
 * {@link decodeText}.
 *
 * @example encodeText('/café') // '/caf\u00c3\u00a9'
 */
export function encodeText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return latin1Text(encoder.encode(text))
  }
  return text
}

/** The bytes that the characters stand for. @throws WSGIError for a character beyond U+00FF */
export function latin1Bytes(view: string): Bytes {
  const bytes = new Uint8Array(view.length)
  for (let i = 0; i < view.length; i++) {
    const code = view.charCodeAt(i)
    if (code > 0xff) {
      throw new WSGIError(
        'Unicode Issues',
        `${JSON.stringify(view.slice(0, 60))} has a character beyond latin-1 ` +
          `(U+${code.toString(16).toUpperCase().padStart(4, '0')}); encode it with encodeText()`,
      )
    }
    bytes[i] = code
  }
  return bytes
}

/** A string with one character for each byte. */
export function latin1Text(bytes: Uint8Array): string {
  let text = ''
  // Every engine takes this many arguments.
  for (let i = 0; i < bytes.length; i += 4096)
    text += String.fromCharCode(...bytes.subarray(i, i + 4096))
  return text
}
