/** Which server a command means. */
import { lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { isRunning } from '../process/other-process.ts'
import { ControlFailure, type ControlTarget, callServer } from './control-client.ts'
import type { ControlStatus } from './protocol.ts'
import { runtimeFolders, socketName, socketsIn, whyUnsafe } from './runtime-folder.ts'
import { harmless } from './tables.ts'

/** How the user has named it; null if not. */
export interface NamedServer {
  readonly socket: string | null
  readonly pidFile: string | null
  readonly pid: number | null
}

export interface SearchContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
}

/** How long each of several servers has to say what it serves, in milliseconds. */
const NAME_MS = 1000

/**
 * @throws ControlFailure if there is none, or several and none was named; then the message lists
 * them
 */
export async function findServer(
  named: NamedServer,
  { env, uid }: SearchContext,
): Promise<ControlTarget> {
  if (named.socket !== null) return { path: named.socket, pid: null }
  if (named.pidFile !== null) return socketOf(pidIn(named.pidFile), env, uid, named.pidFile)
  if (named.pid !== null) return socketOf(named.pid, env, uid, null)
  const found = liveSockets(env, uid)
  if (found.length === 1) return found[0]!
  if (found.length === 0)
    throw new ControlFailure(
      coded(
        'MONO6006',
        'No server of this user was found. Name it with --pid-file, --control-socket or --pid, ' +
          'if it runs',
      ),
      EXIT.ctl.NO_SERVER,
    )
  const lines = await Promise.all(found.map(describe))
  const running = found.filter((_, index) => lines[index] !== null)
  if (running.length === 1) return running[0]!
  throw new ControlFailure(
    coded(
      'MONO6007',
      `${running.length} servers run. Name one with --pid, --pid-file or --control-socket:\n` +
        lines.flatMap((line) => (line === null ? [] : `  ${line}`)).join('\n'),
    ),
    EXIT.ctl.NO_SERVER,
  )
}

function liveSockets(env: SearchContext['env'], uid: number): ControlTarget[] {
  const found = new Map<number, ControlTarget>()
  for (const folder of runtimeFolders(env, uid)) {
    // In a folder for everybody, another user may have put sockets that pretend to be a server.
    if (whyUnsafe(folder, uid) !== null) continue
    for (const { pid, path } of socketsIn(folder))
      if (!found.has(pid) && isRunning(pid)) found.set(pid, { pid, path })
  }
  return [...found.values()].sort((a, b) => a.pid! - b.pid!)
}

/** A line about it; null if nobody listens there, because a server was killed. */
async function describe(target: ControlTarget): Promise<string | null> {
  try {
    const call = { method: 'GET', name: 'status', withinMs: NAME_MS } as const
    const { application, addresses } = await callServer<ControlStatus>(target, call)
    return `--pid ${target.pid}  ${harmless(application)} at ${addresses.join(', ')}`
  } catch (error) {
    if (!(error instanceof ControlFailure)) throw error
    if (error.status === EXIT.ctl.NO_SERVER) return null
    const other = error.status === EXIT.ctl.OTHER_VERSION
    return `--pid ${target.pid}  (${other ? 'another version' : 'it does not answer'})`
  }
}

function pidIn(file: string): number {
  let text: string
  try {
    text = readFileSync(file, 'latin1').trim()
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new ControlFailure(
      coded(
        'MONO6008',
        code === 'ENOENT'
          ? `There is no pid file ${file}: the server does not run, or has another one (--pid)`
          : `Cannot read the pid file ${file} (${code})`,
      ),
      EXIT.ctl.NO_SERVER,
    )
  }
  if (!/^[1-9][0-9]{0,9}$/.test(text))
    throw new ControlFailure(
      coded('MONO6008', `${file} does not have the number of a process`),
      EXIT.ctl.NO_SERVER,
    )
  return Number(text)
}

/** The socket of a process, also of another user's if this one may enter its folder (root). */
function socketOf(
  pid: number,
  env: SearchContext['env'],
  uid: number,
  file: string | null,
): ControlTarget {
  const from = file === null ? '' : ` (${file})`
  if (!isRunning(pid))
    throw new ControlFailure(
      coded('MONO6008', `Process ${pid}${from} does not run`),
      EXIT.ctl.NO_SERVER,
    )
  const owner = ownerOf(pid) ?? uid
  const folders = [...runtimeFolders(env, uid), ...(owner === uid ? [] : runtimeFolders({}, owner))]
  for (const folder of folders) {
    const path = join(folder, socketName(pid))
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) continue
    const why = whyUnsafe(folder, owner)
    if (why === null || whyUnsafe(folder, uid) === null) return { path, pid }
  }
  throw new ControlFailure(
    coded(
      'MONO6002',
      `No control socket of process ${pid}${from} was found` +
        (owner === uid ? '' : `, which is a process of user ${owner}`) +
        '. If the server has one in another place, name it with --control-socket',
    ),
    EXIT.ctl.NO_SERVER,
  )
}

function ownerOf(pid: number): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null
}
