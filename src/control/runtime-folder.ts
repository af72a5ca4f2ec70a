/** Where control sockets are if nobody says so: a folder that only its user can enter. */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CodedError, coded } from '../messages/coded.ts'

/** A folder for sockets that is not safe to use; `message` says why. */
export class RuntimeFolderError extends CodedError {
  readonly code = 'runtime-folder'
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The folder for the control sockets of this user's servers: `$XDG_RUNTIME_DIR/monoceros`; for root
 * without that variable `/run/monoceros`; else `monoceros-UID` in the folder for temporary files.
 * `$MONOCEROS_RUNTIME_DIR` replaces all of these.
 */
export function runtimeFolder(env: Environment, uid: number): string {
  const own = env.MONOCEROS_RUNTIME_DIR
  if (own?.startsWith('/')) return own
  const given = env.XDG_RUNTIME_DIR
  if (given?.startsWith('/')) return join(given, 'monoceros')
  return uid === 0 && isFolder('/run') ? '/run/monoceros' : join(tmpdir(), `monoceros-${uid}`)
}

/**
 * Where the socket of a server may be, in the order of search. The server may have been started
 * without the variables that this command has, by a service manager for example, and the other way
 * round.
 */
export function runtimeFolders(env: Environment, uid: number): string[] {
  const own = env.MONOCEROS_RUNTIME_DIR
  if (own?.startsWith('/')) return [own]
  return [
    ...new Set([
      runtimeFolder(env, uid),
      `/run/user/${uid}/monoceros`,
      ...(uid === 0 ? ['/run/monoceros'] : []),
      join(tmpdir(), `monoceros-${uid}`),
      `/tmp/monoceros-${uid}`,
    ]),
  ]
}

/** The socket of a server, by the number of its process. */
export function socketName(pid: number): string {
  return `${pid}.sock`
}

/** The control sockets in a folder, by the numbers in their names. None if it is not readable. */
export function socketsIn(folder: string): { pid: number; path: string }[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names.flatMap((name) => {
    const pid = /^([1-9][0-9]{0,9})\.sock$/.exec(name)?.[1]
    return pid === undefined ? [] : [{ pid: Number(pid), path: join(folder, name) }]
  })
}

/**
 * Makes the folder with mode 0700, or checks the one that is there: another user may have made it
 * in a folder for everybody, to put sockets of its own there.
 *
 * @throws RuntimeFolderError
 */
export function makeRuntimeFolder(folder: string, uid: number): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new RuntimeFolderError(coded('MONO5401', message))
  }
  const reason = whyUnsafe(folder, uid)
  if (reason !== null) throw new RuntimeFolderError(coded('MONO5401', `${folder} ${reason}`))
}

/** Why others could reach or replace what is in the folder; null if they cannot. */
export function whyUnsafe(folder: string, uid: number): string | null {
  const stats = lstatSync(folder, { throwIfNoEntry: false })
  if (!stats?.isDirectory()) return 'is not a folder'
  if (stats.uid !== uid) return `belongs to user ${stats.uid}`
  if ((stats.mode & 0o077) !== 0)
    return `has mode ${(stats.mode & 0o777).toString(8)}, and must have 700`
  return null
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
