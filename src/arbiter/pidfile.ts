/** The file that tells other programs which process to send signals to. */
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
import { commandLine, isMonoceros, isRunning, secondsAlive } from './other-process.ts'

/**
 * Thrown when the file cannot be written, or belongs to a server that runs; `message` is for the
 * user.
 */
export class PidfileError extends Error {
  readonly code = 'pidfile'
}

/**
 * A temporary file this old was left behind by a process that was killed while it wrote it;
 * milliseconds.
 */
const LEFT_BEHIND_MS = 60_000
/**
 * A pid file names a process that was there when it was written. Clocks and time stamps are not
 * exact; milliseconds.
 */
const INEXACT_MS = 2000
/** Where there is such a thing: not on Windows. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>

/**
 * A pidfile of this process. One that is left behind is replaced: by a process that is gone; by one
 * of our own number, as in a container, where the numbers begin anew; or when its number has since
 * been given to a thread, or to a program that is no Monoceros.
 *
 * @example
 * const pidfile = new Pidfile('/run/site.pid')
 * pidfile.remove()
 */
export class Pidfile {
  readonly #path: string
  readonly #pid: number

  /** @throws PidfileError */
  constructor(path: string, pid: number = process.pid) {
    this.#path = path
    this.#pid = pid
    try {
      refuseOthers(path, pid)
      removeLeftBehind(path)
      replaceFile(path, `${pid}\n`)
    } catch (error) {
      if (error instanceof PidfileError) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new PidfileError(`Cannot write the pidfile ${path}: ${reason}`)
    }
  }

  /** Removes the file, unless it has become another process's. */
  remove(): void {
    try {
      if (readPidfile(this.#path)?.pid === this.#pid) rmSync(this.#path, { force: true })
    } catch {
      // A pidfile that stays names a process that is gone; the next server replaces it.
    }
  }
}

/**
 * @throws PidfileError when the file is another's: a running server's, another program's, or no pid
 * file at all
 */
function refuseOthers(path: string, own: number): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  // Renaming would replace it, be it /dev/null.
  if (stats !== undefined && !stats.isFile() && !stats.isSymbolicLink()) {
    throw new PidfileError(
      `The pidfile ${path} is no file. Give --pid the path of one, or of nothing.`,
    )
  }
  const found = readPidfile(path)
  if (found === undefined || found.pid === own || !isRunning(found.pid)) return
  const { pid, writtenAt } = found
  const command = commandLine(pid)
  if (isMonoceros(command)) {
    throw new PidfileError(
      `The pidfile ${path} names process ${pid}, which is running: ${shown(command)}. Stop that server first, or give --pid another file.`,
    )
  }
  const alive = secondsAlive(pid)
  // It began after the file was written, so that the file never was about it: the number was given
  // out again.
  if (alive !== undefined && Date.now() - alive * 1000 > writtenAt + INEXACT_MS) return
  throw new PidfileError(
    `The pidfile ${path} names process ${pid}, which is running: ${shown(command)}. ` +
      'That is no Monoceros: if the file is not that program’s, remove it; else give --pid another file.',
  )
}

function shown(command: readonly string[]): string {
  const text = command.join(' ').slice(0, 200)
  return text === '' ? 'a program whose command line cannot be read' : JSON.stringify(text)
}

/**
 * Never half written for whoever reads it at this moment. Nobody can put a link in the way: the
 * name is not to be guessed, and must be new.
 */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW
  const descriptor = openSync(temporary, flags, 0o644)
  try {
    try {
      // As in Gunicorn: whatever the umask, whoever may send signals may read it.
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

/**
 * Removes temporary files of {@link replaceFile} whose process was killed before it renamed them.
 */
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
    // A folder that cannot be read, or a file that somebody else was quicker to remove.
  }
}

/**
 * @returns what the file says and when it was written, milliseconds since 1970; undefined where it
 * is missing or names no process
 */
function readPidfile(path: string): { pid: number; writtenAt: number } | undefined {
  let descriptor: number
  try {
    // A pipe in its place would let us wait for ever.
    descriptor = openSync(path, constants.O_RDONLY | O_NONBLOCK)
  } catch {
    return undefined // missing, or not readable: writing will tell
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
