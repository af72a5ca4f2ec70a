import { toFunction } from '../../wsgi/application.ts'
import { isPromise } from '../../wsgi/body.ts'
import type { Middleware, WSGIBody } from '../../wsgi/types.ts'
import { acceptedEncodings } from './accept-encoding.ts'
import { withVaryIfCompressible } from './candidate.ts'
import type { Encoding } from './coding.ts'
import { CompressedResponse } from './compressed-response.ts'
import { type CompressOptions, settle } from './options.ts'

export type { CompressOptions } from './options.ts'

/**
 * Compresses response bodies for clients that take it: brotli, zstd or gzip, as `Accept-Encoding`
 * says (RFC 9110 §12.5.3).
 *
 * A body that is streamed stays streamed: each piece that the application gives leaves at once,
 * compressed. A body that is at hand (an array) is compressed in one go and has its Content-Length.
 * A strong ETag becomes weak, since the bytes are others; Content-Length, digests and Accept-Ranges
 * go. `Vary: Accept-Encoding` is added where a client with other wishes would get another answer.
 *
 * Left as they are: bodies below the `threshold`, of types that are compressed already (images,
 * video, archives, fonts), with a Content-Encoding, with `Cache-Control: no-transform`; event
 * streams; 204, 206 and 304.
 *
 * Do not compress a page that has a secret in it (such as a CSRF token that stays the same) beside
 * text that an attacker can choose: from the length alone the secret can be guessed, letter by
 * letter, through TLS (the BREACH attack). Let tokens change with each response, as Django's do, or
 * leave such pages out with `Cache-Control: no-transform`. Do not use it where something in front
 * compresses anyway.
 *
 * @throws TypeError, RangeError (code `bad-option`) at set-up
 * @example
 * import { compose, compress, makeServer, staticFiles } from 'monoceros'
 *
 * const wrap = compose(compress({ threshold: 2048, level: { gzip: 4 } }), staticFiles({ root:
 * 'public' })) await makeServer('', 8000, wrap(app)).serveForever()
 */
export function compress(options: CompressOptions = {}): Middleware {
  const settings = settle(options)
  return (app) => {
    const inner = toFunction(app)
    return function compress(environ, startResponse) {
      const wanted =
        acceptedEncodings(environ.HTTP_ACCEPT_ENCODING, settings.encodings)[0] ?? 'identity'
      if (wanted === 'identity') {
        return inner(environ, (status, headers, excInfo) =>
          startResponse(status, withVaryIfCompressible(settings, status, headers), excInfo),
        )
      }
      const response = new CompressedResponse(settings, wanted as Encoding, environ, startResponse)
      let result: WSGIBody | Promise<WSGIBody>
      try {
        result = inner(environ, response.startResponse)
      } catch (error) {
        response.destroy()
        throw error
      }
      if (!isPromise(result)) return response.take(result)
      return result.then(
        (body) => response.take(body),
        (error: unknown) => {
          response.destroy()
          throw error
        },
      )
    }
  }
}
