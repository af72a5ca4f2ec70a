import type { WSGIError } from './wsgi-error.ts'

/**
 * Says what becomes of a rule of PEP 3333 that an application breaks and nobody suffers from: no
 * byte of it could split or forge a response, and what it means is clear.
 */
export interface Judge {
  /**
   * Throws `error`, or returns, and then what `instead` says is done.
   *
   * @param rule names it in a word or two
   */
  forgive(rule: string, error: WSGIError, instead: string): void
}

/**
 * The bytes of what is as good as a `Uint8Array`: another view of single bytes, or the memory of
 * one. Null for anything else.
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
