import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { commandLineOf, descendantsOf, isAlive } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// The server in a PID namespace, as in a container.

const folder = temporaryDirectory()
afterAll(folder.remove)

function write(name: string, source: string): void {
  writeFileSync(join(folder.path, name), source)
}

const namespaces = [
  ['whose /proc is that of the one around it', []],
  ['with a /proc of its own', ['--mount-proc']],
  ['without a /proc', ['--mount']],
] as const
type Flags = (typeof namespaces)[number][1]

/** Starts the server as process 1 of a new namespace. */
function startIn(flags: Flags, app = 'echo:app'): Promise<RunningServer> {
  const command = ['node', commandPath, '--bind', '127.0.0.1:0', '--workers', '2', app]
  const hide =
    flags[0] === '--mount' ? ['sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'] : []
  return runServer({
    command: 'unshare',
    args: ['--pid', '--fork', '--kill-child=TERM', ...flags, ...hide, ...command],
    env: { ...process.env, VIRTUAL_ENV: testPython().prefix, NODE_OPTIONS: undefined },
    cwd: folder.path,
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
    isWorker: (line) => line.includes('monoceros-worker'),
  })
}

/** Process 1 of the server's namespace, by its number outside. */
function firstProcess(server: RunningServer): number {
  // unshare ignores signals, and ends with its child.
  return descendantsOf(server.pid)[0]!
}

function zombiesOf(server: RunningServer): number[] {
  return descendantsOf(server.pid).filter((pid) => !isAlive(pid))
}

const mayUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0

describe.skipIf(!mayUnshare || !hasPython())('in a PID namespace', () => {
  beforeAll(() => {
    write(
      'echo.py',
      `import subprocess

def app(environ, start_response):
    if environ["PATH_INFO"] == "/leave":
        # What outlives its worker, and ignores what it is asked.
        subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], start_new_session=False)
    if environ["PATH_INFO"] == "/orphans":
        # The shell ends before its children do.
        subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do sleep 0.05 & done"])
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
`,
    )
  })

  test.each(namespaces)(
    '%s, large bodies reach the application, and nothing is left behind',
    async (_, flags) => {
      const server = await startIn(flags)
      const body = Buffer.alloc(5_000_000, 'large')
      for (let i = 0; i < 3; i++) {
        const response = await fetch(server.url, { method: 'POST', body })
        expect(response.status, server.log()).toBe(200)
        expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true)
      }
      expect((await fetch(`${server.url}/leave`)).status).toBe(200)
      process.kill(firstProcess(server), 'SIGTERM')
      expect((await within('the server to end', 20_000, server.exited)).code, server.log()).toBe(0)
      // Fails when a process is left.
      await server.stop()
      expect(server.log()).not.toMatch(/ERROR|CRITICAL/)
    },
  )

  test('process 1 reaps what an application leaves behind', async () => {
    const server = await startIn(['--mount-proc'])
    const before = descendantsOf(server.pid).length
    for (let i = 0; i < 10; i++) expect((await fetch(`${server.url}/orphans`)).status).toBe(200)
    await waitFor('the orphans to be gone', () => descendantsOf(server.pid).length <= before)
    expect(zombiesOf(server)).toEqual([])
    process.kill(firstProcess(server), 'SIGTERM')
    expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
  })

  test('signals reach the server, and the container outlives an upgrade', async () => {
    const server = await startIn(['--mount-proc'])
    const first = firstProcess(server)
    process.kill(first, 'SIGHUP')
    await server.waitForLog(/\] Reloaded/)
    process.kill(first, 'SIGUSR2')
    await server.waitForLog(/The new server \(\d+\) serves too/)
    process.kill(first, 'SIGTERM')
    await server.waitForLog(/this one has taken over/)
    expect((await fetch(server.url)).status).toBe(200)
    const from = server.log().length
    process.kill(first, 'SIGTERM')
    await server.waitForLog(/\] Stopped/, { from })
    expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
    expect(zombiesOf(server)).toEqual([])
  })

  test('the exit status is passed on', async () => {
    writeFileSync(join(folder.path, 'broken.py'), 'raise RuntimeError("on purpose")\n')
    const { code, stderr } = await runToEnd(
      'unshare',
      ['--pid', '--fork', '--mount-proc', 'node', commandPath, '-b', '127.0.0.1:0', 'broken:app'],
      {
        env: { ...process.env, VIRTUAL_ENV: testPython().prefix, NODE_OPTIONS: undefined },
        cwd: folder.path,
      },
    )
    expect(code).toBe(3)
    expect(stderr).toContain('RuntimeError: on purpose')
  })

  // Python is hidden, as in the images of Node.js.
  test.skipIf(!('execve' in process))('without a Python, a shell is process 1', async () => {
    write(
      'orphans.mjs',
      `import { spawnSync } from 'node:child_process'
export default (environ, startResponse) => {
  spawnSync('sh', ['-c', 'for i in 1 2 3 4 5; do sleep 0.05 & done'])
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [Buffer.from('ok')]
}
`,
    )
    const hide =
      'for it in /usr/bin/python3*; do mount --bind /dev/null "$(readlink -f "$it")"; done; ' +
      'PATH=/usr/bin:/bin exec "$@"'
    const command = [process.execPath, commandPath, '-b', '127.0.0.1:0', './orphans.mjs']
    const server = await runServer({
      command: 'unshare',
      args: ['--pid', '--fork', '--mount-proc', 'sh', '-c', hide, 'sh', ...command],
      env: { ...process.env, VIRTUAL_ENV: undefined, NODE_OPTIONS: undefined },
      cwd: folder.path,
      findAddresses: (log) =>
        [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
      isReady: (log) => /Listening at \S+.*\n/.test(log),
      isWorker: () => true,
    })
    expect(commandLineOf(firstProcess(server))).toMatch(/^\/bin\/sh -c /)
    const before = descendantsOf(server.pid).length
    for (let i = 0; i < 10; i++) expect((await fetch(server.url)).status).toBe(200)
    await waitFor('the orphans to be gone', () => descendantsOf(server.pid).length <= before)
    expect(zombiesOf(server)).toEqual([])
    process.kill(firstProcess(server), 'SIGTERM')
    expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
  })
})
