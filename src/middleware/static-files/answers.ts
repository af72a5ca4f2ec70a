import { encodePercent } from '../../wsgi/environ.ts'
import type {
  ResponseHeaders,
  StartResponse,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from '../../wsgi/types.ts'
import { plainResponse } from '../plain-response.ts'

export const NOT_FOUND = statusAnswer('404 Not Found')
export const NOT_ALLOWED = statusAnswer('405 Method Not Allowed', ['Allow', 'GET, HEAD'])

export function isRead(environ: WSGIEnvironment): boolean {
  return environ.REQUEST_METHOD === 'GET' || environ.REQUEST_METHOD === 'HEAD'
}

/**
 * Redirects `/docs` to `/docs/`, because the relative links of the page need the slash. The
 * location begins with exactly one slash: two would begin the name of another server
 * (`//evil.example/`).
 */
export function toDirectory(
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): WSGIBody | Promise<WSGIBody> {
  const path = encodePercent(`/${environ.SCRIPT_NAME}${environ.PATH_INFO}/`).replace(/^\/+/, '/')
  const query = environ.QUERY_STRING === '' ? '' : `?${environ.QUERY_STRING}`
  const location = path + query.replace(/[^\x21-\x7e]/g, (character) => encodePercent(character))
  return statusAnswer('301 Moved Permanently', ['Location', location])(environ, startResponse)
}

/** Makes a response of one line of text that names its status. */
export function statusAnswer(status: string, ...headers: ResponseHeaders): WSGIFunction {
  return plainResponse(status, ['X-Content-Type-Options', 'nosniff'], ...headers)
}
