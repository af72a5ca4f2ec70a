import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import {
  hasEnded,
  identityText,
  parseIdentity,
  processIdentity,
} from '../runtimes/pyodide/process-identity.ts'
import { InstallError } from './install-error.ts'
import { isStamped, STAMP_NAME, stamp } from './install-stamp.ts'

/**
 * The lock file that belongs to a folder of packages; it stands beside it. PEP 751 allows a word of
 * one's own in the name.
 */
export const LOCK_FILE_NAME = 'pylock.monoceros.toml'

/** Where packages go if nobody says otherwise. A folder of that name is ours as a whole. */
export const DEFAULT_TARGET = 'python_modules'

/** How long an installation may take to write down who it is, in ms. */
const UNNAMED = 10_000
/**
 * How often one says that it is at work, to those who cannot see its process, and when it is taken
 * for dead, in ms.
 */
const SIGN_OF_LIFE = 5_000
const SILENT = 60_000

/**
 * A folder that packages are installed into, and the copy in which that is done. The copy takes the
 * folder's place by renaming, so an installation that fails or is interrupted has changed nothing.
 * One installation at a time: the work folder is the lock.
 */
export class InstallFolder {
  /** The folder itself: absolute, with links resolved. It may not exist yet. */
  readonly target: string
  readonly lockFile: string
  /** The copy. */
  readonly stage: string
  /** For temporary files, on the same file system. */
  readonly temporary: string
  readonly #work: string
  readonly #old: string
  readonly #name: string
  #taken = false
  /** Whether the copy began as what a lock file says, or as nothing. */
  #exact = false
  #alive: NodeJS.Timeout | undefined

