import { toFunction } from '../../wsgi/application.ts'
import { decodeText } from '../../wsgi/text.ts'
import type {
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from '../../wsgi/types.ts'
import { isRead, NOT_ALLOWED, NOT_FOUND, plain, toDirectory } from './answers.ts'
import { send } from './file-answer.ts'
import { type Settings, type StaticFilesOptions, settle } from './options.ts'
import { servedPath } from './served-path.ts'

export type { PrecompressedEncoding, StaticFilesOptions } from './options.ts'

/** A middleware that is an application by itself where it is given none to wrap. */
export type StaticFiles = (app?: WSGIApplication) => WSGIApplication

/**
 * Serves the files below a directory: pages, scripts, images, downloads.
 *
 * As a middleware it answers GET and HEAD where there is such a file, and leaves all else to the
 * application; by itself, called with none, it answers 404, and 405 to other methods where there is
 * such a file. `/docs` is redirected to `/docs/` where that has an index file; no listing is ever
 * made of a directory.
 *
 * Requests can be conditional, and for one or several ranges (RFC 9110 §13, §14). An ETag is made
 * of the file's size, time of change and inode: servers that each have a copy give it different
 * ones. It is weak while the file is younger than a second.
 *
 * Nothing outside the root is ever given, whatever the path and whatever symbolic links lie below
 * the root; and what is no regular file is no file. Paths are not put in order: one with `..`, with
 * an empty name, or with something that Windows would take for another name (`\`, `:`, `NUL`, a dot
 * at the end of a name) names no file, on any system. Text is said to be UTF-8.
 *
 * Serve few, hot files this way, or any number in development; where millions of bytes a second are
 * files, a content delivery network in front is cheaper.
 *
 * @throws TypeError (code `bad-option`) at set-up
 * @example
 * import { compose, makeServer, staticFiles } from 'monoceros'
 *
 * // A single-page application beside its API.
 * const site = staticFiles({
 *   root: 'dist',
 *   fallback: (path) => (path.startsWith('/api/') ? false : 'index.html'),
 *   immutable: /^\/assets\//,
 * })
 * await makeServer('', 8000, site(api)).serveForever()
 *
 * // Nothing but files.
 * await makeServer('', 8000, staticFiles({ root: 'public' })()).serveForever()
 */
export function staticFiles(options: StaticFilesOptions): StaticFiles {
  const settings = settle(options)
  return (app) => {
    const next = app === undefined ? null : toFunction(app)
    return function staticFiles(environ, startResponse) {
      if (next !== null && !isRead(environ)) return next(environ, startResponse)
      const path = pathWithin(environ.PATH_INFO, settings.prefix)
      if (path === null) return (next ?? NOT_FOUND)(environ, startResponse)
      return serve(settings, next, path, environ, startResponse)
    }
  }
}

async function serve(
  settings: Settings,
  next: WSGIFunction | null,
  view: string,
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): Promise<WSGIBody> {
  const { root, index } = settings
  const tell = (text: string) => environ['wsgi.errors'].write(text)
  const path = servedPath(view)
  if (path !== null && (!path.hidden || settings.dotfiles !== 'ignore')) {
    if (path.hidden && settings.dotfiles === 'deny')
      return plain('403 Forbidden')(environ, startResponse)
    let names = path.names
    let found = path.directory ? 'directory' : await root.open(names, tell)
    const redirected = found === 'directory' && !path.directory
    if (found === 'directory') {
      names = [...names, String(index)]
      found = index === false ? null : await root.open(names, tell)
    }
    if (found !== null && found !== 'directory') {
      if (!redirected) return send(settings, found, names, environ, startResponse)
      await found.handle.close()
      return isRead(environ)
        ? toDirectory(environ, startResponse)
        : NOT_ALLOWED(environ, startResponse)
    }
  }
  if (isNavigation(environ, view)) {
    const instead = settings.fallback(decodeText(view))
    const found = instead === null ? null : await root.open(instead.names, tell)
    if (instead !== null && found !== null && found !== 'directory')
      return send(settings, found, instead.names, environ, startResponse)
  }
  return (next ?? NOT_FOUND)(environ, startResponse)
}

/**
 * Somebody goes to a page: by a link, by the address bar. What a script or an image element asks
 * for does not name `text/html`.
 */
function isNavigation(environ: WSGIEnvironment, path: string): boolean {
  if (!isRead(environ) || path.slice(path.lastIndexOf('/') + 1).includes('.')) return false
  const accept = environ.HTTP_ACCEPT
  return (
    accept !== undefined &&
    /(?:^|,)\s*text\/html\s*(?:,|$|;(?!\s*q=0(?:\.0*)?\s*(?:,|$)))/i.test(accept)
  )
}

/** The path below a prefix; null where it is not below. */
function pathWithin(path: string, prefix: string): string | null {
  if (prefix === '') return path
  if (!path.startsWith(prefix)) return null
  return path.length === prefix.length || path[prefix.length] === '/'
    ? path.slice(prefix.length)
    : null
}
