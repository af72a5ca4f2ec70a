import type { WSGIEnvironment } from '../wsgi/types.ts'

/**
 * The headers of a request, restored from its environ: names in their usual case, values as views
 * of bytes.
 *
 * @example headersOf(environ) // [['Content-Type', 'text/plain'], ['Accept-Language', 'de']]
 */
export function headersOf(environ: WSGIEnvironment): [name: string, value: string][] {
  const headers: [string, string][] = []
  for (const key in environ) {
    const value = environ[key]
    if (typeof value !== 'string') continue
    if (key.startsWith('HTTP_')) headers.push([headerName(key.slice(5)), value])
    else if ((key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH') && value !== '')
      headers.push([headerName(key), value])
  }
  return headers
}

/** Turns `ACCEPT_LANGUAGE` into `Accept-Language`. */
function headerName(variable: string): string {
  return variable
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('-')
}
