import type { RequestText } from './steps/types.ts'

/** The most that the client sends, in bytes. */
export const LARGEST_REQUEST = 256 * 1024

/** What is wrong with a request that the reader has written. */
export class RequestTextError extends Error {
  readonly code = 'bad-request-text'
}

/**
 * The bytes of a request over HTTP/1.1, as curl would send them. Host and Content-Length are added
 * if they are missing; everything else is sent as it was written, right or wrong.
 *
 * @throws RequestTextError if it cannot be sent at all
 */
export function requestBytes(request: RequestText): Uint8Array<ArrayBuffer> {
  const { method, path, headers = '', body = '' } = request
  if (!/^\S+$/.test(method)) throw new RequestTextError('The method is one word, such as GET')
  if (!/^\S+$/.test(path))
    throw new RequestTextError('The path has no spaces: write %20 for a space')
  const lines = headers.split(/\r?\n/).filter((line) => line !== '')
  const has = (name: string) => lines.some((line) => line.toLowerCase().startsWith(`${name}:`))
  const content = new TextEncoder().encode(body)
  const head = [
    `${method} ${encodePath(path)} HTTP/1.1`,
    ...(has('host') ? [] : ['Host: localhost:8000']),
    ...lines,
    ...(content.length > 0 && !has('content-length') && !has('transfer-encoding')
      ? [`Content-Length: ${content.length}`]
      : []),
    '',
    '',
  ].join('\r\n')
  const encoded = new TextEncoder().encode(head)
  const bytes = new Uint8Array(encoded.length + content.length)
  bytes.set(encoded)
  bytes.set(content, encoded.length)
  if (bytes.length > LARGEST_REQUEST)
    throw new RequestTextError(`A request has at most ${LARGEST_REQUEST / 1024} KiB here`)
  return bytes
}

/** What a browser does: text beyond ASCII becomes UTF-8, percent-encoded. */
function encodePath(path: string): string {
  return path.replace(/[^\x21-\x7e]+/gu, (text) => {
    try {
      return encodeURIComponent(text)
    } catch {
      return '%EF%BF%BD' // half of a surrogate pair
    }
  })
}
