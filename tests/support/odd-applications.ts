import { mkdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { RawConnection } from './raw-client.ts'
import { runCommand, startServer } from './server.ts'
import { waitFor } from './wait-for.ts'

// Applications that are not what a server expects: their objects raise when they are looked at,
// they break rules that other servers do not hold them to, they were written for another server.

const folder = temporaryDirectory()
afterAll(folder.remove)

/** Where these applications are. */
export const oddDirectory = folder.path

/** Writes a file into their folder. */
export function write(name: string, source: string): void {
  const path = join(folder.path, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, source)
}

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

/** What the command prints on standard error when it refuses to serve. */
export async function refusal(args: string[]): Promise<string> {
  const options = { cwd: folder.path, timeout: 60_000 }
  const { code, stderr } = await runCommand(['--bind', '127.0.0.1:0', ...args], options)
  expect(code, stderr).toBe(3)
  return stderr
}

/** Declares the tests that every runtime passes, for some of them with their applications. */
export function testOddApplications(
  runtimes: readonly (readonly [runtime: string, app: string])[],
): void {
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
      const said =
        server
          .log()
          .match(/^.*This is logged only once; with --strict, it is an error \[MONO4005\]$/gm) ?? []
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
        /response_head\.py|leniency\.py|During handling|This is logged only once/,
      )
    })
  })

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
}
