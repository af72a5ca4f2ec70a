import { lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { asUser, giveLogs, type IdentitySettings, identityOf, socketFilesOf } from './identity.ts'

const isRoot = process.getuid?.() === 0
const none: IdentitySettings = {
  user: null,
  group: null,
  initgroups: false,
  umask: 0,
  socketMode: null,
  socketGroup: null,
}

describe('the user of acceptors', () => {
  test('is that of the arbiter by default, and if the settings name the same', () => {
    expect(identityOf(none)).toBe(null)
    const own = { user: String(process.getuid!()), group: String(process.getgid!()) }
    expect(identityOf({ ...none, ...own })).toBe(null)
  })

  test.runIf(isRoot)('is looked up by name, with its primary group', () => {
    expect(identityOf({ ...none, user: 'daemon' })).toEqual({ uid: 1, gid: 1, groups: null })
    expect(identityOf({ ...none, user: 'daemon', group: '7' })).toMatchObject({ uid: 1, gid: 7 })
    expect(identityOf({ ...none, group: 'daemon' })).toMatchObject({ uid: 0, gid: 1 })
  })

  test.runIf(isRoot)('has all of its groups with initgroups', () => {
    const identity = identityOf({ ...none, user: 'daemon', group: '7', initgroups: true })
    expect(identity?.groups).toEqual([7, 1])
  })

  test.runIf(isRoot)('may be a number that nobody has, which keeps the group', () => {
    expect(identityOf({ ...none, user: '4242' })).toMatchObject({ uid: 4242, gid: 0 })
  })

  test.runIf(!isRoot)('is refused if this process may not change it', () => {
    expect(() => identityOf({ ...none, user: 'root' })).toThrow(
      /^Cannot run as user root: only.* \[MONO3101\]$/,
    )
  })

  test('is refused if the system has no such user or group', () => {
    const user = { ...none, user: 'no-such-user' }
    expect(() => identityOf(user)).toThrow(/^There is no user no-such-user\. .* \[MONO3103\]$/)
    const group = { ...none, group: 'no-such-group' }
    expect(() => identityOf(group)).toThrow(/^There is no group no-such-group\. .* \[MONO3103\]$/)
  })

  test('is set by the system call that starts a process, if it has one group', () => {
    expect(asUser({ uid: 1, gid: 2, groups: null }, 'node', ['a'])).toEqual({
      file: 'node',
      args: ['a'],
      uid: 1,
      gid: 2,
    })
  })

  test('needs a program in between if it has several, and says which', () => {
    vi.stubEnv('PATH', '/nowhere')
    onTestFinished(() => void vi.unstubAllEnvs())
    const several = () => asUser({ uid: 1, gid: 2, groups: [2, 4711] }, 'node', ['a'])
    expect(several).toThrow(/^initgroups needs setpriv .* or python3 .* \[MONO3102\]$/)
  })

  test.runIf(isRoot)('is set by a program in between, if it has several', () => {
    const { file, args, uid } = asUser({ uid: 1, gid: 2, groups: [2, 5] }, 'node', ['a'])
    expect(uid).toBe(undefined)
    expect([file, ...args].join(' ')).toMatch(/ 2,5.* node a$|=2,5 -- node a$/)
  })
})

describe('the files of unix sockets', () => {
  test('are 0777 less the umask, and stay with their maker', () => {
    expect(socketFilesOf({ ...none, umask: 0o27 }, null)).toEqual({ mode: 0o750, uid: -1, gid: -1 })
  })

  test('have the mode and the group of the settings', () => {
    const identity = { uid: 5, gid: 6, groups: null }
    expect(socketFilesOf(none, identity)).toEqual({ mode: 0o777, uid: 5, gid: 6 })
    const settings = { ...none, umask: 0o27, socketMode: 0o660, socketGroup: '9' }
    expect(socketFilesOf(settings, identity)).toEqual({ mode: 0o660, uid: 5, gid: 9 })
  })
})

describe.runIf(isRoot)('log files', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))
  const ownerOf = (name: string) => lstatSync(join(directory, name)).uid
  const give = (name: string) => giveLogs([join(directory, name)], { uid: 5, gid: 6, groups: null })

  test('are made and given away', () => {
    give('access.log')
    expect(ownerOf('access.log')).toBe(5)
  })

  test('that are links, folders or missing folders are left alone', () => {
    writeFileSync(join(directory, 'precious'), '')
    symlinkSync(join(directory, 'precious'), join(directory, 'link'))
    give('link')
    expect(ownerOf('precious')).toBe(0)
    give('.')
    expect(ownerOf('.')).toBe(0)
    expect(() => give('absent/access.log')).not.toThrow()
    expect(() => giveLogs([null, '-'], { uid: 5, gid: 6, groups: null })).not.toThrow()
  })
})
