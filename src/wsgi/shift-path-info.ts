import type { WSGIEnvironment } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

/**
 * Moves the first segment of `PATH_INFO` to the end of `SCRIPT_NAME` and returns it
 * (`wsgiref.util.shift_path_info`). Use it in an application that passes requests on to others by
 * the segments of the path. The environ is changed: pass a copy if you still need the old one.
 *
 * Empty segments and `.` are left out, and `..` removes a segment of `SCRIPT_NAME`, as in wsgiref.
 * For a `PATH_INFO` of `/` the segment is empty, and `SCRIPT_NAME` gets a slash at its end, so that
 * `/x` and `/x/` stay different.
 *
 * @returns the segment, not decoded from latin-1; null if none is left
 * @throws WSGIError if PATH_INFO is not empty and does not begin with a slash
 * @example
 * const articles: WSGIApplication = (environ, startResponse) => {
 *   const name = shiftPathInfo(environ) // of '/archive/2026': 'archive'
 *   const app = name === 'archive' ? archive : notFound
 *   return app(environ, startResponse) // sees SCRIPT_NAME '/archive', PATH_INFO '/2026'
 * }
 */
export function shiftPathInfo(
  environ: Pick<Partial<WSGIEnvironment>, 'SCRIPT_NAME' | 'PATH_INFO'>,
): string | null {
  const path = environ.PATH_INFO ?? ''
  if (path === '') return null
  const parts = path.split('/')
  if (parts.length === 1) {
    throw new WSGIError(
      'environ Variables',
      'shiftPathInfo: PATH_INFO must be empty or begin with a slash, ' +
        `not be ${JSON.stringify(path)}`,
    )
  }
  const last = parts.length - 1
  const kept = parts.filter((part, i) => i === 0 || i === last || (part !== '' && part !== '.'))
  const [name] = kept.splice(1, 1) as [string]
  const script = normalPath(`${environ.SCRIPT_NAME ?? ''}/${name}`).replace(/\/$/, '')
  environ.SCRIPT_NAME = name === '' && !script.endsWith('/') ? `${script}/` : script
  environ.PATH_INFO = kept.join('/')
  return name === '.' ? null : name
}

/** The same as Python's `posixpath.normpath`. */
function normalPath(path: string): string {
  const root = /^\/*/.exec(path)![0].length
  // POSIX leaves the meaning of exactly two slashes to the system, so they stay.
  const start = root === 0 ? '' : root === 2 ? '//' : '/'
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..' || (start === '' && (names.length === 0 || names.at(-1) === '..')))
      names.push(name)
    else names.pop()
  }
  return start + names.join('/') || '.'
}
