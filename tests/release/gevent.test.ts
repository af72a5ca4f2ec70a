import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { pythonApp } from '../../src/python-app/python-app.ts'
import { expectAbort } from '../support/abort.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { callForAnswer } from '../support/call-application.ts'
import { freePort } from '../support/free-port.ts'
import { residentMemory } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// Requests in greenlets: thousands that wait, and what ends them.

const MANY = 2000
const folder = temporaryDirectory()
afterAll(folder.remove)

const path = (name: string) => join(folder.path, name)
const open = (gate: string) => writeFileSync(path(gate), '')
const shut = (gate: string) => rmSync(path(gate), { force: true })

beforeAll(() => {
  writeFileSync(
    path('waits.py'),
    `import ctypes, os, socket, threading, time
import gevent

class Counter:
    """How many are inside at once, and the most there were."""
    now = most = 0
    def __enter__(self):
        Counter.now += 1
        Counter.most = max(Counter.most, Counter.now)
    def __exit__(self, *error):
        Counter.now -= 1

closed = []

def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.1)

def chunks(count):
    try:
        for _ in range(count):
            time.sleep(0.001)
            yield b"x" * 65536
    finally:
        closed.append(1)

def ask_redis():
    import redis
    global pool
    if "pool" not in globals():
        pool = redis.ConnectionPool(port=int(os.environ["REDIS_PORT"]), max_connections=5000)
    client = redis.Redis(connection_pool=pool)
    assert client.blpop("nothing", timeout=1) is None

def ask_socket():
    with socket.create_connection(("127.0.0.1", int(os.environ["ECHO_PORT"]))) as connection:
        assert connection.recv(100) == b"waited"

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/pid":
        return [str(os.getpid()).encode()]
    if path == "/most":
        return [str(Counter.most).encode()]
    if path == "/sleep":
        with Counter():
            time.sleep(1)
        return [b"waited"]
    if path == "/socket":
        with Counter():
            ask_socket()
        return [b"waited"]
    if path == "/redis":
        with Counter():
            ask_redis()
        return [b"waited"]
    if path == "/gate":
        with Counter():
            wait_for("gate")
        return [b"waited"]
    if path == "/other-gate":
        wait_for("other-gate")
        return [b"waited"]
    if path == "/inside":
        return [str(Counter.now).encode()]
    if path == "/chunks":
        return chunks(100)
    if path == "/endless":
        return chunks(1000000)
    if path == "/closed":
        return [str(len(closed)).encode()]
    if path == "/body":
        return [environ["wsgi.input"].read()]
    if path == "/stubborn":
        try:
            wait_for("never")
        except BaseException:
            wait_for("gate")
        return [b"stubborn"]
    if path == "/in-c":
        open("in-c", "w").close()
        ctypes.CDLL(None).sleep(1000)
    if path == "/in-c-with-lock":
        ctypes.PyDLL(None).sleep(1000)
    return [b"served"]
`,
  )
})

const start = (args: string[], env: Record<string, string> = {}) =>
  startServer({ app: 'waits:app', args: ['-k', 'gevent', ...args], cwd: folder.path, env })

/** Sends that many requests at once, and resolves with the statuses and how often they came. */
async function together(server: RunningServer, target: string, count: number) {
  const seen: Record<string, number> = {}
  await Promise.all(
    Array.from({ length: count }, async () => {
      const what = await once(server.port, target)
      seen[what] = (seen[what] ?? 0) + 1
    }),
  )
  return seen
}

function once(port: number, target: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    socket.on('data', (more) => {
      text += more
    })
    socket.on('error', (error) => resolve(String(error)))
    socket.on('close', () => resolve(`${text.slice(9, 12)} ${text.split('\r\n\r\n')[1]}`))
    socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  })
}

const text = async (server: RunningServer, target: string) =>
  (await fetch(`${server.url}${target}`)).text()

