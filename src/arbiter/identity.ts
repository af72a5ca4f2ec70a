/** The user and groups that acceptors run as, and what belongs to that user. */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, fchownSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { CodedError, coded } from '../messages/coded.ts'
import { findGroup, findUser, groupsOf } from '../settings/accounts.ts'
import type { Settings } from '../settings/table.ts'
import type { SocketFiles } from './listeners.ts'

/** Thrown if the user cannot be changed; `message` is for the operator. */
export class IdentityError extends CodedError {
  readonly code = 'identity'
}

/** Another user, or another group, than that of the arbiter. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** All groups, if the user's own are wanted (`initgroups`); null for `gid` alone. */
  readonly groups: readonly number[] | null
}

/** The settings that are about users. */
export type IdentitySettings = Pick<
  Settings,
  'user' | 'group' | 'initgroups' | 'umask' | 'socketMode' | 'socketGroup'
>

/**
 * Who acceptors are to run as; null if they run as the arbiter does.
 *
 * @throws IdentityError if this process may not change its user
 */
export function identityOf(settings: IdentitySettings): Identity | null {
  const { user, group, initgroups } = settings
  if (user === null && group === null) return null
  const own = { uid: process.geteuid!(), gid: process.getegid!() }
  const account = user === null ? { uid: own.uid, name: null, gid: null } : userNamed(user)
  const { uid } = account
  const gid = group === null ? (account.gid ?? own.gid) : groupNamed(group)
  const groups = initgroups && account.name !== null ? groupsOf(account.name, gid) : null
  if (uid === own.uid && gid === own.gid && groups === null) return null
  if (!mayChangeUser()) {
    if (uid === own.uid && gid === own.gid) return null
    throw new IdentityError(
      coded(
        'MONO3101',
        `Cannot run as ${describe(settings)}: only root can change its user and group, and ` +
          'this is ' +
          `user ${own.uid} with group ${own.gid}. Start it as root, or leave --user and ` +
          '--group out.',
      ),
    )
  }
  return { uid, gid, groups }
}

/** The mode and owner of the files of unix sockets. */
export function socketFilesOf(settings: IdentitySettings, identity: Identity | null): SocketFiles {
  const { umask, socketMode, socketGroup } = settings
  return {
    mode: socketMode ?? 0o777 & ~umask,
    uid: identity?.uid ?? -1,
    gid: socketGroup === null ? (identity?.gid ?? -1) : groupNamed(socketGroup),
  }
}

/**
 * Gives log files to the user of the acceptors, which open them as well and again after they were
 * renamed. Makes those that are missing, because their folder may be root's.
 *
 * A folder may belong to the user, who could have put a link to another file there. So a link is
 * not followed, and neither a file with several names nor anything but a file is given away.
 */
export function giveLogs(paths: readonly (string | null)[], { uid, gid }: Identity): void {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  for (const path of paths) {
    if (path === null || path === '-') continue
    try {
      const flags = O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK
      const descriptor = openSync(path, flags, 0o666)
      const stats = fstatSync(descriptor)
      if (stats.isFile() && stats.nlink === 1) fchownSync(descriptor, uid, gid)
      closeSync(descriptor)
    } catch {
      // The acceptor reports it if it cannot open the file.
    }
  }
}

/** A command, and how it is started as another user. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

/**
 * Has a command run as this user from its first instruction on, without a way back: real, effective
 * and saved numbers change, and other groups are dropped.
 *
 * Node.js sets no groups but one. A program that does, and then becomes the command, sets several.
 *
 * @throws IdentityError if there is no such program
 */
export function asUser(identity: Identity, file: string, args: readonly string[]): Command {
  const { uid, gid, groups } = identity
  if (groups === null) return { file, args, uid, gid }
  const starter = starterWithGroups(uid, gid, groups)
  return { file: starter[0]!, args: [...starter.slice(1), file, ...args] }
}

const starters = new Map<string, readonly string[]>()

const CHANGE_AND_BECOME =
  'import os,sys;u,g,l=sys.argv[1:4];os.setgroups([int(n) for n in l.split(",")]);' +
  'os.setresgid(*[int(g)]*3);os.setresuid(*[int(u)]*3);os.execvp(sys.argv[4],sys.argv[4:])'

function starterWithGroups(uid: number, gid: number, groups: readonly number[]): readonly string[] {
  const list = groups.join(',')
  const key = `${uid}:${gid}:${list}`
  const known = starters.get(key)
  if (known !== undefined) return known
  const candidates = [
    ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${list}`, '--'],
    ['python3', '-I', '-S', '-c', CHANGE_AND_BECOME, String(uid), String(gid), list],
  ]
  for (const [file, ...args] of candidates) {
    const { status } = spawnSync(file!, [...args, 'true'], { stdio: 'ignore', timeout: 10_000 })
    if (status !== 0) continue
    const starter = [file!, ...args]
    starters.set(key, starter)
    return starter
  }
  throw new IdentityError(
    coded(
      'MONO3102',
      'initgroups needs setpriv (of util-linux) or python3 to start processes with several ' +
        'groups. Install one of them, or leave --initgroups out.',
    ),
  )
}

function userNamed(text: string): NonNullable<ReturnType<typeof findUser>> {
  const user = findUser(text)
  if (user === undefined)
    throw new IdentityError(coded('MONO3103', `There is no user ${text}. See --user.`))
  return user
}

function groupNamed(text: string): number {
  const group = findGroup(text)
  if (group === undefined)
    throw new IdentityError(coded('MONO3103', `There is no group ${text}. See --group.`))
  return group
}

function describe({ user, group }: IdentitySettings): string {
  const parts = [user === null ? '' : `user ${user}`, group === null ? '' : `group ${group}`]
  return parts.filter((part) => part !== '').join(', ')
}

/** The numbers of CAP_SETGID and CAP_SETUID (capabilities(7)). */
const CAPABILITIES = (1n << 6n) | (1n << 7n)

function mayChangeUser(): boolean {
  if (process.geteuid!() === 0) return true
  try {
    const status = readFileSync('/proc/self/status', 'latin1')
    const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
    return effective !== undefined && (BigInt(`0x${effective}`) & CAPABILITIES) === CAPABILITIES
  } catch {
    return false
  }
}
