import { type Files, validFiles } from './saved-code.ts'
import type { Language } from './steps/types.ts'

/** What a link shares: text for the editor of a step. */
export interface SharedCode {
  readonly step: number
  readonly language: Language
  readonly files: Files
}

/** How the fragment of a link begins. */
export const SHARE_PREFIX = '#play='
/** The most characters of a link's fragment. */
export const LINK_LIMIT = 16 * 1024
/** The most bytes that a fragment may become: a hostile one could be a thousand times as large. */
const TEXT_LIMIT = 128 * 1024

/**
 * The fragment of a link to this code: JSON, deflated, in base64url. Null if it is too long.
 *
 * @example await shareFragment({ step: 1, language: 'python', files: { 'hello.py': '…' } })
 */
export async function shareFragment(code: SharedCode): Promise<string | null> {
  const { step, language, files } = code
  const text = new TextEncoder().encode(JSON.stringify({ v: 1, step, language, files }))
  if (text.length > TEXT_LIMIT) return null
  const packed = await through(text, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY)
  if (packed === null) return null
  const fragment = SHARE_PREFIX + toBase64Url(packed)
  return fragment.length > LINK_LIMIT ? null : fragment
}

/**
 * Reads a fragment. Null for any other fragment, and for everything malformed, too long or of
 * another version: links come from strangers. The result is only text.
 */
export async function readShareFragment(fragment: string): Promise<SharedCode | null> {
  if (!fragment.startsWith(SHARE_PREFIX) || fragment.length > LINK_LIMIT) return null
  try {
    const packed = fromBase64Url(fragment.slice(SHARE_PREFIX.length))
    const text = await through(packed, new DecompressionStream('deflate-raw'), TEXT_LIMIT)
    if (text === null) return null
    return valid(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)))
  } catch {
    return null
  }
}

function valid(value: unknown): SharedCode | null {
  if (typeof value !== 'object' || value === null) return null
  const { v, step, language, files: given } = value as Record<string, unknown>
  const files = validFiles(given)
  if (v !== 1 || files === null) return null
  if (typeof step !== 'number' || !Number.isInteger(step) || step < 1 || step > 8) return null
  if (language !== 'python' && language !== 'typescript') return null
  return { step, language, files }
}

/** Null if the result is longer than `limit`; no more than that is ever held. */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader()
  const pieces: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > limit) {
      await reader.cancel().catch(() => {})
      return null
    }
    pieces.push(value)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

function toBase64Url(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]*$/.test(text)) throw new RangeError('not base64url')
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}
