import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { descendantsOf } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { runServer } from '../support/running-server.ts'
import { runCommand, startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// Applications that are not what a server expects: their objects raise when they are looked at,
// they break rules that other servers do not hold them to, they were written for another server.

const folder = temporaryDirectory()
afterAll(folder.remove)

function write(name: string, source: string): void {
  const path = join(folder.path, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, source)
}

beforeAll(() => {
  write('fl.py', 'from flask import Flask, request, session, g\nserver = Flask(__name__)\n')
  write(
    'shy.py',
    `class Local:
    def __getattribute__(self, name): raise RuntimeError("working outside of a request")
    def __repr__(self): raise SystemExit(1)
    def __call__(self): ...
    __len__ = __bool__ = __dir__ = __eq__ = __hash__ = __str__ = __repr__
class Framework:
    def __call__(self, environ, start_response): ...
request = Local()
server = Framework()
Local.__module__ = Framework.__module__ = "framework"
`,
  )
  write('lacking.py', 'import no_such_module_anywhere\n')
  write(
    'lenient.py',
    `import time

def events():
    for number in range(3):
        yield bytearray(b"data: %d\\n\\n" % number)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream"), ("Connection", "keep-alive"), ("Transfer-Encoding", "chunked")])
        return events()
    if path == "/deleted":
        start_response("204", {"X-Gone": "yes"}.items())
        return []
    if path == "/closing":
        start_response("200 OK", [["Connection", "close"], ["Content-Length", "2"]])
        return (memoryview(b"ok"),)
    if path == "/split":
        start_response("200 OK", [("X-A", "1\\r\\nX-B: 2")])
    return []
`,
  )
  write(
    'lenient.ts',
    `export const app = (environ, startResponse) => {
  const path = environ.PATH_INFO
  if (path === '/events') {
    startResponse('200 OK', [['Content-Type', 'text/event-stream'], ['Connection', 'keep-alive'], ['Transfer-Encoding', 'chunked']])
    return [new TextEncoder().encode('data: 0\\n\\n').buffer, new DataView(new TextEncoder().encode('data: 1\\n\\n').buffer), new TextEncoder().encode('data: 2\\n\\n')]
  }
  if (path === '/deleted') {
    startResponse('204', new Map([['X-Gone', 'yes']]))
    return []
  }
  if (path === '/closing') {
    startResponse('200 OK', [['Connection', 'close'], ['Content-Length', '2']])
    return [new TextEncoder().encode('ok').buffer]
  }
  startResponse('200 OK', [['X-A', '1\\r\\nX-B: 2']])
  return []
}
`,
  )
  write(
    'shy.ts',
    `const thrown = () => { throw new Error('do not look') }
export const proxy = new Proxy({}, { get: thrown, has: thrown, getPrototypeOf: thrown })
export const callable = new Proxy(() => [], { get: thrown, has: thrown, getPrototypeOf: thrown })
`,
  )
  write('throws-null.mjs', 'throw null\n')
  write(
    'throws-proxy.mjs',
    `const thrown = () => { throw new Error('do not look') }
throw new Proxy(new SyntaxError('x'), { get: thrown, has: thrown, getPrototypeOf: thrown })
`,
  )
})

async function refusal(args: string[]): Promise<string> {
  const { code, stderr } = await runCommand(args, { cwd: folder.path, timeout: 60_000 })
  expect(code, stderr).toBe(3)
  return stderr
}

describe.skipIf(!hasPython())('objects that raise when they are looked at', () => {
  test('a Flask application under another name is named, and nothing of ours is shown', async () => {
    for (const reference of ['fl', 'fl:app']) {
      const text = await refusal([reference])
      expect(text).toContain('callable there: server')
      expect(text).not.toMatch(/Traceback|RuntimeError|request/)
    }
  })

  test.each(['cpython', 'pyodide'])('on %s', async (runtime) => {
    const text = await refusal(['--runtime', runtime, 'shy:app'])
    expect(text).toContain("module 'shy' has no attribute 'app'; callable there: server")
    expect(text).not.toContain('Traceback')
  })

  test('a module that is missing is said to be by which interpreter, and how to choose another', async () => {
    const executable = join(testPython().prefix, 'bin', 'python')
    for (const reference of ['no_such_module_anywhere:app', 'lacking:app']) {
      const text = await refusal([reference])
      expect(text).toContain(`${executable} (Python `)
      expect(text).toContain('--python PATH')
      expect(text).toContain('activated virtual environment')
    }
  })
})

describe('objects that throw when they are looked at', () => {
  test.each([
    ['./shy.ts:proxy', /what its module exports raised when it was looked at\n.*do not look/],
    ['./shy.ts:callable', /what its module exports raised when it was looked at\n.*do not look/],
    ['./shy.ts:other', /exports no other/],
    ['./throws-null.mjs:app', /its module raised\nSomething that is not an Error was thrown: null/],
    [
      './throws-proxy.mjs:app',
      /its module raised\nError: do not look\n +at .*throws-proxy.mjs:1:30\)\n$/,
    ],
  ])('%s', async (reference, expected) => {
    expect(await refusal([reference])).toMatch(expected)
  })
})

