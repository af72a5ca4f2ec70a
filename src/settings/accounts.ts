/**
 * Users and groups by name or number. Node.js looks up nobody but the user of the process, so this
 * reads the system's files, and asks `getent` or `id` for accounts that are elsewhere (LDAP,
 * systemd).
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A user of the system. */
export interface User {
  readonly uid: number
  /** Null if a number was given that no user has. */
  readonly name: string | null
  /** The primary group; null if there is no such user. */
  readonly gid: number | null
}

/** The largest number of a user or group: 2^32 - 1 means "do not change" to the system calls. */
const LARGEST_ID = 0xffff_fffe

/**
 * The user with this name or number. A number need not belong to a user.
 *
 * @returns undefined if there is none with that name
 */
export function findUser(text: string): User | undefined {
  const number = idOf(text)
  const fields =
    entryOf('/etc/passwd', text, number) ?? (number === undefined ? askedUser(text) : undefined)
  if (fields !== undefined) {
    const [name, , uid, gid] = fields
    return { uid: Number(uid), name: name!, gid: Number(gid) }
  }
  return number === undefined ? undefined : { uid: number, name: null, gid: null }
}

/** The number of the group with this name or number; undefined if there is none with that name. */
export function findGroup(text: string): number | undefined {
  const number = idOf(text)
  if (number !== undefined) return number
  const fields = entryOf('/etc/group', text, number) ?? ask('getent', ['group', text])?.split(':')
  return fields === undefined ? undefined : Number(fields[2])
}

/** All groups of a user, with `gid` as the first, like initgroups(3). */
export function groupsOf(user: string, gid: number): number[] {
  const listed = ask('id', ['-G', user])
  const groups = listed === undefined ? memberships(user) : listed.split(' ').map(Number)
  return [...new Set([gid, ...groups])]
}

function idOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= LARGEST_ID ? Number(text) : undefined
}

/** The fields of a line of passwd(5) or group(5), by name or by number. */
function entryOf(file: string, name: string, number: number | undefined): string[] | undefined {
  return linesOf(file)
    .map((line) => line.split(':'))
    .find((fields) => fields[0] === name || (number !== undefined && Number(fields[2]) === number))
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.split(':').length > 3)
  } catch {
    return []
  }
}

function askedUser(name: string): string[] | undefined {
  const entry = ask('getent', ['passwd', name])
  if (entry !== undefined) return entry.split(':')
  const [uid, gid] = [ask('id', ['-u', name]), ask('id', ['-g', name])]
  return uid === undefined || gid === undefined ? undefined : [name, '', uid, gid]
}

function memberships(user: string): number[] {
  return linesOf('/etc/group')
    .map((line) => line.split(':'))
    .filter((fields) => fields[3]?.split(',').includes(user))
    .map((fields) => Number(fields[2]))
}

/** What a program prints; undefined if it fails or is not installed. */
function ask(program: string, args: readonly string[]): string | undefined {
  // A name with a dash in front would be an option.
  if (args.at(-1)!.startsWith('-')) return undefined
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 })
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined
}
