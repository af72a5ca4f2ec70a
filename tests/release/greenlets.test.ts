import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectAbort } from '../support/abort.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// Applications that patch the standard library for another server.

const folder = temporaryDirectory()
afterAll(folder.remove)

function write(name: string, source: string): void {
  writeFileSync(join(folder.path, name), source)
}

const patches = [
  ['gevent', 'from gevent import monkey\nmonkey.patch_all()\nimport gevent as green'],
  ['eventlet', 'import eventlet\neventlet.monkey_patch()\nimport eventlet as green'],
] as const

describe.skipIf(!hasPython()).each(patches)(
  'an application that patches with %s',
  (name, patch) => {
    beforeAll(() => {
      write(
        `with_${name}.py`,
        `import warnings
warnings.simplefilter("ignore")
${patch}
import atexit, ctypes, os, threading, time

atexit.register(lambda: open(f"${name}-exit-{os.getpid()}", "w").close())
ticks = []

def background():
    while True:
        ticks.append(1)
        green.sleep(0.01)

green.spawn(background)

def wait_here(pause):
    while not os.path.exists("${name}-gate"):
        time.sleep(pause)

def hold_the_lock():
    """Lets nothing else run in this process for most of the time."""
    while not os.path.exists("${name}-gate"):
        ctypes.PyDLL(None).usleep(300000)
        green.sleep(0.01)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/wait":
        open("${name}-waiting", "w").close()
        wait_here(0.01)
    if path == "/hold":
        green.spawn(hold_the_lock)
    if path in ("/late", "/hold"):
        # A greenlet that runs at the moment that stacks are shown would be seen as a thread.
        wait_here(1000)
    if path == "/ticks":
        return [str(len(ticks)).encode()]
    if path == "/body":
        return [environ["wsgi.input"].read()]
    if path == "/parts":
        def parts():
            for _ in range(50):
                time.sleep(0.001)
                yield b"x" * 65536
        return parts()
    return [b"served"]
`,
      )
    })

    const start = (args: string[]) =>
      startServer({ app: `with_${name}:app`, args, cwd: folder.path })
    const text = async (url: string, init?: RequestInit) => (await fetch(url, init)).text()

    test.each([
      ['one thread', []],
      ['four threads', ['--threads', '4']],
    ])(
      'is served by %s, whose greenlets run while it waits, and stops promptly',
      async (_, args) => {
        const server = await start(['--workers', '1', '--graceful-timeout', '60', ...args])
        const body = 'b'.repeat(3_000_000)
        expect(await text(`${server.url}/body`, { method: 'POST', body })).toBe(body)
        expect((await text(`${server.url}/parts`)).length).toBe(50 * 65536)
        await waitFor(
          'a greenlet to run while nothing is asked',
          async () => Number(await text(`${server.url}/ticks`)) > 20,
        )
        const [pid] = server.workers()
        // Long before the time that there is for it.
        server.signal('SIGTERM')
        expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
        expect(existsSync(join(folder.path, `${name}-exit-${pid}`))).toBe(true)
        expect(server.log()).not.toMatch(/did not exit in time|Exception in thread/)
      },
    )

    test('streams request bodies', async () => {
      const server = await start(['--workers', '1', '--no-request-buffering'])
      const body = 'b'.repeat(1_000_000)
      expect(await text(`${server.url}/body`, { method: 'POST', body })).toBe(body)
    })

    test('has what it has not begun taken back', async () => {
      const server = await start(['--workers', '2', '--log-level', 'debug'])
      rmSync(join(folder.path, `${name}-gate`), { force: true })
      const waiting = fetch(`${server.url}/wait`)
      await waitFor('it to begin', () => existsSync(join(folder.path, `${name}-waiting`)))
      const quick = await Promise.all(Array.from({ length: 60 }, () => text(server.url)))
      expect(new Set(quick)).toEqual(new Set(['served']))
      write(`${name}-gate`, '')
      expect((await waiting).status).toBe(200)
    })

    test.each([
      ['one thread', '/late', []],
      ['four threads', '/late', ['--threads', '4']],
      ['one thread, on a worker that is slow', '/hold', []],
      ['four threads, on a worker that is slow', '/hold', ['--threads', '4']],
    ])(
      'is shown where it stood when a request runs out of time, with %s',
      async (_, path, args) => {
        rmSync(join(folder.path, `${name}-gate`), { force: true })
        const server = await start(['--workers', '1', '--timeout', '3', ...args])
        await expectAbort(
          server,
          path,
          /Greenlet 0x[0-9a-f]+ \(most recent call first\)[\s\S]*in wait_here\n[\s\S]*in app\n[\s\S]*Fatal Python error/,
        )
      },
    )
  },
)
