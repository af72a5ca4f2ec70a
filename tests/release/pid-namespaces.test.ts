import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { descendantsOf } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runServer } from '../support/running-server.ts'
import { within } from '../support/wait-for.ts'

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
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
`,
    )
  })

  test.each(namespaces)(
    '%s, large bodies reach the application, and nothing is left behind',
    async (_, flags) => {
      const command = ['node', commandPath, '--bind', '127.0.0.1:0', '--workers', '2', 'echo:app']
      const hide =
        flags[0] === '--mount' ? ['sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'] : []
      const server = await runServer({
        command: 'unshare',
        args: ['--pid', '--fork', '--kill-child=TERM', ...flags, ...hide, ...command],
        env: { ...process.env, VIRTUAL_ENV: testPython().prefix, NODE_OPTIONS: undefined },
        cwd: folder.path,
        findAddresses: (log) =>
          [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
        isReady: (log) => /Listening at \S+.*\n/.test(log),
        isWorker: (line) => line.includes('monoceros-worker'),
      })
      const body = Buffer.alloc(5_000_000, 'large')
      for (let i = 0; i < 3; i++) {
        const response = await fetch(server.url, { method: 'POST', body })
        expect(response.status, server.log()).toBe(200)
        expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true)
      }
      expect((await fetch(`${server.url}/leave`)).status).toBe(200)
      // unshare ignores the signal, and ends with its child.
      for (const pid of descendantsOf(server.pid).slice(0, 1)) process.kill(pid, 'SIGTERM')
      expect((await within('the server to end', 20_000, server.exited)).code, server.log()).toBe(0)
      // Fails when a process is left.
      await server.stop()
      expect(server.log()).not.toMatch(/ERROR|CRITICAL/)
    },
  )
})
