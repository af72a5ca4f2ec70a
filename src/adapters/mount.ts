import { decodePercent } from '../semantics/percent.ts'
import { encodePercent } from '../wsgi/environ.ts'
import { encodeText } from '../wsgi/text.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'

/** Where an application is mounted, for frameworks that do not pass it on. */
export interface MountOptions {
  /**
   * The path of the application: `/shop`. It becomes `SCRIPT_NAME` and is removed from the path. A
   * request for another path is not passed to the application. If the framework passes on a mount,
   * this is the rest of the path to the application. Defaults to `''`.
   *
   * @default ''
   */
  scriptName?: string
  /**
   * Whether the framework has removed `scriptName` from the path already, like Hono's `mount()`.
   * Defaults to false.
   *
   * @default false
   */
  scriptNameStripped?: boolean
}

/** The options that {@link MountPoint} reads. */
export const MOUNT_OPTIONS = ['scriptName', 'scriptNameStripped'] as const

/**
 * Refuses an option that nothing would read, such as `mount`: without its mount, an application
 * would answer all paths.
 *
 * @param caller the function that is named in the error
 * @param known the options that it has
 * @throws TypeError (`bad-option`)
 */
export function checkOptionNames(caller: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const text = `${caller} has no option "${name}"; its options are ${known.join(', ')}`
    throw Object.assign(new TypeError(text), { code: 'bad-option' })
  }
}

/** A path as it was sent, divided into the mount of the application and the rest. */
export interface MountedPath {
  readonly mount: string
  readonly path: string
}

/** {@link MountOptions}, checked. */
export class MountPoint {
  /** As a view of bytes, decoded. */
  readonly #scriptName: string
  readonly #stripped: boolean

  /** @throws TypeError (`bad-option`) for a `scriptName` that cannot be a mount */
  constructor({ scriptName = '', scriptNameStripped = false }: MountOptions) {
    if (typeof scriptName !== 'string' || (scriptName !== '' && !/^\/.*[^/]$/s.test(scriptName))) {
      throw Object.assign(
        new TypeError(
          'scriptName must be a path with a slash at its beginning and none at its end, ' +
            `such as "/shop", not ${describeValue(scriptName)}`,
        ),
        { code: 'bad-option' },
      )
    }
    this.#scriptName = encodeText(scriptName)
    this.#stripped = scriptNameStripped
  }

  /** Divides a path; null if it is not below the mount. */
  divide(path: string): MountedPath | null {
    if (this.#scriptName === '') return { mount: '', path }
    if (this.#stripped) return { mount: encodePercent(this.#scriptName), path }
    const end = mountEnd(path, this.#scriptName)
    return end === -1 ? null : { mount: path.slice(0, end), path: path.slice(end) }
  }
}

/**
 * The index at which the mount ends in a path, whatever parts of that are percent-encoded; -1 if
 * the path is not below the mount.
 *
 * @param path not decoded
 * @param mount decoded: a `SCRIPT_NAME`
 * @example mountEnd('/%73hop/a%2Fb', '/shop') // 7
 */
export function mountEnd(path: string, mount: string): number {
  let at = 0
  for (let i = 0; i < mount.length; i++) {
    const escaped = path[at] === '%' && /^%[0-9A-Fa-f]{2}/.test(path.slice(at, at + 3))
    const code = escaped ? Number.parseInt(path.slice(at + 1, at + 3), 16) : path.charCodeAt(at)
    if (code !== mount.charCodeAt(i)) return -1
    at += escaped ? 3 : 1
  }
  return at === path.length || path[at] === '/' ? at : -1
}

/** The parts of a request target (RFC 9112 §3.2). */
export interface SplitTarget {
  /** The host of a target in absolute form, which replaces the Host header; null otherwise. */
  readonly authority: string | null
  readonly path: string
  /** With its question mark; `''` without one. */
  readonly query: string
}

/**
 * Splits a request target.
 *
 * @example
 * splitTarget('http://a.example/b?c')
 * // { authority: 'a.example', path: '/b', query: '?c' }
 */
export function splitTarget(target: string): SplitTarget {
  const origin = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(target)
  const rest = origin === null ? target : target.slice(origin[0].length)
  const question = rest.indexOf('?')
  return {
    authority: origin === null ? null : origin[1]!,
    path: question === -1 ? rest : rest.slice(0, question),
    query: question === -1 ? '' : rest.slice(question),
  }
}

/**
 * The path and the query string of an environ, encoded for a URL. If `REQUEST_URI` still matches
 * them, they are as the client sent them, so that `%2F` stays `%2F`. Otherwise they are encoded
 * again.
 */
export function sentTarget(environ: {
  readonly SCRIPT_NAME: string
  readonly PATH_INFO: string
  readonly QUERY_STRING: string
  readonly REQUEST_URI?: string | undefined
}): { mount: string; path: string; query: string } {
  const { SCRIPT_NAME: mount = '', PATH_INFO: path = '', QUERY_STRING: query = '' } = environ
  // Encodes what the query string of a URL cannot have: white space, controls, non-ASCII, " # < >.
  const encodedQuery = query === '' ? '' : `?${query.replace(/[^!$-;=?-~]/g, encodeByte)}`
  if (typeof environ.REQUEST_URI === 'string') {
    // Clients may send bytes of 0x80 and above unencoded; a URL cannot have them.
    const sent = splitTarget(environ.REQUEST_URI).path.replace(/[\x80-\xff]/g, encodeByte)
    const end = mountEnd(sent, mount)
    if (end !== -1 && /^[!-~]*$/.test(sent) && !sent.includes('#')) {
      const rest = sent.slice(end)
      if (decodePercent(rest) === path)
        return { mount: sent.slice(0, end), path: rest, query: encodedQuery }
    }
  }
  return { mount: encodePercent(mount), path: encodePercent(path), query: encodedQuery }
}

function encodeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
