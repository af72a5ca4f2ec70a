import { acceptedEncodings } from '../../content-coding/accepted-encodings.ts'
import type { Encoding } from '../../content-coding/coding.ts'
import { toFunction } from '../../wsgi/application.ts'
import { isPromise } from '../../wsgi/body.ts'
import type { Middleware, WSGIBody } from '../../wsgi/types.ts'
import { withVaryIfCompressible } from './candidate.ts'
import { CompressedResponse } from './compressed-response.ts'
import { type CompressOptions, checkCompressOptions } from './options.ts'

export type { CompressOptions } from './options.ts'

/**
 * Compresses response bodies with brotli, zstd or gzip, as `Accept-Encoding` asks (RFC 9110
 * §12.5.3).
 *
 * A streamed body stays streamed: each piece is compressed and sent at once. An array is compressed
 * as a whole and gets a Content-Length. A strong ETag becomes weak, because the bytes differ;
 * Content-Length, digests and Accept-Ranges are removed. `Vary: Accept-Encoding` is added to every
 * response that another `Accept-Encoding` would change.
 *
 * These responses are not compressed: bodies below the `threshold`; types that are compressed
 * already (images, video, archives, fonts); responses with a Content-Encoding or with
 * `Cache-Control: no-transform`; event streams; 204, 206 and 304.
 *
 * When not to use it:
 *
 * - for a page with a secret (such as a CSRF token that stays the same) beside text that an
 *   attacker can choose. The length of the response betrays the secret, letter by letter, even
 *   through TLS (the BREACH attack). Change the token with each response, as Django does, or send
 *   such pages with `Cache-Control: no-transform`;
 * - behind a proxy that compresses.
 *
 * @throws TypeError or RangeError (`bad-option`) at set-up, if an option is wrong
 * @example
 * import { compose, compress, makeServer, staticFiles } from 'monoceros'
 *
 * const wrap = compose(
 *   compress({ threshold: 2048, level: { gzip: 4 } }),
 *   staticFiles({ root: 'public' }),
 * )
 * await makeServer('', 8000, wrap(app)).serveForever()
 */
export function compress(options: CompressOptions = {}): Middleware {
  const settings = checkCompressOptions(options)
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