  private constructor(target: string) {
    this.target = target
    const name = basename(target)
    this.lockFile = join(dirname(target), LOCK_FILE_NAME)
    this.#work = join(dirname(target), `.${name}.installing`)
    this.stage = join(this.#work, 'packages')
    this.temporary = join(this.#work, 'tmp')
    this.#old = join(this.#work, 'old')
    this.#name = join(this.#work, 'process')
  }

  /**
   * Takes the folder for an installation, and repairs what an earlier one left that was killed.
   *
   * @param path as given
   * @param cwd what a relative path is meant from
   * @param empty start with nothing instead of with a copy of what is there
   * @throws InstallError when it cannot be written, or another installation has it
   */
  static take(path: string, cwd: string, empty: boolean): InstallFolder {
    const folder = new InstallFolder(realPathOf(resolve(cwd, path)))
    try {
      folder.#take(empty)
    } catch (error) {
      if (error instanceof InstallError) throw error
      folder.#remove()
      throw new InstallError(
        'failed',
        `cannot install into ${folder.target}: ${(error as Error).message}`,
      )
    }
    return folder
  }

  /**
   * The folder, if it has exactly what its lock file says already and nobody is at work there; it
   * is not taken.
   *
   * @param path as given
   */
  static upToDate(path: string, cwd: string): InstallFolder | null {
    try {
      const folder = new InstallFolder(realPathOf(resolve(cwd, path)))
      if (existsSync(folder.#work)) return null
      const lock = folder.readLock()
      return lock !== null && isStamped(folder.target, lock) ? folder : null
    } catch {
      // What is wrong is told by who installs.
      return null
    }
  }

  #take(empty: boolean): void {
    if (existsSync(this.target) && !statSync(this.target).isDirectory())
      throw new InstallError('failed', `cannot install into ${this.target}: it is not a folder`)
    if (empty && basename(this.target) !== DEFAULT_TARGET) this.#refuseStrangers()
    mkdirSync(dirname(this.target), { recursive: true })
    for (let attempt = 0; ; attempt++) {
      try {
        mkdirSync(this.#work)
        this.#taken = true
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error
        this.#clearUp()
      }
    }
    writeFileSync(this.#name, `${identityText(processIdentity())}\n`)
    this.#alive = setInterval(() => this.#touch(), SIGN_OF_LIFE).unref()
    mkdirSync(this.temporary)
    const fresh = empty || !existsSync(this.target)
    const lock = fresh ? null : this.readLock()
    this.#exact = fresh || (lock !== null && isStamped(this.target, lock))
    if (fresh) mkdirSync(this.stage)
    else copyByLinks(this.target, this.stage)
    rmSync(join(this.stage, STAMP_NAME), { force: true })
  }

  /**
   * It is to have what is locked and nothing else: that must not cost what was never installed,
   * such as a project (`--target .`).
   */
  #refuseStrangers(): void {
    const strangers = strangersIn(this.target)
    if (strangers.length === 0) return
    const shown = strangers.slice(0, 3).join(', ')
    throw new InstallError(
      'failed',
      `${this.target} has what no package has brought (${shown}${strangers.length > 3 ? ', …' : ''}), and installing exactly ` +
        'what is locked would remove it. Move it elsewhere, or name another folder with --target',
    )
  }

  /** What is there was left by an installation that was killed, unless that is still at work. */
  #clearUp(): void {
    const owner = ownerOf(this.#work)
    if (owner !== null)
      throw new InstallError(
        'failed',
        `another installation is at work in ${this.target}${owner === 0 ? '' : ` (process ${owner})`}. ` +
          `If that is not so, remove ${this.#work}`,
      )
    // It was killed between the two renames of a swap.
    if (!existsSync(this.target) && existsSync(this.#old)) renameSync(this.#old, this.target)
    // Two that clear up at once do not remove each other's: only one can rename it away.
    renameSync(this.#work, `${this.#work}.${randomBytes(6).toString('hex')}`)
    this.#removeRubbish()
  }

  /** What was renamed away, also by one that was killed while it removed it. */
  #removeRubbish(): void {
    const folder = dirname(this.#work)
    const start = `${basename(this.#work)}.`
    for (const name of readdirSync(folder)) {
      if (name.startsWith(start) && /^[0-9a-f]{12}$/.test(name.slice(start.length)))
        rmSync(join(folder, name), { recursive: true, force: true })
    }
  }

  #touch(): void {
    const now = new Date()
    try {
      utimesSync(this.#name, now, now)
    } catch {
      // Somebody has removed it.
    }
  }

  /** The text of the lock file, or null when there is none. */
  readLock(): string | null {
    try {
      return readFileSync(this.lockFile, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw new InstallError('failed', `cannot read ${this.lockFile}: ${(error as Error).message}`)
    }
  }

  /**
   * Puts the copy in the folder's place, and writes the lock file.
   *
   * @param whole whether all that pip has installed there is in the lock file
   */
  commit(lock: string, whole = false): void {
    try {
      const newLock = join(this.#work, LOCK_FILE_NAME)
      writeFileSync(newLock, lock)
      if (whole && this.#exact && strangersIn(this.stage).length === 0) stamp(this.stage, lock)
      if (existsSync(this.target)) renameSync(this.target, this.#old)
      try {
        renameSync(this.stage, this.target)
      } catch (error) {
        if (existsSync(this.#old)) renameSync(this.#old, this.target)
        throw error
      }
      renameSync(newLock, this.lockFile)
    } catch (error) {
      throw new InstallError('failed', `cannot replace ${this.target}: ${(error as Error).message}`)
    }
  }

  /** Writes only the lock file: the packages are as they were. */
  commitLock(lock: string): void {
    const newLock = join(this.#work, LOCK_FILE_NAME)
    writeFileSync(newLock, lock)
    renameSync(newLock, this.lockFile)
  }

  /** Removes what the installation was made in. To be called in any case. */
  release(): void {
    this.#remove()
  }

  #remove(): void {
    clearInterval(this.#alive)
    // Till then it is another's.
    if (this.#taken) rmSync(this.#work, { recursive: true, force: true })
  }
}

/** Like realpath, for a path whose last part may not exist yet. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPathOf(parent), basename(path))
  }
}

/**
 * What lies in a folder of packages and was not installed there, as far as the packages' own lists
 * tell: names.
 */
function strangersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder)
  const known = new Set(['bin', '__pycache__', STAMP_NAME])
  for (const name of names) {
    if (!/\.(dist|egg)-info$/.test(name)) continue
    known.add(name)
    const record = join(folder, name, 'RECORD')
    if (!existsSync(record)) continue
    for (const line of readFileSync(record, 'utf8').split('\n'))
      known.add(/^"?([^/,"]*)/.exec(line)?.[1] ?? '')
  }
  return names.filter((name) => !known.has(name))
}

/** The process that has a work folder: null when it is gone, 0 when it has not said yet. */
function ownerOf(work: string): number | null {
  const name = join(work, 'process')
  try {
    const owner = parseIdentity(readFileSync(name, 'utf8'))
    const age = Math.abs(Date.now() - statSync(name).mtimeMs)
    if (owner === null) return age < UNNAMED ? 0 : null
    return (hasEnded(owner, statSync(name).mtimeMs) ?? age >= SILENT) ? null : owner.pid
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return null
    const made = statSync(work, { throwIfNoEntry: false })
    return made !== undefined && Math.abs(Date.now() - made.mtimeMs) < UNNAMED ? 0 : null
  }
}

/**
 * A copy of a folder that shares the files' contents. pip replaces files and never writes into one,
 * so the original stays as it is. Where there are no hard links they are copied.
 */
function copyByLinks(from: string, to: string): void {
  mkdirSync(to, { mode: statSync(from).mode & 0o777 })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyByLinks(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else if (lstatSync(source).isFile()) linkOrCopy(source, target)
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch {
    copyFileSync(source, target)
  }
}
