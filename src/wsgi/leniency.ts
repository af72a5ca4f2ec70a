import type { WSGIError } from './wsgi-error.ts'

/**
 * Decides whether a broken rule of PEP 3333 is forgiven. It is asked only about mistakes that are
 * harmless: their meaning is clear, and no byte of them could split or forge a response.
 */
export interface Judge {
  /**
   * Throws `error`, or returns if the mistake is forgiven.
   *
   * @param rule names the mistake: `hop-by-hop connection`
   * @param instead what is done if it is forgiven, for the log: `the header is omitted`
   */
  forgive(rule: string, error: WSGIError, instead: string): void
}

/**
 * The bytes of a value that can stand for a `Uint8Array`: another view of single bytes, or an
 * `ArrayBuffer`. Null for anything else.
 *
 * @example equivalentBytes(new DataView(new ArrayBuffer(3))) // a Uint8Array of 3 bytes
 */
export function equivalentBytes(value: unknown): Uint8Array | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (typeof SharedArrayBuffer !== 'undefined' && value instanceof SharedArrayBuffer) {
    return new Uint8Array(value).slice()
  }
  if (!ArrayBuffer.isView(value)) return null
  const { BYTES_PER_ELEMENT: size = 1 } = value as { BYTES_PER_ELEMENT?: number }
  return size === 1 ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null
}
