import { type BigIntStats, constants, realpathSync, statSync } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { sep } from 'node:path'

/** A regular file within the root, open; whoever has it closes it. */
export interface OpenFile {
  readonly handle: FileHandle
  readonly stat: BigIntStats
}

/**
 * Not blocking, or a FIFO would wait for a writer; a terminal does not become ours. The last two do
 * not exist on Windows.
 */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/** There is no such file, or none by that name can be. */
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
 * The directory below which files are served, and the only way to one.
 *
 * A path is opened first, and then it is asked where what was opened lies: nothing that happens to
 * the path meanwhile makes a difference. What lies elsewhere is closed, and not a byte of it has
 * been read.
 */
export class StaticRoot {
  /** Without symbolic links, as it was when this was made. */
  readonly path: string
  readonly #followSymlinks: boolean

  /** @throws the file system's error where there is no such directory */
  constructor(path: string, followSymlinks: boolean) {
    this.path = realpathSync(path)
    this.#followSymlinks = followSymlinks
    if (!statSync(this.path).isDirectory())
      throw Object.assign(new Error(`${path} is not a directory`), { code: 'ENOTDIR' })
  }

  /**
   * Opens a regular file.
   *
   * @param names from a `ServedPath`; not to be trusted all the same
   * @param tell gets a line for the log where a file is there and may not be read
   * @returns null where there is none, `directory` for a directory
   * @throws the file system's error for what is not about this path, such as too many open files
   * (EMFILE)
   */
  async open(
    names: readonly string[],
    tell: (text: string) => void,
  ): Promise<OpenFile | 'directory' | null> {
    const path =
      names.length === 0 ? this.path : [this.path === sep ? '' : this.path, ...names].join(sep)
    try {
      let found = await this.#open(path)
      // Once more, for a file that was replaced in the moment between opening it and asking where
      // it lies.
      if (found === 'elsewhere') found = await this.#open(path)
      return found === 'elsewhere' ? null : found
    } catch (error) {
      const code = (error as { code?: unknown }).code
      if (ABSENT.has(code)) return null
      if (code !== 'EACCES' && code !== 'EPERM') throw error
      tell(
        `staticFiles: ${JSON.stringify(path)} may not be read (${code}); answered for as if it were not there\n`,
      )
      return null
    }
  }

  async #open(path: string): Promise<OpenFile | 'directory' | 'elsewhere' | null> {
    const handle = await open(path, FLAGS)
    let file: OpenFile | undefined
    try {
      const stat = await handle.stat({ bigint: true })
      if (!stat.isFile() && !stat.isDirectory()) return null
      if (!this.#isWithin(await whereIs(handle, path, stat), path)) return 'elsewhere'
      if (stat.isDirectory()) return 'directory'
      file = { handle, stat }
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

/** Where what was opened lies, or null where that cannot be said. */
async function whereIs(
  handle: FileHandle,
  path: string,
  stat: BigIntStats,
): Promise<string | null> {
  if (process.platform === 'linux') {
    try {
      return await readlink(`/proc/self/fd/${handle.fd}`)
    } catch {
      // No /proc, as in some containers.
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
