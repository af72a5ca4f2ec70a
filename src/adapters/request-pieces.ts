import { emptyInput, InputError, readChunks } from '../wsgi/input-stream.ts'
import type { Bytes, WSGIEnvironment } from '../wsgi/types.ts'

/** Methods whose requests have a body only when a header says so (RFC 9110 §9.3). */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE'])

/**
 * The body of a request as a stream of pieces; null if there is none. It reads no further than
 * `CONTENT_LENGTH`. Without that, it reads only if the server declares that the input ends by
 * itself (`wsgi.input_terminated`).
 */
export function requestPieces(
  environ: WSGIEnvironment,
): AsyncGenerator<Bytes, void, undefined> | null {
  const input = environ['wsgi.input']
  if (input === emptyInput) return null
  const declared = environ.CONTENT_LENGTH
  if (declared !== undefined && declared !== '') {
    const length = /^\d+$/.test(declared) ? Number(declared) : 0
    return length === 0 ? null : piecesUpTo(environ, length)
  }
  if (environ['wsgi.input_terminated'] !== true) return null
  if (environ.HTTP_TRANSFER_ENCODING === undefined && BODILESS.has(environ.REQUEST_METHOD))
    return null
  return readChunks(input)
}

async function* piecesUpTo(
  environ: WSGIEnvironment,
  length: number,
): AsyncGenerator<Bytes, void, undefined> {
  const input = environ['wsgi.input']
  let left = length
  while (left > 0) {
    const size = Math.min(left, 64 * 1024)
    const piece = await (input.read1 === undefined ? input.read(size) : input.read1(size))
    if (piece.length === 0) {
      throw new InputError(
        `The body of the request ended ${left} bytes short of its Content-Length of ${length}`,
      )
    }
    left -= piece.length
    yield piece
  }
}
