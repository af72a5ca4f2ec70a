/** The pid file: it names the process that other programs send signals to. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CodedError, coded } from '../messages/coded.ts'
import { commandLine, isMonoceros, isRunning, secondsAlive } from '../process/other-process.ts'

/** Thrown if the file cannot be written, or names a running server; `message` is for the user. */
export class PidfileError extends CodedError {
  readonly code = 'pidfile'
}

/** Older temporary files were left behind by a process that was killed; milliseconds. */
const LEFT_BEHIND_MS = 60_000
/** The tolerance for comparing a file's time with a process's start, in milliseconds. */
const INEXACT_MS = 2000
/** Not available on Windows. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>

/**
 * The pid file of this process. A file that was left behind is replaced: its process is gone; its
 * number is our own, as in a container, where numbers start again; or the number now belongs to a
 * thread, or to a program other than Monoceros.
 *
 * @example
 * const pidfile = new Pidfile('/run/site.pid')
 * pidfile.remove()
 */
export class Pidfile {
  #path: string
  readonly #pid: number

  /**
   * @param replaced a process that is known to be gone, even if the system still shows it
   * @throws PidfileError
   */
  constructor(path: string, pid: number = process.pid, replaced: number | null = null) {
    this.#path = path
    this.#pid = pid
    try {
      refuseOthers(path, [pid, replaced])
      removeLeftBehind(path)
      replaceFile(path, `${pid}\n`)
    } catch (error) {
      if (error instanceof PidfileError) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new PidfileError(coded('MONO3104', `Cannot write the pid file ${path}: ${reason}`))
    }
  }

  /** Where the file is. */
  get path(): string {
    return this.#path
  }

  /**
   * Writes the file in another place, and removes it here.
   *
   * @param replaced as for the constructor
   * @throws PidfileError if it cannot be written there; then it stays here
   */
  move(path: string, replaced: number | null = null): void {
    if (path === this.#path) return
    const moved = new Pidfile(path, this.#pid, replaced)
    this.remove()
    this.#path = moved.path
  }

  /** Removes the file, unless it names another process by now. */
  remove(): void {
    try {
      if (readPidfile(this.#path)?.pid === this.#pid) rmSync(this.#path, { force: true })
    } catch {
      // The next server replaces the file, because its process is gone.
    }
  }
}

/**
 * @throws PidfileError if the path is not a regular file, or names another running program
 */
function refuseOthers(path: string, known: readonly (number | null)[]): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  // Renaming a file to this path would replace it, even /dev/null.
  if (stats !== undefined && !stats.isFile() && !stats.isSymbolicLink()) {
    throw new PidfileError(
      coded('MONO3104', `The pid file ${path} is not a regular file. Give --pid another path.`),
    )
  }
  const found = readPidfile(path)
  if (found === undefined || known.includes(found.pid) || !isRunning(found.pid)) return
  const { pid, writtenAt } = found
  const command = commandLine(pid)
  if (isMonoceros(command)) {
    throw new PidfileError(
      coded(
        'MONO3105',
        `The pid file ${path} names process ${pid}, which is running: ${shown(command)}. ` +
          'Stop that server first, or give --pid another path.',
      ),
    )
  }
  const alive = secondsAlive(pid)
  // The process started after the file was written, so the number was reused.
  if (alive !== undefined && Date.now() - alive * 1000 > writtenAt + INEXACT_MS) return
  throw new PidfileError(
    coded(
      'MONO3105',
      `The pid file ${path} names process ${pid}, which is running: ${shown(command)}. ` +
        "That is not Monoceros. If the file is not that program's, remove it; " +
        'otherwise give --pid another path.',
    ),
  )
}

function shown(command: readonly string[]): string {
  const text = command.join(' ').slice(0, 200)
  return text === '' ? 'a program whose command line cannot be read' : JSON.stringify(text)
}

/**
 * Replaces the file at once, so that readers never see half of it. The temporary name is random and
 * must be new, so that no link of another user can be in its place.
 */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW
  const descriptor = openSync(temporary, flags, 0o644)
  try {
    try {
      // As in Gunicorn: readable for everybody, whatever the umask is.
      fchmodSync(descriptor, 0o644)
      writeSync(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Removes temporary files of {@link replaceFile} that were never renamed. */
function removeLeftBehind(path: string): void {
  const name = basename(path)
  const folder = dirname(path)
  try {
    for (const entry of readdirSync(folder)) {
      if (!entry.startsWith(`${name}.`) || !/^[0-9a-f]{16}$/.test(entry.slice(name.length + 1)))
        continue
      const stats = lstatSync(join(folder, entry), { throwIfNoEntry: false })
      if (!stats?.isFile() || stats.uid !== process.geteuid?.()) continue
      if (Date.now() - stats.mtimeMs > LEFT_BEHIND_MS) rmSync(join(folder, entry), { force: true })
    }
  } catch {
    // The folder is not readable, or another process has removed the file.
  }
}

/**
 * @returns the number in the file, and when it was written in milliseconds since 1970; undefined if
 * the file is missing or does not name a process
 */
function readPidfile(path: string): { pid: number; writtenAt: number } | undefined {
  let descriptor: number
  try {
    // Without O_NONBLOCK, a pipe would block this process.
    descriptor = openSync(path, constants.O_RDONLY | O_NONBLOCK)
  } catch {
    return undefined // missing or not readable; writing it reports errors
  }
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) return undefined
    const bytes = Buffer.alloc(64)
    const text = bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0)).trim()
    if (!/^[1-9][0-9]{0,9}$/.test(text)) return undefined
    return { pid: Number(text), writtenAt: stats.mtimeMs }
  } catch {
    return undefined
  } finally {
    closeSync(descriptor)
  }
}
