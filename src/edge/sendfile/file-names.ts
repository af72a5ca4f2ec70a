import { normalize, sep } from 'node:path'
import { StaticRoot } from '../../files/static-root.ts'
import { decodePercent } from '../../semantics/percent.ts'

/** A file that a response refers to. */
export interface NamedFile {
  readonly root: StaticRoot
  readonly names: readonly string[]
}

/** A name that refers to no file that may be sent. */
export class UndeclaredFileError extends Error {
  readonly code = 'undeclared-file'
}

interface Folder {
  /** Where the names of its files begin: a path of the file system, or of a URL. */
  readonly prefixes: readonly string[]
  readonly root: StaticRoot
}

/**
 * Finds the files that values of `X-Sendfile` and `X-Accel-Redirect` name. Each is below a declared
 * folder, whatever the value is; links below the folder that do not lead out of it are followed.
 */
export class FileNames {
  readonly #roots: readonly Folder[]
  readonly #redirects: readonly Folder[]

  /** @throws the error of the file system for a folder that does not exist */
  constructor(roots: readonly string[], redirects: Readonly<Record<string, string>>) {
    this.#roots = longestFirst(
      roots.map((folder) => {
        const root = new StaticRoot(folder, true)
        // An application may know the folder by a link to it.
        return { root, prefixes: [withoutSlash(normalize(folder)), root.path] }
      }),
    )
    this.#redirects = longestFirst(
      Object.entries(redirects).map(([path, folder]) => ({
        root: new StaticRoot(folder, true),
        prefixes: [withoutSlash(path)],
      })),
    )
  }

  get hasRoots(): boolean {
    return this.#roots.length > 0
  }

  get hasRedirects(): boolean {
    return this.#redirects.length > 0
  }

  /**
   * The files that a value of `X-Sendfile` may mean: the path as it is, and percent-decoded. Which
   * of both applications send differs. A path that is in another folder when it is decoded is only
   * taken as it is: the application has not seen that folder, and may have the name from a client.
   *
   * @param value the path of a file, one character for each byte
   * @throws UndeclaredFileError
   */
  sendfile(value: string): NamedFile[] {
    const decoded = decodePercent(value)
    const paths = new Set([value, ...(isInSameFolder(value, decoded) ? [decoded] : [])])
    return [...paths].map(fromLatin1).map((path) => {
      const file = path.startsWith('/') ? below(this.#roots, normalize(path)) : null
      if (file === null)
        throw new UndeclaredFileError(`${JSON.stringify(path)} is not below a sendfile_root`)
      return file
    })
  }

  /**
   * The file that a value of `X-Accel-Redirect` means. As in nginx, `..` is no part of such a path.
   *
   * @param value a path of a URL, percent-encoded; a query is ignored
   * @throws UndeclaredFileError
   */
  redirect(value: string): NamedFile {
    const path = fromLatin1(decodePercent(value.replace(/\?.*$/s, '')))
    if (path.split('/').includes('..'))
      throw new UndeclaredFileError(`${JSON.stringify(path)} goes up by "..", which is not allowed`)
    const file = path.startsWith('/') ? below(this.#redirects, normalize(path)) : null
    if (file === null)
      throw new UndeclaredFileError(`${JSON.stringify(path)} is not below a path of accel_redirect`)
    return file
  }
}

/** Whether the decoded form of a path has the same folders: no other slashes, and no other `..`. */
function isInSameFolder(path: string, decoded: string): boolean {
  const names = path.split('/')
  const others = decoded.split('/')
  const goesUp = (name: string | undefined) => name === '..'
  return (
    names.length === others.length &&
    names.every((name, index) => goesUp(name) === goesUp(others[index]))
  )
}

/** @param path normalized */
function below(folders: readonly Folder[], path: string): NamedFile | null {
  if (path.includes('\0')) return null
  for (const { prefixes, root } of folders) {
    for (const prefix of prefixes) {
      if (!path.startsWith(`${prefix}/`)) continue
      const names = path.slice(prefix.length + 1).split(sep)
      return names.some(isNoName) ? null : { root, names }
    }
  }
  return null
}

/** A normalized path has none of them, except '' at its end: a directory, which is not sent. */
function isNoName(name: string): boolean {
  return name === '' || name === '.' || name === '..'
}

function longestFirst(folders: Folder[]): Folder[] {
  const length = ({ prefixes }: Folder) => Math.max(...prefixes.map((prefix) => prefix.length))
  return folders.sort((a, b) => length(b) - length(a))
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '')
}

/** Names of files are UTF-8. */
function fromLatin1(view: string): string {
  return Buffer.from(view, 'latin1').toString('utf8')
}
