import { type BigIntStats, constants, realpathSync, statSync } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { sep } from 'node:path'

/** An open regular file within the root. Its holder must close it. */
export interface OpenFile {
  /** As it was opened: the path of the root and the names below it. */
  readonly path: string
  readonly handle: FileHandle
  readonly stat: BigIntStats
}

/**
 * O_NONBLOCK, so that opening a FIFO does not wait for a writer. O_NOCTTY, so that a terminal does
 * not become the controlling terminal. Neither exists on Windows.
 */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/** Errors for a file that does not exist, or a name that no file can have. */
const ABSENT: ReadonlySet<unknown> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'ENXIO',
  'ENODEV',
  'EINVAL',
])

/**
 * The directory whose files are served. All files are opened here.
 *
 * A path is opened first, and checked afterwards by the location of the open file. So a change of
 * the path in the meantime makes no difference. A file elsewhere is closed before any byte of it is
 * read.
 */
export class StaticRoot {
  /** The path without symbolic links, as it was at set-up. */
  readonly path: string
  readonly #followSymlinks: boolean

  /** @throws the error of the file system if there is no such directory */
  constructor(path: string, followSymlinks: boolean) {
    this.path = realpathSync(path)
    this.#followSymlinks = followSymlinks
    if (!statSync(this.path).isDirectory())
      throw Object.assign(new Error(`${path} is not a directory`), { code: 'ENOTDIR' })
  }

  /**
   * Opens a regular file.
   *
   * @param names from a `ServedPath`; the location is checked again here
   * @param tell takes a line for the log if a file exists but may not be read
   * @returns null if there is no such file, `directory` for a directory
   * @throws the error of the file system if it is not about this path, such as too many open files
   * (EMFILE)
   */
  async open(
    names: readonly string[],
    tell: (text: string) => void,
  ): Promise<OpenFile | 'directory' | null> {
    const path = this.pathOf(names)
    try {
      let found = await this.#open(path)
      // Tries again, because the file may have been replaced between opening and locating it.
      if (found === 'elsewhere') found = await this.#open(path)
      return found === 'elsewhere' ? null : found
    } catch (error) {
      const code = (error as { code?: unknown }).code
      if (ABSENT.has(code)) return null
      if (code !== 'EACCES' && code !== 'EPERM') throw error
      tell(`${JSON.stringify(path)} may not be read (${code}); it is treated as missing`)
      return null
    }
  }

  /** The path of a file, or of the root itself if there are no names. */
  pathOf(names: readonly string[]): string {
    return names.length === 0 ? this.path : [this.path === sep ? '' : this.path, ...names].join(sep)
  }

  async #open(path: string): Promise<OpenFile | 'directory' | 'elsewhere' | null> {
    const handle = await open(path, FLAGS)
    let file: OpenFile | undefined
    try {
      const stat = await handle.stat({ bigint: true })
      if (!stat.isFile() && !stat.isDirectory()) return null
      if (!this.#isWithin(await whereIs(handle, path, stat), path)) return 'elsewhere'
      if (stat.isDirectory()) return 'directory'
      file = { path, handle, stat }
      return file
    } finally {
      if (file === undefined) await handle.close()
    }
  }

  #isWithin(real: string | null, path: string): boolean {
    if (real === path) return true
    if (real === null || !this.#followSymlinks) return false
    return real === this.path || real.startsWith(this.path === sep ? sep : this.path + sep)
  }
}

/** The path of an open file, or null if it cannot be determined. */
async function whereIs(
  handle: FileHandle,
  path: string,
  stat: BigIntStats,
): Promise<string | null> {
  if (process.platform === 'linux') {
    try {
      return await readlink(`/proc/self/fd/${handle.fd}`)
    } catch {
      // There is no /proc, as in some containers.
    }
  }
  try {
    const real = await realpath(path)
    const there = await lstat(real, { bigint: true })
    return there.dev === stat.dev && there.ino === stat.ino ? real : null
  } catch {
    return null
  }
}
