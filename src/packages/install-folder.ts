import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { coded } from '../messages/coded.ts'
import {
  hasEnded,
  identityText,
  parseIdentity,
  processIdentity,
} from '../runtimes/pyodide/process-identity.ts'
import { InstallError } from './install-error.ts'
import { addRequest, isSatisfied, isStamped, STAMP_NAME, stamp } from './install-stamp.ts'
import { copyByLinks, strangersIn } from './package-files.ts'

/**
 * The lock file of a folder of packages, in the same parent folder. PEP 751 allows a custom word in
 * the name.
 */
export const LOCK_FILE_NAME = 'pylock.monoceros.toml'

/** The default folder for packages. A folder with this name contains nothing else. */
export const DEFAULT_TARGET = 'python_modules'

/** How long an installation may take to record its process, in milliseconds. */
const UNNAMED_MS = 10_000
/**
 * How often an installation touches its record, in milliseconds, and after which time it counts as
 * dead. This is for other containers, which cannot see its process.
 */
const TOUCH_MS = 5_000
const SILENT_MS = 60_000

/**
 * A folder of packages, and the copy into which packages are installed. The copy replaces the
 * folder by renaming, so an installation that fails or is interrupted changes nothing. The work
 * folder is the lock: only one installation runs at a time.
 */
export class InstallFolder {
  /** The folder itself: absolute, links resolved. It may not exist yet. */
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
  /** Whether the copy started empty, or matched its lock file. */
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
   * Takes the folder for an installation. It also repairs what a killed installation has left.
   *
   * @param path as given; relative to `cwd`
   * @param empty start with nothing instead of a copy of the folder
   * @throws InstallError if the folder cannot be written, or another installation has it
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
        coded('MONO7104', `cannot install into ${folder.target}: ${(error as Error).message}`),
      )
    }
    return folder
  }

  /**
   * The folder, if it already matches its lock file and no installation is in progress. It is not
   * taken.
   *
   * @param path as given; relative to `cwd`
   */
  static upToDate(path: string, cwd: string): InstallFolder | null {
    try {
      const folder = new InstallFolder(realPathOf(resolve(cwd, path)))
      if (existsSync(folder.#work)) return null
      const lock = folder.readLock()
      return lock !== null && isStamped(folder.target, lock) ? folder : null
    } catch {
      // The installation reports the error.
      return null
    }
  }

  /**
   * The folder, if it matches its lock file and satisfies this request. It is not taken.
   *
   * @param request of `requestOf`
   * @param path as given; relative to `cwd`
   */
  static satisfies(request: string, path: string, cwd: string): InstallFolder | null {
    const folder = InstallFolder.upToDate(path, cwd)
    const satisfied =
      folder !== null && isSatisfied(folder.target, folder.readLock() ?? '', request)
    return satisfied ? folder : null
  }

  #take(empty: boolean): void {
    if (existsSync(this.target) && !statSync(this.target).isDirectory())
      throw new InstallError(
        'failed',
        coded('MONO7104', `cannot install into ${this.target}: it is not a folder`),
      )
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
    this.#alive = setInterval(() => this.#touch(), TOUCH_MS).unref()
    mkdirSync(this.temporary)
    const fresh = empty || !existsSync(this.target)
    const lock = fresh ? null : this.readLock()
    this.#exact = fresh || (lock !== null && isStamped(this.target, lock))
    if (fresh) mkdirSync(this.stage)
    else copyByLinks(this.target, this.stage)
    rmSync(join(this.stage, STAMP_NAME), { force: true })
  }

  /**
   * An installation from the lock file removes everything else. That must not hit files that were
   * never installed, such as a project (`--target .`).
   */
  #refuseStrangers(): void {
    const strangers = strangersIn(this.target)
    if (strangers.length === 0) return
    const shown = strangers.slice(0, 3).join(', ')
    throw new InstallError(
      'failed',
      coded(
        'MONO7105',
        `${this.target} contains files that do not belong to a package ` +
          `(${shown}${strangers.length > 3 ? ', …' : ''}). Installing from the lock file would ` +
          'remove them. Move them elsewhere, or name another folder with --target',
      ),
    )
  }

  /** Removes what a killed installation has left. @throws InstallError if it is still running */
  #clearUp(): void {
    const owner = ownerOf(this.#work)
    if (owner !== null)
      throw new InstallError(
        'failed',
        coded(
          'MONO7106',
          `another installation is in progress in ${this.target}` +
            `${owner === 0 ? '' : ` (process ${owner})`}. If it is not, remove ${this.#work}`,
        ),
      )
    // It was killed between the two renames of `commit`.
    if (!existsSync(this.target) && existsSync(this.#old)) renameSync(this.#old, this.target)
    // Of two processes that clear up at the same time, only one can rename the folder.
    renameSync(this.#work, `${this.#work}.${randomBytes(6).toString('hex')}`)
    this.#removeRubbish()
  }

  /** Removes renamed work folders, also those of processes that were killed meanwhile. */
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
      // The file was removed.
    }
  }

  /** The text of the lock file; null if there is none. */
  readLock(): string | null {
    try {
      return readFileSync(this.lockFile, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw new InstallError(
        'failed',
        coded('MONO7104', `cannot read ${this.lockFile}: ${(error as Error).message}`),
      )
    }
  }

  /**
   * Replaces the folder with the copy, and writes the lock file.
   *
   * @param whole whether the lock file lists everything that pip has installed there
   * @param request what was asked for, of `requestOf`
   */
  commit(lock: string, whole = false, request: string | null = null): void {
    try {
      const newLock = join(this.#work, LOCK_FILE_NAME)
      writeFileSync(newLock, lock)
      if (whole && this.#exact && strangersIn(this.stage).length === 0)
        stamp(this.stage, lock, request)
      if (existsSync(this.target)) renameSync(this.target, this.#old)
      try {
        renameSync(this.stage, this.target)
      } catch (error) {
        if (existsSync(this.#old)) renameSync(this.#old, this.target)
        throw error
      }
      renameSync(newLock, this.lockFile)
    } catch (error) {
      throw new InstallError(
        'failed',
        coded('MONO7104', `cannot replace ${this.target}: ${(error as Error).message}`),
      )
    }
  }

  /** Writes the lock file only; the packages stay. */
  commitLock(lock: string): void {
    const newLock = join(this.#work, LOCK_FILE_NAME)
    writeFileSync(newLock, lock)
    renameSync(newLock, this.lockFile)
  }

  /** Notes that the folder, as it is, satisfies a request. */
  remember(request: string): void {
    try {
      addRequest(this.target, this.readLock() ?? '', request)
    } catch {
      // The next such installation takes longer.
    }
  }

  /** Removes the work folder. Call it in any case. */
  release(): void {
    this.#remove()
  }

  #remove(): void {
    clearInterval(this.#alive)
    // If it was not taken, it belongs to another installation.
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

/** The process that owns a work folder: null if it is gone, 0 if it is not recorded yet. */
function ownerOf(work: string): number | null {
  const name = join(work, 'process')
  try {
    const owner = parseIdentity(readFileSync(name, 'utf8'))
    const age = Math.abs(Date.now() - statSync(name).mtimeMs)
    if (owner === null) return age < UNNAMED_MS ? 0 : null
    return (hasEnded(owner, statSync(name).mtimeMs) ?? age >= SILENT_MS) ? null : owner.pid
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return null
    const made = statSync(work, { throwIfNoEntry: false })
    return made !== undefined && Math.abs(Date.now() - made.mtimeMs) < UNNAMED_MS ? 0 : null
  }
}
