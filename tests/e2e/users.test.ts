import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { descendantsOf } from '../support/processes.ts'
import { publicFolder } from '../support/public-folder.ts'
import { hasPython } from '../support/python.ts'
import { runCommandHere, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

/** Another user than root must be able to run it, which the suite's own may not allow. */
const PYTHON = '/usr/bin/python3'
const NOBODY = 65534
/** A user that no process of the server is. */
const OTHER = 12345

const isRoot = process.getuid?.() === 0
const linux = process.platform === 'linux'

/** Everything that is asked is found out while the application loads. */
const APPLICATION = `import os

def attempt(action):
    try:
        action()
        return True
    except OSError as error:
        return error.strerror

loaded = [
    os.getresuid(), os.getresgid(), os.getgroups(),
    attempt(lambda: open("secret")), attempt(lambda: os.setuid(0)),
]

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%r %d" % (loaded, len(body))).encode()]
`

/** Asks over a unix socket as a user without any group. */
const ASK = `
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(b"".join(iter(lambda: client.recv(65536), b"")).decode())
`

function askAs(uid: number, path: string): { status: number | null; stdout: string } {
  return spawnSync(PYTHON, ['-c', ASK, path], { uid, gid: uid, encoding: 'utf8' })
}

/** A folder with the application, and with a file that only root may read. */
function folderWithSecret(): string {
  const path = publicFolder(APPLICATION)
  writeFileSync(join(path, 'secret'), 'for root')
  chmodSync(join(path, 'secret'), 0o600)
  return path
}

/** The user, group and other groups of a process, as the kernel knows them. */
function credentialsOf(pid: number): { uid: string; gid: string; groups: string; caps: string } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const line = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? ''
  return {
    uid: line('Uid').replaceAll('\t', ' '),
    gid: line('Gid').replaceAll('\t', ' '),
    groups: line('Groups'),
    caps: line('CapEff'),
  }
}

const may = linux && isRoot && existsSync(PYTHON)

describe.skipIf(!may || !hasPython())('started by root', () => {
  test('nothing but the arbiter runs as root, and the application cannot go back', async () => {
    const folder = folderWithSecret()
    const socket = join(folder, 'site.sock')
    const access = join(folder, 'access.log')
    const server = await startServer({
      app: 'app:app',
      args: [
        ...['--user', 'nobody', '--python', PYTHON, '--workers', '2', '--acceptors', '2'],
        ...['--bind', `unix:${socket}`, '--access-logfile', access, '--bind', '127.0.0.1:0'],
        ...['--max-requests', '2'],
      ],
      cwd: folder,
      env: { VIRTUAL_ENV: undefined, TMPDIR: join(folder, 'tmp') },
    })

    const others = descendantsOf(server.pid)
    expect(others.length).toBeGreaterThanOrEqual(4)
    const numbers = `${NOBODY} ${NOBODY} ${NOBODY} ${NOBODY}`
    for (const pid of others)
      expect(credentialsOf(pid)).toEqual({
        uid: numbers,
        gid: numbers,
        groups: '',
        caps: '0000000000000000',
      })
    expect(credentialsOf(server.pid).uid).toBe('0 0 0 0')

    // Also with a body in a file, and by workers that replaced others.
    const url = server.addresses.find((address) => address.startsWith('http'))!
    for (let i = 0; i < 5; i++) {
      const response = await fetch(url, { method: 'POST', body: Buffer.alloc(3_000_000) })
      expect(await response.text()).toBe(
        `[(${NOBODY}, ${NOBODY}, ${NOBODY}), (${NOBODY}, ${NOBODY}, ${NOBODY}), [], ` +
          "'Permission denied', 'Operation not permitted'] 3000000",
      )
    }

    // The socket is the user's, and open to all others, as Gunicorn's is.
    expect(statSync(socket).mode & 0o777).toBe(0o777)
    expect(statSync(socket).uid).toBe(NOBODY)
    expect(askAs(OTHER, socket)).toMatchObject({ status: 0, stdout: /200 OK/ })

    // Logs can be opened again after they were renamed, in a folder that is root's.
    renameSync(access, `${access}.1`)
    server.signal('SIGUSR1')
    await server.waitForLog(/reopened the log files/)
    await waitFor('a line in the new access log', async () => {
      await fetch(url)
      return existsSync(access) && readFileSync(access, 'utf8') !== ''
    })
    expect(statSync(access).uid).toBe(NOBODY)
    expect(server.log()).not.toMatch(/ERROR|CRITICAL/)
  })

  test('with initgroups the user has all of its groups, and the socket is for one of them', async () => {
    const folder = folderWithSecret()
    const socket = join(folder, 'site.sock')
    const server = await startServer({
      app: 'app:app',
      args: [
        ...['--user', 'daemon', '--group', String(OTHER), '--initgroups', '--python', PYTHON],
        ...['--bind', `unix:${socket}`, '--socket-mode', '660', '--preload'],
      ],
      cwd: folder,
      env: { VIRTUAL_ENV: undefined, TMPDIR: join(folder, 'tmp') },
    })
    // The acceptor, the parent of the workers, and a worker.
    const others = descendantsOf(server.pid)
    expect(others.length).toBeGreaterThanOrEqual(3)
    for (const pid of others)
      expect(credentialsOf(pid)).toMatchObject({ uid: '1 1 1 1', groups: `1 ${OTHER}` })
    expect(statSync(socket).mode & 0o777).toBe(0o660)
    expect(askAs(OTHER, socket)).toMatchObject({ status: 0 })
    expect(askAs(OTHER + 1, socket)).toMatchObject({ status: 1 })
  })

  test('an application in TypeScript is loaded as the user', async () => {
    const folder = folderWithSecret()
    writeFileSync(
      join(folder, 'app.mjs'),
      `const loaded = [process.getuid(), process.getgid(), process.getgroups()]
let back = true
try { process.setuid(0) } catch (error) { back = error.code }
export default (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [Buffer.from(JSON.stringify([...loaded, back]))]
}
`,
    )
    const server = await startServer({
      app: './app.mjs',
      args: ['--user', 'nobody'],
      cwd: folder,
      env: { TMPDIR: join(folder, 'tmp') },
    })
    expect(await (await fetch(server.url)).json()).toEqual([NOBODY, NOBODY, [NOBODY], 'EPERM'])
  })
})

test.skipIf(!isRoot || !linux)('a number without a group of its own is told that', async () => {
  const folder = publicFolder(APPLICATION)
  writeFileSync(join(folder, 'app.mjs'), 'export default () => []\n')
  const server = await startServer({
    app: './app.mjs',
    args: ['--user', String(OTHER)],
    cwd: folder,
    env: { TMPDIR: join(folder, 'tmp') },
  })
  expect(server.log()).toMatch(/User 12345 has no group of its own.* \[MONO3107\]/)
})

test('a user or group that does not exist is one line', async () => {
  for (const [flag, kind] of [
    ['--user', 'user'],
    ['--group', 'group'],
    ['--socket-group', 'group'],
  ] as const)
    expect(await runCommandHere([flag, 'no-such-name', 'a:b'])).toMatchObject({
      code: 2,
      stderr:
        `monoceros: ${flag}: expected a ${kind} of this system, ` +
        'got "no-such-name" [MONO1026]\n',
    })
})
