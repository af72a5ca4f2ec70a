import type { WSGIEnvironment } from './types.ts'

/**
 * The scheme that an environ speaks of, for gateways that are told by a variable `HTTPS`, as CGI
 * does: `on`, `yes` or `1` mean `https` (`wsgiref.util.guess_scheme`).
 *
 * In an application read `environ['wsgi.url_scheme']`, which the server knows for certain.
 *
 * @example
 * guessScheme({ HTTPS: 'on' }) // 'https'
 */
export function guessScheme(environ: Partial<WSGIEnvironment>): 'http' | 'https' {
  const { HTTPS } = environ
  return HTTPS === 'on' || HTTPS === 'yes' || HTTPS === '1' ? 'https' : 'http'
}
