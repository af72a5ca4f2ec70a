import { existsSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

/**
 * A part of the disk that an embedded interpreter sees, at the same path inside as outside. A
 * folder, or a single regular file.
 */
export interface Mount {
  /** Absolute and normalised. */
  readonly path: string
  /** Every attempt to write is answered with EROFS. */
  readonly readOnly: boolean
}

/**
 * A mount that cannot be made. `message` is one line for the user: what was asked, what is wrong
 * with it, what to do.
 */
export class MountError extends Error {
  readonly code = 'mount'
}

/** What {@link planMounts} works from. All paths may be relative to `chdir`, which is absolute. */
export interface MountRequest {
  /** The working directory of the application. */
  readonly chdir: string
  /**
   * Folders and archives that modules are imported from. What is not there is left out, as Python
   * leaves it out.
   */
  readonly pythonPath: readonly string[]
  /** Where temporary files go (`os.tmpdir()`); null for none. */
  readonly temporary: string | null
  /**
   * What the user asked for beyond that, from {@link parseMount}: wins where it names the same path
   * as one of the others.
   */
  readonly asked: readonly Mount[]
  /** Folders of Monoceros' own Python code; read-only. */
  readonly own: readonly string[]
}

/**
 * The database of time zones, which Python's `zoneinfo` reads: the one part of the disk that is
 * visible without being asked for.
 */
const TIME_ZONES = '/usr/share/zoneinfo'

/**
 * Where the interpreter has files of its own (Pyodide's in-memory file system): a mount there, or
 * above, would hide them. The host's `/lib/python3/dist-packages` is none of them.
 */
const RESERVED = [/^\/lib\/python3\.?\d+(\.zip)?$/, /^\/dev$/, /^\/proc$/]
const RESERVED_PARENTS = new Set(['/lib'])

/**
 * Reads the value of `--mount`: `PATH`, `PATH:ro` or `PATH:rw`.
 *
 * @param text as given; a relative path is meant from `cwd`
 * @throws MountError when there is nothing at the path, or what is there cannot be mounted
 * @example parseMount('media:ro', '/srv/shop')   // { path: '/srv/shop/media', readOnly: true }
 */
export function parseMount(text: string, cwd: string): Mount {
  const suffix = /:(ro|rw)$/.exec(text)
  const given = suffix === null ? text : text.slice(0, suffix.index)
  if (given === '')
    throw new MountError(`--mount ${text}: there is no path before the colon; give PATH or PATH:ro`)
  const path = resolve(cwd, given)
  check(path, `--mount ${text}`)
  return { path, readOnly: suffix?.[1] === 'ro' }
}

/**
 * The mounts that make `request` visible: as few as possible, each before those inside of it. A
 * mount within another with the same rights is left out. Where a path leads through a symbolic
 * link, what it leads to is mounted at its own path too, because links inside may be written either
 * way.
 *
 * @throws MountError when the working directory is missing or cannot be mounted
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
  // Later ones win.
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
  // By length a folder comes before what is in it.
  const paths = [...mounts.keys()].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  for (const path of paths) {
    const readOnly = mounts.get(path) as boolean
    const outer = kept.findLast((mount) => isWithin(path, mount.path))
    if (outer === undefined || outer.readOnly !== readOnly) kept.push({ path, readOnly })
  }
  return kept
}

/** Whether `path` is `folder` or lies in it. Both absolute and normalised. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

function check(path: string, what: string): void {
  if (path === '/') {
    throw new MountError(
      `${what} is the root of the disk, and all of it cannot be made visible to the embedded interpreter: ` +
        'name the folders that the application needs (--chdir, --mount)',
    )
  }
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) throw new MountError(`${what}: there is nothing at ${path}`)
  if (!status.isDirectory() && !status.isFile()) {
    throw new MountError(`${what}: ${path} is neither a folder nor a regular file`)
  }
  if (RESERVED_PARENTS.has(path) || isReserved(path)) {
    throw new MountError(
      `${what}: a mount at ${path} would hide what the embedded interpreter has there itself; ` +
        'put the files at another path',
    )
  }
}

function isReserved(path: string): boolean {
  // Memory for shared use, on many systems where temporary files go; the interpreter's own is
  // empty.
  if (isWithin(path, '/dev/shm')) return false
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const folder = path.slice(0, end)
    if (RESERVED.some((reserved) => reserved.test(folder))) return true
  }
  return false
}
