import { existsSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { CodedError, coded } from '../../../messages/coded.ts'

/**
 * A part of the disk that an embedded interpreter sees, at the path that it has on the disk: a
 * folder, or a single regular file.
 */
export interface Mount {
  /** Absolute and normalised. */
  readonly path: string
  /** Every attempt to write fails with EROFS. */
  readonly readOnly: boolean
}

/**
 * A mount cannot be made. `message` is one line for the user: the request, what is wrong with it,
 * and what to do.
 */
export class MountError extends CodedError {
  readonly code = 'mount'
}

/** The input of {@link planMounts}. Paths may be relative to `chdir`, which is absolute. */
export interface MountRequest {
  /** The working directory of the application. */
  readonly chdir: string
  /**
   * Folders and archives from which modules are imported. Paths that do not exist are ignored, as
   * in Python.
   */
  readonly pythonPath: readonly string[]
  /** The folder for temporary files (`os.tmpdir()`); null for none. */
  readonly temporary: string | null
  /**
   * The user's mounts, from {@link parseMount}. They have precedence over the others for the same
   * path.
   */
  readonly asked: readonly Mount[]
  /** Folders of Monoceros' own Python code. They are read-only. */
  readonly own: readonly string[]
}

/**
 * The time zone database, which Python's `zoneinfo` reads. It is the only part of the disk that is
 * always visible.
 */
const TIME_ZONES = '/usr/share/zoneinfo'

/**
 * Where the interpreter has files of its own, in Pyodide's in-memory file system. A mount at such a
 * path or above it would hide them. The host's `/lib/python3/dist-packages` is not among them.
 */
const RESERVED = [/^\/lib\/python3\.?\d+(\.zip)?$/, /^\/dev$/, /^\/proc$/]
const RESERVED_PARENTS = new Set(['/lib'])

/**
 * Reads the value of `--mount`: `PATH`, `PATH:ro` or `PATH:rw`.
 *
 * @param text the value; a relative path starts at `cwd`
 * @throws MountError if the path does not exist or cannot be mounted
 * @example parseMount('media:ro', '/srv/shop')   // { path: '/srv/shop/media', readOnly: true }
 */
export function parseMount(text: string, cwd: string): Mount {
  const suffix = /:(ro|rw)$/.exec(text)
  const given = suffix === null ? text : text.slice(0, suffix.index)
  if (given === '')
    throw new MountError(
      coded('MONO2051', `--mount ${text}: there is no path before the colon; use PATH or PATH:ro`),
    )
  const path = resolve(cwd, given)
  check(path, `--mount ${text}`)
  return { path, readOnly: suffix?.[1] === 'ro' }
}

/** Mounts that were not asked for by the user: what cannot be mounted is left out. */
export function ifMountable(paths: readonly string[], cwd: string): Mount[] {
  const mounts: Mount[] = []
  for (const given of paths) {
    if (given === '') continue
    try {
      const path = resolve(cwd, given)
      check(path, given)
      mounts.push({ path, readOnly: false })
    } catch (error) {
      if (!(error instanceof MountError)) throw error
    }
  }
  return mounts
}

/**
 * The mounts for a request, as few as possible, outer ones before inner ones. A mount inside
 * another with the same rights is left out. If a path leads through a symbolic link, the link's
 * target is mounted at its own path too, because links inside may name either path.
 *
 * @throws MountError if the working directory does not exist or cannot be mounted
 */
export function planMounts(request: MountRequest): Mount[] {
  const { chdir } = request
  const own = request.own.map((path) => resolve(chdir, path))
  if (existsSync(TIME_ZONES)) own.push(TIME_ZONES)
  check(chdir, `The working directory ${chdir}`)
  const writable = [chdir]
  for (const entry of request.pythonPath) {
    const path = resolve(chdir, entry)
    if (!existsSync(path)) continue
    check(path, `The --pythonpath entry ${entry}`)
    writable.push(path)
  }
  if (request.temporary !== null) {
    const path = resolve(chdir, request.temporary)
    if (existsSync(path)) {
      check(path, `The folder for temporary files, ${path}`)
      writable.push(path)
    }
  }
  for (const { path } of request.asked) check(path, `--mount ${path}`)
  const mounts = new Map<string, boolean>()
  // Later entries have precedence.
  for (const group of [
    own.map((path) => ({ path, readOnly: true })),
    writable.map((path) => ({ path, readOnly: false })),
    request.asked,
  ]) {
    for (const { path, readOnly } of group) mounts.set(realpathSync(path), readOnly)
    for (const { path, readOnly } of group) mounts.set(path, readOnly)
  }
  return nestedOnlyWhereRightsDiffer(mounts)
}

function nestedOnlyWhereRightsDiffer(mounts: ReadonlyMap<string, boolean>): Mount[] {
  const kept: Mount[] = []
  // Sorted by length, a folder comes before its contents.
  const paths = [...mounts.keys()].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  for (const path of paths) {
    const readOnly = mounts.get(path) as boolean
    const outer = kept.findLast((mount) => isWithin(path, mount.path))
    if (outer === undefined || outer.readOnly !== readOnly) kept.push({ path, readOnly })
  }
  return kept
}

/** Whether `path` is `folder` or is inside it. Both are absolute and normalised. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

function check(path: string, what: string): void {
  if (path === '/') {
    throw new MountError(
      coded(
        'MONO2051',
        `${what} is the root of the disk, which cannot be made visible to the embedded ` +
          'interpreter as a whole: name the folders that the application needs (--chdir, --mount)',
      ),
    )
  }
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined)
    throw new MountError(coded('MONO2051', `${what}: ${path} does not exist`))
  if (!status.isDirectory() && !status.isFile()) {
    throw new MountError(
      coded('MONO2051', `${what}: ${path} is neither a folder nor a regular file`),
    )
  }
  if (RESERVED_PARENTS.has(path) || isReserved(path)) {
    throw new MountError(
      coded(
        'MONO2051',
        `${what}: a mount at ${path} would hide files of the embedded interpreter; ` +
          'put the files at another path',
      ),
    )
  }
}

function isReserved(path: string): boolean {
  // Shared memory, which many systems use for temporary files. The interpreter's own is empty.
  if (isWithin(path, '/dev/shm')) return false
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const folder = path.slice(0, end)
    if (RESERVED.some((reserved) => reserved.test(folder))) return true
  }
  return false
}
