import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { exchangeOnce, RawConnection } from './raw-client.ts'
import { type RunningServer, startServer } from './server.ts'
import { withoutSlowStarts } from './slow-starts.ts'
import { waitFor } from './wait-for.ts'

// A client that gives up, at whatever point and in whichever way, has done nothing wrong, and
// neither has the application: the log has no error and no traceback of it. Each route says so when
// it is left.

/** An application in Python that says when it is left. */
const PYTHON = `
def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)

def left(environ):
    print("left", environ["PATH_INFO"], flush=True)

def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

def reads(environ, start_response):
    try:
        print("reading", environ["PATH_INFO"], flush=True)
        environ["wsgi.input"].read()
    finally:
        left(environ)
    return hello(environ, start_response)

def wraps(environ, start_response):
    try:
        print("reading", environ["PATH_INFO"], flush=True)
        environ["wsgi.input"].read()
    except OSError as error:
        left(environ)
        raise RuntimeError("the upload failed") from error
    return hello(environ, start_response)

def handles(environ, start_response):
    try:
        print("reading", environ["PATH_INFO"], flush=True)
        environ["wsgi.input"].read()
    except OSError:
        left(environ)
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"incomplete"]
    return hello(environ, start_response)

def writes(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        while True:
            write(b"x" * 65536)
    finally:
        left(environ)

def streams(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        while True:
            yield b"x" * 65536
    finally:
        left(environ)

class Body:
    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        while True:
            yield b"x" * 65536

    def close(self):
        left(self.environ)

def closes(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body(environ)
`

/** The same in TypeScript. */
const TYPESCRIPT = `
const x = new Uint8Array(65536).fill(120)
const left = (environ) => console.log('left', environ.PATH_INFO)
const begin = (start, status = '200 OK') => start(status, [['Content-Type', 'text/plain']])
const hello = (environ, start) => {
  begin(start)
  return [new TextEncoder().encode('hello')]
}
const routes = {
  hello,
  async reads(environ, start) {
    try {
      console.log('reading', environ.PATH_INFO)
      await environ['wsgi.input'].read()
    } finally {
      left(environ)
    }
    return hello(environ, start)
  },
  async wraps(environ, start) {
    try {
      console.log('reading', environ.PATH_INFO)
      await environ['wsgi.input'].read()
    } catch (error) {
      left(environ)
      throw new Error('the upload failed', { cause: error })
    }
    return hello(environ, start)
  },
  async handles(environ, start) {
    try {
      console.log('reading', environ.PATH_INFO)
      await environ['wsgi.input'].read()
    } catch {
      left(environ)
      begin(start, '400 Bad Request')
      return [new TextEncoder().encode('incomplete')]
    }
    return hello(environ, start)
  },
  async writes(environ, start) {
    const write = begin(start)
    try {
      for (;;) await write(x)
    } finally {
      left(environ)
    }
  },
  *streams(environ, start) {
    begin(start)
    try {
      for (;;) yield x
    } finally {
      left(environ)
    }
  },
  closes(environ, start) {
    begin(start)
    return { *[Symbol.iterator]() { for (;;) yield x }, close: () => left(environ) }
  },
}
export const app = (environ, start) => routes[environ.PATH_INFO.slice(1)](environ, start)
`

type Leave = (connection: RawConnection) => void
const ways: [string, Leave][] = [
  ['closes', (connection) => connection.close()],
  ['resets', (connection) => connection.reset()],
]

async function start(
  file: string,
  text: string,
  app: string,
  args: string[],
): Promise<RunningServer> {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  writeFileSync(join(directory.path, file), text)
  return startServer({ app, cwd: directory.path, args: ['--log-level', 'debug', ...args] })
}

/** Has clients leave in every way at every point, and looks at the log. */
export async function clientsLeave(server: RunningServer, streamed: boolean): Promise<void> {
  const times = (what: string) => server.log().split(`${what}\n`).length - 1
  const once = (what: string, before: number) =>
    waitFor(`${what} in the log`, () => times(what) === before + 1, 15_000)
  const post = (path: string, framing: string) =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`
  // More than is waited for before an application in the server's own process is called.
  const upload = 'Content-Length: 1000000'
  for (const [, leave] of ways) {
    // In the midst of a head, of a body, of a chunk.
    for (const part of [
      'GE',
      'GET / HTTP/1.1\r\nHost',
      post('/hello', upload),
      post('/hello', 'Transfer-Encoding: chunked'),
    ]) {
      const connection = await RawConnection.open(server)
      await connection.send(part.startsWith('POST') ? `${part}5\r\nabc` : part)
      leave(connection)
    }
    // While the application sends.
    for (const path of ['/writes', '/streams', '/closes']) {
      const before = times(`left ${path}`)
      const connection = await RawConnection.open(server)
      await connection.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const response = await connection.readResponse('GET', { bodyless: true })
      expect(response.status).toBe(200)
      leave(connection)
      await once(`left ${path}`, before)
    }
    // While it reads.
    for (const path of streamed ? ['/reads', '/wraps', '/handles'] : []) {
      for (const framing of [upload, 'Transfer-Encoding: chunked']) {
        const before = times(`left ${path}`)
        const connection = await RawConnection.open(server)
        await connection.send(`${post(path, framing)}5\r\nabc`)
        await once(`reading ${path}`, before)
        leave(connection)
        await once(`left ${path}`, before)
      }
    }
  }
  // Those that end in good order and wait for an answer are told; the log says that they gave up.
  const reader = streamed ? '/reads' : '/hello'
  for (const part of ['GET / HTTP/1.1\r\nHost', `${post(reader, upload)}abc`]) {
    const connection = await RawConnection.open(server)
    await connection.send(part)
    connection.halfClose()
    expect((await connection.readResponse()).status).toBe(400)
  }
  await server.waitForLog(
    /\[INFO\] Refused "GET \/ HTTP\/1\.1" .* the client ended within a request head/,
  )
  await server.waitForLog(
    /\[INFO\] Refused "POST \/\w+ HTTP\/1\.1" .* the client ended within a request body/,
  )
  expect((await exchangeOnce(server, 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')).text).toBe('hello')
  expect(withoutSlowStarts(server.log())).not.toMatch(
    /\[(?:WARNING|ERROR|CRITICAL)\]|Traceback|Error:/,
  )
}

/** Starts the application in Python. */
export function startLeft(args: string[]): Promise<RunningServer> {
  return start('left.py', PYTHON, 'left:application', args)
}

/** Starts the application in TypeScript. */
export function startLeftTypeScript(): Promise<RunningServer> {
  return start('left.mjs', TYPESCRIPT, './left.mjs:app', [])
}