const runtimes = [
  ...(hasPython() ? [['cpython', 'lenient:app'] as const] : []),
  ['pyodide', 'lenient:app'] as const,
  ['node', './lenient.ts:app'] as const,
]

describe.each(runtimes)('what other servers serve, on %s', (runtime, app) => {
  test('is served, and said once for each rule', async () => {
    const server = await startServer({
      app,
      args: ['--runtime', runtime, '--workers', runtime === 'node' ? '1' : '2'],
      cwd: folder.path,
    })
    for (let i = 0; i < 6; i++) {
      const events = await fetch(`${server.url}/events`)
      expect(await events.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n')
      const deleted = await fetch(`${server.url}/deleted`)
      expect([deleted.status, deleted.headers.get('x-gone')]).toEqual([204, 'yes'])
      const closing = await fetch(`${server.url}/closing`)
      // Whose connection it is, decides whether it closes.
      expect([await closing.text(), closing.headers.get('connection')]).toEqual(['ok', null])
    }
    expect((await fetch(`${server.url}/split`)).status).toBe(500)
    await server.waitForLog(/control character/)
    const said = server.log().match(/^.*This is said once; with --strict it is an error$/gm) ?? []
    for (const line of said) expect(line).toMatch(/WARNING|warning/)
    for (const rule of [
      /connection/i,
      /transfer-encoding/i,
      /"?'?204/,
      /headers must be/,
      /bytes are (needed|sent)/,
    ])
      expect(
        said.filter((line) => rule.test(line.replace(/^.*?(GET)/, '$1'))).length,
        `${rule}\n${said.join('\n')}`,
      ).toBeGreaterThan(0)
    expect(new Set(said.map((line) => line.replace(/^.*?GET /, ''))).size).toBe(said.length)
    expect(said.find((line) => /transfer-encoding/i.test(line))).toMatch(/lenient\.(py|ts):\d+/)
    expect(said.length).toBe(runtime === 'node' ? 5 : 6)
  })

  test('is refused with --strict, with the frames of the application alone', async () => {
    const server = await startServer({
      app,
      args: ['--runtime', runtime, '--workers', '1', '--strict'],
      cwd: folder.path,
    })
    for (const path of ['/events', '/deleted', '/closing', '/split'])
      expect((await fetch(server.url + path)).status).toBe(500)
    await waitFor(
      'four tracebacks',
      () => (server.log().match(/Error handling request|Error: /g)?.length ?? 0) >= 4,
    )
    expect(server.log()).toMatch(/lenient\.(py|ts)/)
    expect(server.log()).not.toMatch(
      /response_head\.py|leniency\.py|During handling|This is said once/,
    )
  })
})

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
import atexit, os, threading, time

atexit.register(lambda: open(f"${name}-exit-{os.getpid()}", "w").close())
ticks = []

def background():
    while True:
        ticks.append(1)
        green.sleep(0.01)

green.spawn(background)

def wait_here():
    while not os.path.exists("${name}-gate"):
        time.sleep(0.01)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/wait":
        wait_here()
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
        expect(server.log()).not.toMatch(/did not leave in time|Exception in thread/)
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
      const quick = await Promise.all(Array.from({ length: 60 }, () => text(server.url)))
      expect(new Set(quick)).toEqual(new Set(['served']))
      write(`${name}-gate`, '')
      expect((await waiting).status).toBe(200)
    })

    test.each([
      ['one thread', []],
      ['four threads', ['--threads', '4']],
    ])('is shown where it stood when a request runs out of time, with %s', async (_, args) => {
      rmSync(join(folder.path, `${name}-gate`), { force: true })
      const server = await start(['--workers', '1', '--timeout', '1', ...args])
      expect((await fetch(`${server.url}/wait`)).status).toBe(504)
      await server.waitForLog(/Worker \d+ killed by SIGABRT/)
      expect(server.log()).toMatch(
        /Greenlet 0x[0-9a-f]+ \(most recent call first\)[\s\S]*in wait_here\n[\s\S]*in app\n[\s\S]*Fatal Python error/,
      )
      await waitFor('the next worker', async () => (await fetch(server.url)).status === 200)
    })
  },
)

