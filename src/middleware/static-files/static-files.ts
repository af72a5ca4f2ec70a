import { isNavigation } from '../../files/navigation.ts'
import { servedPath } from '../../files/served-path.ts'
import type { OpenFile } from '../../files/static-root.ts'
import { toFunction } from '../../wsgi/application.ts'
import { decodeText } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIBody, WSGIFunction } from '../../wsgi/types.ts'
import { isRead, NOT_ALLOWED, NOT_FOUND, statusAnswer, toDirectory } from './answers.ts'
import type { FileRequest } from './file-answer.ts'
import { checkStaticFilesOptions, type StaticFilesOptions } from './options.ts'

export type { PrecompressedEncoding } from '../../files/file-facts.ts'
export type { StaticFilesOptions } from './options.ts'

/** A middleware that makes an application of its own if it is called without one to wrap. */
export type StaticFiles = (app?: WSGIApplication) => WSGIApplication

/**
 * Serves the files of a directory: pages, scripts, images, downloads.
 *
 * As a middleware it answers GET and HEAD for paths with a file, and passes all other requests to
 * the application. Without an application it answers other paths with 404, and other methods for a
 * file with 405. `/docs` is redirected to `/docs/` if that has an index file. Directories are never
 * listed.
 *
 * Requests can be conditional (RFC 9110 §13), and can ask for one or several ranges (RFC 9110 §14).
 * An ETag is made of the size, the time of change and the inode of the file, so servers with copies
 * of a file give it different ETags. It is weak during the first second after a change.
 *
 * No file outside the root is served, whatever the path, and whatever symbolic links lie below the
 * root. Only regular files are served. Paths are not normalized: a path with `..`, with an empty
 * segment, or with a name that means another one on Windows (`\`, `:`, `NUL`, a dot at its end)
 * names no file, on any system. Text types get `charset=utf-8`.
 *
 * Do not use it where files make up most of the traffic: a content delivery network in front is
 * cheaper.
 *
 * @throws TypeError (`bad-option`) at set-up, if an option is wrong
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
  const settings = checkStaticFilesOptions(options)
  return (app) => {
    const next = app === undefined ? null : toFunction(app)
    return function staticFiles(environ, startResponse) {
      if (next !== null && !isRead(environ)) return next(environ, startResponse)
      const path = pathWithin(environ.PATH_INFO, settings.prefix)
      if (path === null) return (next ?? NOT_FOUND)(environ, startResponse)
      return serve({ settings, environ, startResponse }, next, path)
    }
  }
}

let sending: Promise<typeof import('./file-answer.ts')> | undefined

/** Loads what is only needed to send a file: among it is a table of all types of files. */
async function send(...file: [FileRequest, OpenFile, readonly string[]]): Promise<WSGIBody> {
  sending ??= import('./file-answer.ts')
  return await (await sending).send(...file)
}

async function serve(
  request: FileRequest,
  next: WSGIFunction | null,
  view: string,
): Promise<WSGIBody> {
  const { settings, environ, startResponse } = request
  const { root, index } = settings
  const tell = (text: string) => environ['wsgi.errors'].write(`staticFiles: ${text}\n`)
  const path = servedPath(view)
  if (path !== null && (!path.hidden || settings.dotfiles !== 'ignore')) {
    if (path.hidden && settings.dotfiles === 'deny')
      return statusAnswer('403 Forbidden')(environ, startResponse)
    let names = path.names
    let found = path.directory ? 'directory' : await root.open(names, tell)
    const redirected = found === 'directory' && !path.directory
    if (found === 'directory') {
      names = [...names, String(index)]
      found = index === false ? null : await root.open(names, tell)
    }
    if (found !== null && found !== 'directory') {
      if (!redirected) return send(request, found, names)
      await found.handle.close()
      return isRead(environ)
        ? toDirectory(environ, startResponse)
        : NOT_ALLOWED(environ, startResponse)
    }
  }
  if (isRead(environ) && isNavigation(view, environ.HTTP_ACCEPT)) {
    const instead = settings.fallback(decodeText(view))
    const found = instead === null ? null : await root.open(instead.names, tell)
    if (instead !== null && found !== null && found !== 'directory')
      return send(request, found, instead.names)
  }
  return (next ?? NOT_FOUND)(environ, startResponse)
}

/** The rest of a path after a prefix; null if the path is not below it. */
function pathWithin(path: string, prefix: string): string | null {
  if (prefix === '') return path
  if (!path.startsWith(prefix)) return null
  return path.length === prefix.length || path[prefix.length] === '/'
    ? path.slice(prefix.length)
    : null
}