describe.skipIf(!hasPython())('with gevent', () => {
  describe(`${MANY} requests that wait for a second, in one worker`, () => {
    const all = { '200 waited': MANY }
    const args = ['--workers', '1', '--worker-connections', `${MANY + 10}`]

    test('sleep at the same time, in little memory', async () => {
      const server = await start([...args, '--timeout', '120'])
      expect(await together(server, '/sleep', 100)).toEqual({ '200 waited': 100 })
      shut('gate')
      const worker = server.workers()[0]!
      const before = residentMemory(worker)
      const waiting = together(server, '/gate', MANY)
      await waitFor('all to be in the application', async () => {
        return (await text(server, '/inside')) === `${MANY}`
      })
      const each = (residentMemory(worker) - before) / MANY
      open('gate')
      expect(await waiting).toEqual(all)
      // About 12 KiB.
      expect(each).toBeLessThan(40 * 1024)
      expect(await together(server, '/sleep', MANY)).toEqual(all)
    })

    test('wait for sockets', async () => {
      const slow = createServer((socket) => {
        setTimeout(() => socket.end('waited'), 1000)
      })
      await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', 4096, resolve))
      onTestFinished(() => void slow.close())
      const { port } = slow.address() as { port: number }
      const server = await start([...args, '--timeout', '120'], { ECHO_PORT: `${port}` })
      expect(await together(server, '/socket', MANY)).toEqual(all)
      expect(Number(await text(server, '/most'))).toBeGreaterThan(100)
    })

    const hasRedis = spawnSync('redis-server', ['--version']).status === 0
    test.skipIf(!hasRedis && !process.env.CI)('wait for Redis', async () => {
      const port = await freePort()
      const redis = spawn('redis-server', [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        ...['--dir', folder.path, '--maxclients', '5000', '--tcp-backlog', '4096'],
      ])
      onTestFinished(async () => {
        redis.kill('SIGKILL')
        await new Promise((resolve) => redis.once('close', resolve))
      })
      let log = ''
      redis.stdout.on('data', (chunk) => {
        log += chunk
      })
      await waitFor('Redis', () => log.includes('Ready to accept connections'))
      const server = await start([...args, '--timeout', '120'], { REDIS_PORT: `${port}` })
      expect(await together(server, '/redis', MANY)).toEqual(all)
      expect(Number(await text(server, '/most'))).toBeGreaterThan(100)
    })
  })

  test('no more than worker_connections run at once, and others wait', async () => {
    const args = ['--workers', '1', '--worker-connections', '10', '--timeout', '120']
    const server = await start(args)
    expect(await together(server, '/sleep', 30)).toEqual({ '200 waited': 30 })
    const most = Number(await text(server, '/most'))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(10)
  })

  test('responses and request bodies stream side by side', async () => {
    const server = await start(['--no-request-buffering', '--workers', '1'])
    const body = 'b'.repeat(2_000_000)
    const [downloads, uploads] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, async () => (await text(server, '/chunks')).length)),
      Promise.all(
        Array.from({ length: 20 }, async () => {
          const answer = await fetch(`${server.url}/body`, { method: 'POST', body })
          return (await answer.text()) === body
        }),
      ),
    ])
    expect(new Set(downloads)).toEqual(new Set([100 * 65536]))
    expect(new Set(uploads)).toEqual(new Set([true]))
  })

  test('a client that leaves ends its response, and no other', async () => {
    const server = await start(['--workers', '1'])
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => RawConnection.open(server)),
    )
    for (const each of connections) await each.send('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await text(server, '/')).toBe('served')
    for (const each of connections) each.socket.destroy()
    await waitFor('all iterables to be closed', async () => {
      return (await text(server, '/closed')) === '20'
    })
    expect(server.log()).not.toMatch(/\[ERROR\]/)
  })

  describe('a request that runs out of time', () => {
    test('gets 504 and is raised in; the others of its worker go on', async () => {
      shut('gate')
      const abandoned = /Killing|SIGABRT/
      // A worker that gets no processor for a second after the interrupt is given up.
      for (let attempt = 1; ; attempt++) {
        const server = await start(['--workers', '1', '--timeout', '5'])
        const pid = await text(server, '/pid')
        expect((await fetch(`${server.url}/gate`)).status).toBe(504)
        await server.waitForLog(
          /GET \/gate: the request runs longer than the timeout.*\nStack[\s\S]*in wait_for\n/,
        )
        await waitFor('it to end', async () => (await text(server, '/inside')) === '0')
        const after = await text(server, '/pid')
        await server.stop()
        if (attempt < 3 && abandoned.test(server.log())) continue
        expect(server.log()).not.toMatch(abandoned)
        expect(after).toBe(pid)
        break
      }
    })

    test('and catches everything: its worker is replaced when the others have ended', async () => {
      shut('gate')
      shut('other-gate')
      // What comes after the 504 has this time too, and the worker is given up a second after it.
      const server = await start(['--workers', '1', '--timeout', '8', '--graceful-timeout', '60'])
      const pid = await text(server, '/pid')
      const late = fetch(`${server.url}/stubborn`)
      expect((await late).status).toBe(504)
      const other = fetch(`${server.url}/other-gate`)
      await server.waitForLog(/Killing worker/)
      open('other-gate')
      expect(await (await other).text()).toBe('waited')
      await waitFor('another worker', async () => (await text(server, '/pid')) !== pid)
    })

    test.each(['/in-c', '/in-c-with-lock'])(
      'in an extension that does not yield (%s): its worker is killed, with the stack in the log',
      async (target) => {
        const server = await start(['--workers', '1', '--timeout', '2'])
        const pid = await text(server, '/pid')
        const stack = /Fatal Python error[\s\S]*waits\.py", line \d+ in app/
        await expectAbort(server, target, stack)
        expect(await text(server, '/pid')).not.toBe(pid)
      },
    )
  })

  test('what has not begun goes to another worker while a greenlet computes', async () => {
    shut('in-c')
    const server = await start(['--workers', '2', '--timeout', '60'])
    const computing = fetch(`${server.url}/in-c`).catch(() => null)
    // Until then its worker may answer, too.
    await waitFor('it to begin', () => existsSync(path('in-c')))
    const pids = await Promise.all(Array.from({ length: 40 }, () => text(server, '/pid')))
    expect(new Set(pids).size).toBe(1)
    process.kill(server.workers().find((pid) => `${pid}` !== pids[0])!, 'SIGKILL')
    await computing
  })

  test('it stops when what waits has ended', async () => {
    shut('gate')
    const server = await start(['--workers', '1', '--graceful-timeout', '60', '--timeout', '60'])
    const waiting = together(server, '/gate', 50)
    await waitFor('all to wait', async () => (await text(server, '/inside')) === '50')
    server.signal('SIGTERM')
    await server.waitForLog(/Stopping|Shutting down|SIGTERM/)
    open('gate')
    expect(await waiting).toEqual({ '200 waited': 50 })
    expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
    expect(server.log()).not.toMatch(/did not exit in time/)
  })

  test('a worker that is killed costs only what it had begun', async () => {
    shut('gate')
    const server = await start(['--workers', '1', '--timeout', '60'])
    const waiting = together(server, '/gate', 50)
    await waitFor('all to wait', async () => (await text(server, '/inside')) === '50')
    process.kill(server.workers()[0]!, 'SIGKILL')
    expect(Object.keys(await waiting).map((what) => what.slice(0, 3))).toEqual(['502'])
    expect(await text(server, '/')).toBe('served')
  })

  test('workers are replaced after max_requests without a failed request', async () => {
    const server = await start(['--workers', '2', '--max-requests', '100', '--timeout', '60'])
    for (let round = 0; round < 5; round++)
      expect(await together(server, '/', 100)).toEqual({ '200 served': 100 })
    await server.waitForLog(/has answered max_requests/)
  })

  test('a preloaded application is forked into workers with hubs of their own', async () => {
    const server = await start(['--workers', '2', '--preload', '--timeout', '60'])
    expect(await together(server, '/sleep', 100)).toEqual({ '200 waited': 100 })
    expect(server.workers()).toContain(Number(await text(server, '/pid')))
  })

  test('the hooks of a gunicorn.conf.py run around waiting requests', async () => {
    shut('gate')
    writeFileSync(
      path('gunicorn.conf.py'),
      `import os, socket

worker_class = "gunicorn.workers.ggevent.GeventWorker"
worker_connections = 50
timeout = 60

def note(*words):
    with open("hooks", "a") as file:
        file.write(" ".join(words) + "\\n")

def post_fork(server, worker):
    note("post_fork", socket.socket.__module__)

def pre_request(worker, req):
    note("pre_request", req.path)

def post_request(worker, req, environ, resp):
    note("post_request", req.path, resp.status)

def worker_exit(server, worker):
    note("worker_exit")
`,
    )
    onTestFinished(() => rmSync(path('gunicorn.conf.py')))
    const server = await startServer({ app: 'waits:app', cwd: folder.path })
    expect(server.log()).toMatch(/up to 50 greenlets each/)
    const waiting = fetch(`${server.url}/gate`)
    await waitFor('it to wait', async () => (await text(server, '/inside')) === '1')
    open('gate')
    expect(await (await waiting).text()).toBe('waited')
    await server.stop()
    const lines = readFileSync(path('hooks'), 'utf8').split('\n')
    expect(lines.slice(0, 2)).toEqual(['post_fork gevent._socket3', 'pre_request /gate'])
    expect(lines).toContain('post_request /gate 200 OK')
    expect(lines.slice(-2)).toEqual(['worker_exit', ''])
  })

  test('a pythonApp runs requests in greenlets, too', async () => {
    shut('gate')
    const options = { chdir: folder.path, python: testPython().executable }
    const app = pythonApp('waits:app', { ...options, workerClass: 'gevent', workerConnections: 20 })
    onTestFinished(() => app.close())
    const ask = async (target: string) =>
      (await callForAnswer(app, { environ: { PATH_INFO: target } })).body
    const waiting = Array.from({ length: 10 }, () => ask('/gate'))
    await waitFor('all to wait', async () => (await ask('/inside')) === '10')
    open('gate')
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['waited']))
    const embedded = { runtime: 'pyodide', workerClass: 'gevent' } as const
    expect(() => pythonApp('waits:app', embedded)).toThrow(/needs the system's Python/)
  })

  test('the embedded Python refuses it', async () => {
    const { code, stderr } = await runCommand([
      ...['-k', 'gevent', '--runtime', 'pyodide', 'waits:app'],
    ])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^monoceros: worker_class gevent is not supported by the embedded/)
  })
})