describe.each(runtimes)('a working directory that is a link, on %s', (runtime, app) => {
  test('a reload serves the release that the link leads to by then, with its configuration', async () => {
    for (const release of ['one', 'two']) {
      write(
        `${runtime}/${release}/lenient.py`,
        'import os\ndef app(environ, start_response):\n    start_response("200 OK", [])\n  ' +
          `  return [f"${release} {os.getcwd()}".encode()]\n`,
      )
      write(
        `${runtime}/${release}/lenient.ts`,
        "export const app = (environ, startResponse) => {\n  startResponse('200 OK', [])\n " +
          ` return [Buffer.from('${release} ' + process.cwd())]\n}\n`,
      )
      write(
        `${runtime}/${release}/monoceros.config.json`,
        JSON.stringify({ server_header: release }),
      )
    }
    const place = realpathSync(join(folder.path, runtime))
    const link = join(place, 'current')
    symlinkSync('one', link)
    const server = await startServer({
      app,
      args: ['--runtime', runtime, '--workers', '1'],
      cwd: link,
      // As a shell has it, which has gone there by the link.
      env: { PWD: link },
    })
    const seen = async () => {
      // Anew each time: a connection that is kept has its next request answered by who has it.
      const connection = await RawConnection.open(server)
      const response = await connection.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      connection.close()
      return [response.body.toString(), response.header('Server')]
    }
    expect(await seen()).toEqual([`one ${place}/one`, 'one'])

    symlinkSync('two', `${link}.new`)
    renameSync(`${link}.new`, link)
    // A worker that is started for another reason finds the release that the others have.
    if (runtime === 'cpython') {
      const [worker] = server.workers()
      process.kill(worker!, 'SIGKILL')
      await server.waitForLog(/Worker \d+ serves/)
    }
    expect(await seen()).toEqual([`one ${place}/one`, 'one'])

    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/)
    // Those that leave may accept one more connection until they hear of it.
    await waitFor('the other release', async () => (await seen())[1] === 'two')
    expect(await seen()).toEqual([`two ${place}/two`, 'two'])
  })
})

describe.skipIf(!hasPython())('files whose size their system does not know', () => {
  beforeAll(() => {
    write(
      'files.py',
      `import os

def app(environ, start_response):
    path = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "fifo":
        reader, writer = os.pipe()
        os.write(writer, b"from a pipe")
        os.close(writer)
        return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))
    return environ["wsgi.file_wrapper"](open(path, "rb"))
`,
    )
  })

  test('are sent whole by wsgi.file_wrapper', async () => {
    const server = await startServer({
      app: 'files:app',
      args: ['--workers', '1'],
      cwd: folder.path,
    })
    const paths = [
      '/proc/version',
      '/proc/filesystems',
      '/sys/kernel/mm/transparent_hugepage/enabled',
      '/dev/null',
    ]
    for (const path of paths.filter((each) => existsSync(each))) {
      for (let i = 0; i < 2; i++)
        expect(await (await fetch(`${server.url}/?${path}`)).text(), path).toBe(
          readFileSync(path, 'utf8'),
        )
    }
    expect(await (await fetch(`${server.url}/?fifo`)).text()).toBe('from a pipe')
    // Longer than one block, and than the pieces that are sent at once.
    const kallsyms = await (await fetch(`${server.url}/?/proc/kallsyms`)).text()
    expect(kallsyms.length).toBeGreaterThan(100_000)
    expect(kallsyms.endsWith('\n')).toBe(true)
    expect(server.log()).not.toMatch(/ERROR/)
  })
})

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
