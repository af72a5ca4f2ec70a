/** Percent-encoding (RFC 3986 §2.1), of bytes and of latin-1 views of bytes. */
import { PERCENT } from './syntax.ts'

/**
 * Decodes `%41` to `A` in a latin-1 view of bytes. A percent sign that two hex digits do not follow
 * stays as it is.
 *
 * @example decodePercent('/caf%C3%A9') // '/caf\u00c3\u00a9'
 */
export function decodePercent(view: string): string {
  if (!view.includes('%')) return view
  return view.replace(/%[0-9A-Fa-f]{2}/g, (escaped) =>
    String.fromCharCode(Number.parseInt(escaped.slice(1), 16)),
  )
}

/** Whether bytes [from, to) contain a percent sign. */
export function hasPercent(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] === PERCENT) return true
  return false
}

/**
 * The same as {@link decodePercent}, for bytes, written to the beginning of `out`.
 *
 * @param out at least as long as `bytes`
 * @returns the number of bytes written
 */
export function decodePercentBytes(bytes: Uint8Array, out: Uint8Array): number {
  const to = bytes.length
  let length = 0
  for (let i = 0; i < to; i++) {
    let byte = bytes[i]!
    if (byte === PERCENT && i + 2 < to) {
      const high = hexDigit(bytes[i + 1]!)
      const low = hexDigit(bytes[i + 2]!)
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low
        i += 2
      }
    }
    out[length++] = byte
  }
  return length
}

/** The value of a hex digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
