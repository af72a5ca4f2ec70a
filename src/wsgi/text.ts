import { WSGIError } from './wsgi-error.ts'

const encoder = new TextEncoder()
// A byte order mark is a character like any other here: what is decoded must encode to the same
// bytes.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Text of a string from an environ: its characters, which stand for bytes, read as UTF-8; what is
 * not UTF-8 becomes U+FFFD (PEP 3333 "Unicode Issues").
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
 * The other way round: text as its UTF-8 bytes, one character each, as an environ or a header holds
 * it.
 *
 * @example encodeText('/café') // '/caf\u00c3\u00a9'
 */
export function encodeText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return latin1Text(encoder.encode(text))
  }
  return text
}

/** One byte a character. @throws WSGIError for a character beyond U+00FF */
export function latin1Bytes(view: string): Uint8Array {
  const bytes = new Uint8Array(view.length)
  for (let i = 0; i < view.length; i++) {
    const code = view.charCodeAt(i)
    if (code > 0xff) {
      throw new WSGIError(
        'Unicode Issues',
        `${JSON.stringify(view.slice(0, 60))} has a character beyond latin-1 (U+${code.toString(16).toUpperCase().padStart(4, '0')}); encodeText() makes such text fit`,
      )
    }
    bytes[i] = code
  }
  return bytes
}

/** One character a byte. */
export function latin1Text(bytes: Uint8Array): string {
  let text = ''
  // As many arguments as every engine takes.
  for (let i = 0; i < bytes.length; i += 4096)
    text += String.fromCharCode(...bytes.subarray(i, i + 4096))
  return text
}
