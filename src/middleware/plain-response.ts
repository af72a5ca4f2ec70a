import type { ResponseHeaders, WSGIFunction } from '../wsgi/types.ts'

/**
 * Makes an application that always answers with the same status and a line of plain text.
 *
 * @example plainResponse('404 Not Found') // answers with the body 'Not Found\n'
 */
export function plainResponse(status: string, ...headers: ResponseHeaders): WSGIFunction {
  const body = new TextEncoder().encode(`${status.slice(4)}\n`)
  return function plainApplication(_environ, startResponse) {
    startResponse(status, [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Content-Length', String(body.length)],
      ...headers,
    ])
    return [body]
  }
}
