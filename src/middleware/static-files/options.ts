import { encodeText } from '../../wsgi/text.ts'
import type { ResponseHeaders } from '../../wsgi/types.ts'
import { optionError } from '../option-error.ts'
import { type ServedPath, servedPath } from './served-path.ts'
import { StaticRoot } from './static-root.ts'

/** A content coding of which `staticFiles` serves files that were compressed beforehand. */
export type PrecompressedEncoding = 'br' | 'zstd' | 'gzip'

/** Options of `staticFiles`. */
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

/** The options, checked. */
export interface Settings {
  readonly root: StaticRoot
  readonly prefix: string
  readonly index: string | false
  readonly fallback: (path: string) => ServedPath | null
  readonly precompressed: readonly PrecompressedEncoding[]
  readonly cacheControl: (path: string) => string | false
  readonly headers: (path: string) => ResponseHeaders
  readonly dotfiles: 'ignore' | 'deny' | 'allow'
}

/** What a compressed file has at the end of its name. */
export const EXTENSIONS: Readonly<Record<PrecompressedEncoding, string>> = {
  br: '.br',
  zstd: '.zst',
  gzip: '.gz',
}
const YEAR = 365 * 24 * 60 * 60

/** @throws TypeError (`bad-option`) for an option that cannot be used */
export function settle(options: StaticFilesOptions): Settings {
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
