import { createHash, randomBytes } from 'node:crypto'
import { extname } from 'node:path'
import { contentType } from 'mime-types'
import { toFunction } from '../../wsgi/application.ts'
import { encodePercent } from '../../wsgi/environ.ts'
import { decodeText, encodeText } from '../../wsgi/text.ts'
import type {
  ResponseHeaders,
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from '../../wsgi/types.ts'
import { acceptedEncodings } from '../compress/accept-encoding.ts'
import { isCompressible } from '../compress/compressible.ts'
import { headerValue } from '../conditional/held-head.ts'
import { notModifiedHeaders } from '../conditional/not-modified.ts'
import {
  evaluatePreconditions,
  rangeApplies,
  type Validators,
} from '../conditional/preconditions.ts'
import { optionError } from '../option-error.ts'
import { plainResponse } from '../plain-response.ts'
import { FileBody, readWhole, type Segment } from './file-body.ts'
import { type ByteRange, requestedRanges } from './requested-ranges.ts'
import { type ServedPath, servedPath } from './served-path.ts'
import { type OpenFile, StaticRoot } from './static-root.ts'

/** A content coding of which {@link staticFiles} serves files that were compressed beforehand. */
export type PrecompressedEncoding = 'br' | 'zstd' | 'gzip'

/** Options of {@link staticFiles}. */
export interface StaticFilesOptions {
  /**
   * The directory; relative to the working directory. It must exist, and is where it is at set-up:
   * a symbolic link to it is followed once.
   */
  root: string
  /**
   * Serve only paths below this one, which is taken off: with `/static`, the path `/static/a.css`
   * is the file `a.css`. Default: all.
   */
  prefix?: string
  /** The file that is a directory's page; `false` for none. Default `index.html`. */
  index?: string | false
  /**
   * For single-page applications: the file that answers navigations to paths that are no files,
   * where the application in the page finds its own way. A navigation is a GET or HEAD whose
   * `Accept` names `text/html`, for a path whose last name has no dot. It comes before the wrapped
   * application, so what is to reach that one must be mounted beside this, or be left out by a
   * function that gives `false` for its path.
   */
  fallback?: string | ((path: string) => string | false)
  /**
   * Serve `a.js.br`, `a.js.zst` or `a.js.gz` in place of `a.js` to clients that take them, where
   * there is one that is not older than the file itself; of those that a client likes equally, the
   * first here. Only for types that are worth it. Default `['br', 'zstd', 'gzip']`; `[]` for none.
   */
  precompressed?: readonly PrecompressedEncoding[]
  /**
   * The value of Cache-Control; `false` for none. Default `no-cache`: keep it, and ask whether it
   * is still good.
   */
  cacheControl?: string | false
  /** In place of `cacheControl`: for how many seconds a copy is good without asking. */
  maxAge?: number
  /**
   * Files whose name changes with their content, as bundlers make them: good for a year. Matched
   * against the path below the root, such as `/assets/index-B4x9.js`.
   */
  immutable?: RegExp
  /** More headers, by the file's path below the root; in place of ours of the same name. */
  headers?: (path: string) => ResponseHeaders
  /**
   * What becomes of paths with a name that begins with a dot (`.env`, `.git/config`): `ignore` them
   * as if there were none (the default), `deny` them with 403, `allow` them. For `.well-known`,
   * serve that directory by itself: `prefix: '/.well-known', root: 'public/.well-known'`.
   */
  dotfiles?: 'ignore' | 'deny' | 'allow'
  /**
   * Follow symbolic links below the root, as far as they do not lead out of it. Default `false`:
   * there is no file behind a link.
   */
  followSymlinks?: boolean
}

/** A middleware that is an application by itself where it is given none to wrap. */
export type StaticFiles = (app?: WSGIApplication) => WSGIApplication

interface Settings {
  readonly root: StaticRoot
  readonly prefix: string
  readonly index: string | false
  readonly fallback: (path: string) => ServedPath | null
  readonly precompressed: readonly PrecompressedEncoding[]
  readonly cacheControl: (path: string) => string | false
  readonly headers: (path: string) => ResponseHeaders
  readonly dotfiles: 'ignore' | 'deny' | 'allow'
}

/** A file as it is sent: the one that was asked for, or one of it that was compressed. */
interface Representation {
  readonly file: OpenFile
  readonly encoding: PrecompressedEncoding | null
}

const NOT_FOUND = plain('404 Not Found')
const NOT_ALLOWED = plain('405 Method Not Allowed', ['Allow', 'GET, HEAD'])
const EXTENSIONS: Record<PrecompressedEncoding, string> = { br: '.br', zstd: '.zst', gzip: '.gz' }
const YEAR = 365 * 24 * 60 * 60
/** Up to here a file is read at once, and leaves with its head. */
const AT_ONCE_BYTES = 64 * 1024
/** What says how the body is to be read is not for {@link StaticFilesOptions.headers}. */
const OURS: ReadonlySet<string> = new Set(['content-length', 'content-range', 'content-encoding'])

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

/** Answers with a file, and closes it, at once or with the body. */
async function send(
  settings: Settings,
  file: OpenFile,
  names: readonly string[],
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): Promise<WSGIBody> {
  let open = file
  let kept = false
  try {
    if (!isRead(environ)) return NOT_ALLOWED(environ, startResponse)
    const path = `/${names.join('/')}`
    const type = typeOf(names.at(-1)!)
    const varies = settings.precompressed.length > 0 && isCompressible(type)
    const chosen = varies ? await choose(settings, file, names, environ) : { file, encoding: null }
    if (chosen.file !== file) {
      open = chosen.file
      await file.handle.close()
    }
    const { stat, handle } = open
    const size = Number(stat.size)
    const own = validatorsOf(chosen)
    let headers: ResponseHeaders = [
      ['Content-Type', type],
      ['ETag', own.etag],
      ['Last-Modified', own.lastModified],
      ['Accept-Ranges', 'bytes'],
      ['X-Content-Type-Options', 'nosniff'],
    ]
    if (chosen.encoding !== null) headers.push(['Content-Encoding', chosen.encoding])
    if (varies) headers.push(['Vary', 'Accept-Encoding'])
    const cacheControl = settings.cacheControl(path)
    if (cacheControl !== false) headers.push(['Cache-Control', cacheControl])
    headers = withHeaders(headers, settings.headers(path))

    const validators = {
      etag: headerValue(headers, 'etag'),
      lastModified: headerValue(headers, 'last-modified'),
    }
    const outcome = evaluatePreconditions(environ, validators)
    if (outcome === 'not-modified') {
      startResponse('304 Not Modified', notModifiedHeaders(headers))
      return []
    }
    if (outcome === 'failed') return plain('412 Precondition Failed')(environ, startResponse)

    // A range means something for GET only (RFC 9110 §14.2).
    const ranges =
      environ.REQUEST_METHOD === 'GET' && rangeApplies(environ, validators)
        ? requestedRanges(environ.HTTP_RANGE, size)
        : 'whole'
    if (ranges === 'unsatisfiable')
      return plain('416 Range Not Satisfiable', ['Content-Range', `bytes */${size}`])(
        environ,
        startResponse,
      )
    const segments =
      ranges === 'whole' ? [{ start: 0, end: size }] : segmentsOf(ranges, size, headers)
    const length = segments.reduce((sum, segment) => sum + lengthOf(segment), 0)
    headers.push(['Content-Length', String(length)])
    const status = ranges === 'whole' ? '200 OK' : '206 Partial Content'
    const first = segments[0]
    if (environ.REQUEST_METHOD === 'HEAD') {
      startResponse(status, headers)
      return []
    }
    if (segments.length === 1 && !(first instanceof Uint8Array) && length <= AT_ONCE_BYTES) {
      const bytes =
        length === 0 ? new Uint8Array(0) : await readWhole(handle, first!.start, first!.end)
      startResponse(status, headers)
      return [bytes]
    }
    startResponse(status, headers)
    kept = true
    return new FileBody(handle, segments)
  } finally {
    if (!kept) await open.handle.close()
  }
}

/**
 * The file itself, or one beside it that was compressed. What is given may be another file than the
 * one that came in, which is still open then.
 */
async function choose(
  settings: Settings,
  file: OpenFile,
  names: readonly string[],
  environ: WSGIEnvironment,
): Promise<Representation> {
  const last = names.at(-1)!
  for (const encoding of acceptedEncodings(environ.HTTP_ACCEPT_ENCODING, settings.precompressed)) {
    if (encoding === 'identity') break
    const coding = encoding as PrecompressedEncoding
    const sibling = await settings.root.open(
      [...names.slice(0, -1), last + EXTENSIONS[coding]],
      () => {},
    )
    if (sibling === null || sibling === 'directory') continue
    // Older than the file: somebody has changed the one and not compressed it anew.
    if (sibling.stat.mtimeNs >= file.stat.mtimeNs) return { file: sibling, encoding: coding }
    await sibling.handle.close()
  }
  // Also where the client refuses it: a readable answer serves it better than 406 (RFC 9110 §12.5.3
  // lets us).
  return { file, encoding: null }
}

function typeOf(name: string): string {
  const extension = extname(name)
  return (extension !== '' && contentType(extension)) || 'application/octet-stream'
}

/**
 * Strong, as ranges need it, but for a file that was changed less than a second ago: that could be
 * changed again with none of the three showing it (RFC 9110 §8.8.1). Hashed, since an inode's
 * number is nobody's business.
 */
function validatorsOf({ file: { stat }, encoding }: Representation): Required<Validators> & {
  etag: string
  lastModified: string
} {
  const state = `${stat.size} ${stat.mtimeNs} ${stat.ino} ${encoding ?? ''}`
  const tag = createHash('sha256').update(state).digest('base64url').slice(0, 22)
  // Of a time that is still to come, too (RFC 9110 §8.8.2.1 forbids to say it).
  const now = Date.now()
  const changed = Number(stat.mtimeMs)
  return {
    etag: now - changed < 1000 ? `W/"${tag}"` : `"${tag}"`,
    lastModified: new Date(Math.min(changed, now)).toUTCString(),
  }
}

function withHeaders(headers: ResponseHeaders, more: ResponseHeaders): ResponseHeaders {
  let result = headers
  for (const [name] of more) {
    const lower = name.toLowerCase()
    if (OURS.has(lower))
      throw optionError(
        TypeError,
        `staticFiles: headers gave ${name}, which is for staticFiles to say`,
      )
    // What an answer varies by adds up.
    if (lower !== 'vary') result = result.filter(([other]) => other.toLowerCase() !== lower)
  }
  return [...result, ...more]
}

/** Content of a 206, with the headers that say what it is (RFC 9110 §15.3.7). */
function segmentsOf(
  ranges: readonly ByteRange[],
  size: number,
  headers: ResponseHeaders,
): Segment[] {
  if (ranges.length === 1) {
    headers.push(['Content-Range', contentRange(ranges[0]!, size)])
    return [ranges[0]!]
  }
  const at = headers.findIndex(([name]) => name.toLowerCase() === 'content-type')
  const type = headers[at]?.[1] ?? 'application/octet-stream'
  const boundary = randomBytes(18).toString('base64url')
  headers[at] = ['Content-Type', `multipart/byteranges; boundary=${boundary}`]
  const segments: Segment[] = []
  for (const range of ranges) {
    const head = `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(range, size)}\r\n\r\n`
    segments.push(Buffer.from(head, 'latin1'), range)
  }
  segments.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  return segments
}

function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

function lengthOf(segment: Segment): number {
  return segment instanceof Uint8Array ? segment.length : segment.end - segment.start
}

function isRead(environ: WSGIEnvironment): boolean {
  return environ.REQUEST_METHOD === 'GET' || environ.REQUEST_METHOD === 'HEAD'
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

/**
 * `/docs` → `/docs/`: or the page's relative links would lead beside the directory. The target is
 * this server's in any case: it begins with one slash, for two would begin the name of another
 * (`//evil.example/`).
 */
function toDirectory(
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): WSGIBody | Promise<WSGIBody> {
  const path = encodePercent(`/${environ.SCRIPT_NAME}${environ.PATH_INFO}/`).replace(/^\/+/, '/')
  const query = environ.QUERY_STRING === '' ? '' : `?${environ.QUERY_STRING}`
  const location = path + query.replace(/[^\x21-\x7e]/g, (character) => encodePercent(character))
  return plain('301 Moved Permanently', ['Location', location])(environ, startResponse)
}

/** A response that says its status in words. */
function plain(status: string, ...headers: ResponseHeaders): WSGIFunction {
  return plainResponse(status, ['X-Content-Type-Options', 'nosniff'], ...headers)
}

function settle(options: StaticFilesOptions): Settings {
  const { root, prefix = '', index = 'index.html', fallback, dotfiles = 'ignore' } = options
  if (typeof root !== 'string' || root === '')
    throw optionError(
      TypeError,
      `staticFiles: root is the path of a directory, not ${JSON.stringify(root)}`,
    )
  let opened: StaticRoot
  try {
    opened = new StaticRoot(root, options.followSymlinks ?? false)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw optionError(
      TypeError,
      `staticFiles: root ${JSON.stringify(root)} cannot be served (${why}): name a directory that exists`,
    )
  }
  if (prefix !== '' && !/^\/(?:.*[^/])?$/.test(prefix))
    throw optionError(
      TypeError,
      `staticFiles: prefix ${JSON.stringify(prefix)} must begin with a slash and not end with one: /static`,
    )
  if (index !== false && servedPath(`/${index}`)?.names.length !== 1)
    throw optionError(
      TypeError,
      `staticFiles: index ${JSON.stringify(index)} must be the name of a file, or false`,
    )
  if (!['ignore', 'deny', 'allow'].includes(dotfiles))
    throw optionError(
      TypeError,
      `staticFiles: dotfiles is 'ignore', 'deny' or 'allow', not ${JSON.stringify(dotfiles)}`,
    )
  if (options.immutable !== undefined && !(options.immutable instanceof RegExp))
    throw optionError(
      TypeError,
      `staticFiles: immutable is a regular expression, not ${JSON.stringify(options.immutable)}`,
    )
  const precompressed = options.precompressed ?? ['br', 'zstd', 'gzip']
  for (const encoding of precompressed) {
    if (!Object.hasOwn(EXTENSIONS, encoding))
      throw optionError(
        TypeError,
        `staticFiles: precompressed is made of 'br', 'zstd' and 'gzip', not of ${JSON.stringify(encoding)}`,
      )
  }
  if (typeof fallback === 'string') pathOf(fallback)
  return {
    root: opened,
    prefix: prefix === '/' ? '' : encodeText(prefix),
    index,
    fallback: (path) => {
      const file = typeof fallback === 'function' ? fallback(path) : fallback
      return file === undefined || file === false ? null : pathOf(file)
    },
    precompressed,
    cacheControl: cacheControlOf(options),
    headers: options.headers ?? (() => []),
    dotfiles,
  }
}

function pathOf(fallback: string): ServedPath {
  const path = servedPath(encodeText(fallback.startsWith('/') ? fallback : `/${fallback}`))
  if (path === null || path.directory)
    throw optionError(
      TypeError,
      `staticFiles: fallback ${JSON.stringify(fallback)} must be the path of a file below the root`,
    )
  return path
}

function cacheControlOf({
  cacheControl,
  maxAge,
  immutable,
}: StaticFilesOptions): (path: string) => string | false {
  if (maxAge !== undefined) {
    if (cacheControl !== undefined)
      throw optionError(
        TypeError,
        'staticFiles: maxAge says what cacheControl says: give one of the two',
      )
    if (!Number.isSafeInteger(maxAge) || maxAge < 0)
      throw optionError(
        TypeError,
        `staticFiles: maxAge is a whole number of seconds, not ${maxAge}`,
      )
  }
  const usual = maxAge === undefined ? (cacheControl ?? 'no-cache') : `public, max-age=${maxAge}`
  if (immutable === undefined) return () => usual
  const forever = `public, max-age=${YEAR}, immutable`
  // search() starts at the beginning whatever the flags, where test() with g goes on from its last
  // match.
  return (path) => (path.search(immutable) === -1 ? usual : forever)
}
