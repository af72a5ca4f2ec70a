import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commandPath } from '../support/build.ts'
import { receiveNotifications } from '../support/notify-receiver.ts'
import { publicFolder } from '../support/public-folder.ts'
import { hasPython, sitePackages } from '../support/python.ts'
import { runServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// The same flags, given to Gunicorn and to us by root: what application and file system see.

/** Other users can run it, which they cannot with the suite's own. */
const PYTHON = '/usr/bin/python3'

const APPLICATION = `import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%d:%d %o" % (os.getuid(), os.getgid(), os.umask(0o22))).encode()]
`

const commands = {
  gunicorn: [PYTHON, '-m', 'gunicorn'],
  monoceros: [process.execPath, commandPath, '--python', PYTHON],
}
type Name = keyof typeof commands

/** Asks as a user without rights; what curl says if it cannot. */
function ask(socket: string): string {
  const { stdout, status } = spawnSync(
    'curl',
    ['-sS', '--max-time', '10', '--unix-socket', socket, 'http://localhost/'],
    { uid: 12345, gid: 12345, encoding: 'utf8' },
  )
  return status === 0 ? stdout : `curl: ${status}`
}

async function observe(name: Name, flags: string[]): Promise<object> {
  const folder = publicFolder(APPLICATION)
  const socket = join(folder, 'site.sock')
  const [command, ...args] = [...commands[name], ...flags, '-b', `unix:${socket}`, 'app:app']
  const server = await runServer({
    command: command!,
    args,
    env: {
      ...process.env,
      NODE_OPTIONS: undefined,
      VIRTUAL_ENV: undefined,
      PYTHONPATH: sitePackages(),
      TMPDIR: join(folder, 'tmp'),
    },
    cwd: folder,
    findAddresses: (log) =>
      [...log.matchAll(/Listening at:? (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at:? \S+.*\n/.test(log),
    isWorker: () => true,
  })
  await waitFor('the socket', () => existsSync(socket))
  const { mode, uid, gid } = statSync(socket)
  const seen = {
    file: `${(mode & 0o777).toString(8)} ${uid}:${gid}`,
    answer: ask(socket),
  }
  await server.stop()
  return { ...seen, left: existsSync(socket) }
}

const may = process.getuid?.() === 0 && existsSync(PYTHON) && hasPython()

describe.skipIf(!may)('users and modes are those of Gunicorn', () => {
  test.each([
    [[]],
    [['-m', '007']],
    [['-m', '0o027']],
    [['-m', '18']],
    [['--user', 'nobody', '--group', '65534']],
    [['--user', '12345', '--group', '12345', '-m', '0x3f']],
  ])('%j', async (flags) => {
    const [theirs, ours] = await Promise.all([
      observe('gunicorn', flags),
      observe('monoceros', flags),
    ])
    expect(ours).toEqual(theirs)
  })

  test.each([
    ['without a group', ['--user', 'nobody'], 65534],
    ['with initgroups', ['--user', 'daemon', '--group', 'daemon', '--initgroups'], 1],
  ])('%s, ours is the group of the user, and theirs is still root', async (_, flags, id) => {
    const [theirs, ours] = await Promise.all([
      observe('gunicorn', flags),
      observe('monoceros', flags),
    ])
    expect(theirs).toMatchObject({ answer: `${id}:0 22` })
    expect(ours).toMatchObject({ answer: `${id}:${id} 22` })
  })
})

const hasActivation = spawnSync('systemd-socket-activate', ['--version']).status === 0

describe.skipIf((!hasActivation && !process.env.CI) || !hasPython())(
  'the real systemd-socket-activate',
  () => {
    test.each(['gunicorn', 'monoceros'] as const)(
      'starts %s at the first connection',
      async (name) => {
        const folder = publicFolder(APPLICATION)
        const socket = join(folder, 'given.sock')
        const notify = join(folder, 'notify')
        const systemd = await receiveNotifications(notify)
        const command = [...commands[name], '-b', '127.0.0.1:1', 'app:app']
        const env = { PYTHONPATH: sitePackages(), NOTIFY_SOCKET: notify, PATH: process.env.PATH! }
        const server = await runServer({
          command: 'systemd-socket-activate',
          args: [
            ...Object.entries(env).map(([key, value]) => `--setenv=${key}=${value}`),
            ...['-l', socket, ...command],
          ],
          env: { ...process.env, NODE_OPTIONS: undefined, VIRTUAL_ENV: undefined },
          cwd: folder,
          findAddresses: (log) => (log.includes('Listening on') ? [`unix:${socket}`] : []),
          isReady: (log) => log.includes('Listening on'),
          isWorker: () => true,
        })
        const curl = ['-sS', '--max-time', '20', '--unix-socket', socket, 'http://localhost/']
        const { stdout } = spawnSync('curl', curl, { encoding: 'utf8' })
        expect(stdout).toMatch(/^\d+:\d+ /)
        expect((await systemd.waitFor(/^READY=1/)).pid).toBe(server.pid)
        server.signal('SIGTERM')
        expect((await server.exited).code).toBe(0)
        expect(existsSync(socket)).toBe(true)
      },
    )
  },
)
