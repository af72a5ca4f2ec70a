import type { WSGIEnvironment } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

/**
 * Takes the first name off `PATH_INFO`, puts it behind `SCRIPT_NAME`, and gives it
 * (`wsgiref.util.shift_path_info`): for an application that hands each part of its path to another
 * one. The environ is changed: make a copy of it where the caller still needs the old one.
 *
 * Empty names and `.` are left out on the way, and `..` takes a name off `SCRIPT_NAME`, as in
 * wsgiref. For a `PATH_INFO` of just `/` it is the empty name, and SCRIPT_NAME gets a slash at its
 * end, so that `/x` and `/x/` are not the same.
 *
 * @returns a name, not decoded from latin-1; null where no name is left
 * @throws WSGIError where PATH_INFO is neither empty nor has a slash before its name
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
      `shiftPathInfo: PATH_INFO must be empty or begin with a slash, and is ${JSON.stringify(path)}`,
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

/** What Python's `posixpath.normpath` gives. */
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
