import type { WSGIEnvironment } from './types.ts'

/**
 * Guesses the scheme of a request from the variable `HTTPS`, for gateways that get it from CGI:
 * `on`, `yes` or `1` mean `https` (`wsgiref.util.guess_scheme`).
 *
 * Do not use it in an application: `environ['wsgi.url_scheme']` is certain.
 *
 * @example
 * guessScheme({ HTTPS: 'on' }) // 'https'
 */
export function guessScheme(environ: Partial<WSGIEnvironment>): 'http' | 'https' {
  const { HTTPS } = environ
  return HTTPS === 'on' || HTTPS === 'yes' || HTTPS === '1' ? 'https' : 'http'
}
