import { EXTENSIONS, type PrecompressedEncoding } from '../../files/file-facts.ts'
import { type ServedPath, servedPath } from '../../files/served-path.ts'
import { StaticRoot } from '../../files/static-root.ts'
import { encodeText } from '../../wsgi/text.ts'
import type { ResponseHeaders } from '../../wsgi/types.ts'
import { optionError } from '../option-error.ts'

/** Options of `staticFiles`. */
export interface StaticFilesOptions {
  /**
   * The directory whose files are served, relative to the working directory. It must exist. A
   * symbolic link to it is followed once, at set-up.
   */
  root: string
  /**
   * Serves only paths below this one, which is removed: with `/static`, the path `/static/a.css`
   * means the file `a.css`. Defaults to all paths.
   */
  prefix?: string
  /** The file to serve for a directory; `false` for none. Defaults to `index.html`. */
  index?: string | false
  /**
   * For single-page applications: the file to serve for navigations to paths without a file, or a
   * function that returns it or `false`. A navigation is a GET or HEAD whose `Accept` names
   * `text/html`, for a path whose last segment has no dot. It takes precedence over the wrapped
   * application: mount that one beside this, or return `false` for its paths. Defaults to none.
   */
  fallback?: string | ((path: string) => string | false)
  /**
   * The codings, in order of preference, of compressed files to serve instead: `a.js.br`,
   * `a.js.zst` or `a.js.gz` for `a.js`, if the client accepts the coding and the compressed file is
   * not older. Only for types that compress well. Defaults to `['br', 'zstd', 'gzip']`; `[]`
   * disables it.
   */
  precompressed?: readonly PrecompressedEncoding[]
  /**
   * The value of Cache-Control; `false` for none. Defaults to `no-cache`: browsers keep a copy and
   * ask each time whether it is current.
   */
  cacheControl?: string | false
  /** Instead of `cacheControl`: how long browsers may use a copy without asking, in seconds. */
  maxAge?: number
  /**
   * Matches the paths of files whose name changes with their content, as bundlers make them, such
   * as `/assets/index-B4x9.js`. Browsers may use a copy for a year. Defaults to none.
   */
  immutable?: RegExp
  /**
   * Returns more headers for the path of a file below the root. They replace headers of the same
   * name, except `Vary`, whose values add up.
   */
  headers?: (path: string) => ResponseHeaders
  /**
   * How to treat paths with a segment that begins with a dot (`.env`, `.git/config`): `ignore` them
   * as if the file did not exist, `deny` them with 403, or `allow` them. To serve `.well-known`,
   * use a middleware of its own: `prefix: '/.well-known', root: 'public/.well-known'`. Defaults to
   * `ignore`.
   */
  dotfiles?: 'ignore' | 'deny' | 'allow'
  /**
   * Whether to follow symbolic links below the root that do not lead out of it. Defaults to false:
   * a path with a link names no file.
   */
  followSymlinks?: boolean
}

/** The options, checked. */
export interface StaticFilesSettings {
  readonly root: StaticRoot
  readonly prefix: string
  readonly index: string | false
  readonly fallback: (path: string) => ServedPath | null
  readonly precompressed: readonly PrecompressedEncoding[]
  readonly cacheControl: (path: string) => string | false
  readonly headers: (path: string) => ResponseHeaders
  readonly dotfiles: 'ignore' | 'deny' | 'allow'
}

const YEAR = 365 * 24 * 60 * 60

/** @throws TypeError (`bad-option`) for an option that cannot be used */
export function checkStaticFilesOptions(options: StaticFilesOptions): StaticFilesSettings {
  const { root, prefix = '', index = 'index.html', fallback, dotfiles = 'ignore' } = options
  if (typeof root !== 'string' || root === '')
    throw optionError(
      TypeError,
      `staticFiles: root must be the path of a directory, not ${JSON.stringify(root)}`,
    )
  let opened: StaticRoot
  try {
    opened = new StaticRoot(root, options.followSymlinks ?? false)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw optionError(
      TypeError,
      `staticFiles: root ${JSON.stringify(root)} cannot be served (${why}); ` +
        'name a directory that exists',
    )
  }
  if (prefix !== '' && !/^\/(?:.*[^/])?$/.test(prefix))
    throw optionError(
      TypeError,
      `staticFiles: prefix ${JSON.stringify(prefix)} must begin with a slash ` +
        'and not end with one, as in "/static"',
    )
  if (index !== false && servedPath(`/${index}`)?.names.length !== 1)
    throw optionError(
      TypeError,
      `staticFiles: index ${JSON.stringify(index)} must be the name of a file, or false`,
    )
  if (!['ignore', 'deny', 'allow'].includes(dotfiles))
    throw optionError(
      TypeError,
      `staticFiles: dotfiles must be 'ignore', 'deny' or 'allow', not ${JSON.stringify(dotfiles)}`,
    )
  if (options.immutable !== undefined && !(options.immutable instanceof RegExp))
    throw optionError(
      TypeError,
      'staticFiles: immutable must be a regular expression, ' +
        `not ${JSON.stringify(options.immutable)}`,
    )
  const precompressed = options.precompressed ?? ['br', 'zstd', 'gzip']
  for (const encoding of precompressed) {
    if (!Object.hasOwn(EXTENSIONS, encoding))
      throw optionError(
        TypeError,
        "staticFiles: precompressed must be a list of 'br', 'zstd' and 'gzip', " +
          `without ${JSON.stringify(encoding)}`,
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
        'staticFiles: maxAge and cacheControl exclude each other; give one of them',
      )
    if (!Number.isSafeInteger(maxAge) || maxAge < 0)
      throw optionError(
        TypeError,
        `staticFiles: maxAge must be a whole number of seconds, 0 or more, not ${maxAge}`,
      )
  }
  const usual = maxAge === undefined ? (cacheControl ?? 'no-cache') : `public, max-age=${maxAge}`
  if (immutable === undefined) return () => usual
  const forever = `public, max-age=${YEAR}, immutable`
  // search() always starts at the beginning, whereas test() with the flag g continues from its last
  // match.
  return (path) => (path.search(immutable) === -1 ? usual : forever)
}
