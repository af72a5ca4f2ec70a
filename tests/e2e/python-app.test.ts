import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PythonApplication, pythonApp } from '../../src/python-app/python-app.ts'
import {
  PythonBrokenError,
  PythonError,
  PythonLoadError,
  PythonUnavailableError,
} from '../../src/python-app/python-error.ts'
import type { PythonLogEntry } from '../../src/python-app/python-log.ts'
import type { PythonAppOptions } from '../../src/python-app/python-options.ts'
import { type ByteSource, RequestInput } from '../../src/wsgi/input-stream.ts'
import type { Bytes, InputStream, WSGIApplication, WSGIEnvironment } from '../../src/wsgi/types.ts'
import { validator } from '../../src/wsgi/validator.ts'
import {
  appsDirectory,
  djangoDirectory,
  patternedBytes,
  temporaryDirectory,
} from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { callForAnswer, environOf } from '../support/call-application.ts'
import { isAlive } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { waitFor } from '../support/wait-for.ts'

/** What tests/apps/plain.py has no route for. */
const PROBE = `
import json, logging, os, sys

def show(value):
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {"dict": {key: show(item) for key, item in value.items()}}
    if isinstance(value, list):
        return {"list": [show(item) for item in value]}
    return {type(value).__name__: repr(value)}

def values(environ, start_response):
    """The environ with the types of what is in it; what is no data is named by its type."""
    start_response("200 OK", [("Content-Type", "application/json")])
    plain = (str, int, float, bool, bytes, list, dict, type(None))
    seen = {key: show(value) if isinstance(value, plain) else type(value).__name__ for key, value in environ.items()}
    return [json.dumps(seen).encode()]

def say(environ, start_response):
    print("printed", flush=True)
    environ["wsgi.errors"].write("complained\\n")
    environ["wsgi.errors"].flush()
    logging.getLogger("probe").error("logged")
    start_response("204 No Content", [])
    return []

def write(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written,")
    return [b"returned"]

def late_error(environ, start_response):
    """Finds out in the middle of its response that it cannot go on (PEP 3333 "Error Handling")."""
    def chunks():
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"x" * 100000
        try:
            raise KeyError("lost in the middle")
        except KeyError:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")], sys.exc_info())
            yield b"never"
    return chunks()

def early_error(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-First", "1")])
    try:
        raise KeyError("lost")
    except KeyError:
        start_response("500 Sorry", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"sorry"]

def file(environ, start_response):
    handle = open(environ["QUERY_STRING"], "rb")
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](handle)

def lines(environ, start_response):
    """Answers each line as it comes: needs a request that is not read first."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for line in environ["wsgi.input"]:
        yield b"got " + line

def slow_close(environ, start_response):
    """Its response is complete before its close() returns."""
    class Body:
        def __iter__(self):
            return iter([b"x" * 5])
        def close(self):
            import time
            while not os.path.exists(environ["QUERY_STRING"]):
                time.sleep(0.005)
    start_response("200 OK", [("Content-Length", "5")])
    return Body()

def syntax(value: "
`

const data = temporaryDirectory()
const home = temporaryDirectory()
const opened: PythonApplication[] = []

/** An application of the test's own; closed behind it. */
function open(application: string, options: PythonAppOptions = {}): PythonApplication {
  const app = makeApp(application, options)
  onTestFinished(() => app.close())
  return app
}

function makeApp(application: string, options: PythonAppOptions = {}): PythonApplication {
  return pythonApp(application, {
    python: testPython().executable,
    chdir: appsDirectory,
    env: { TEST_DATA: data.path, PYTHONDONTWRITEBYTECODE: '1' },
    log: () => {},
    ...options,
  })
}

function shared(application: string, options: PythonAppOptions = {}): PythonApplication {
  const app = makeApp(application, options)
  opened.push(app)
  return app
}

let key = 0
const newKey = () => `python-app-${++key}`
const begunFile = (name: string) => join(data.path, `${name}.begun`)
const began = (name: string) => existsSync(begunFile(name))
/** The worker in which it began; 0 until it has written that. */
const workerOf = (name: string) => Number(began(name) ? readFileSync(begunFile(name), 'utf8') : 0)
const go = (name: string) => writeFileSync(join(data.path, `${name}.go`), '')
const closings = (name: string) => {
  const file = join(data.path, `${name}.closed`)
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0
}

/** A source of \`size\` bytes that counts how far it has been asked. */
class CountedSource implements ByteSource {
  given = 0
  readonly #size: number
  readonly #block = patternedBytes(65536)

  constructor(size: number) {
    this.#size = size
  }

  next(): Promise<Bytes | null> {
    if (this.given === this.#size) return Promise.resolve(null)
    const piece = this.#block.subarray(0, this.#size - this.given)
    this.given += piece.length
    return Promise.resolve(piece)
  }
}

/** Calls the application by hand, for tests that take its body piece by piece. */
async function begin(app: WSGIApplication, environ: WSGIEnvironment) {
  const response = { status: '', headers: [] as [string, string][] }
  const body = await (app as PythonApplication)(environ, (status, headers) => {
    Object.assign(response, { status, headers })
    return () => Promise.resolve()
  })
  return { ...response, body: body as AsyncIterableIterator<Uint8Array> & { close(): void } }
}

describe.skipIf(!hasPython())('a Python application in TypeScript', () => {
  let plain: PythonApplication
  let probe: (name: string) => PythonApplication
  const probes = new Map<string, PythonApplication>()

  beforeAll(() => {
    writeFileSync(join(home.path, 'probe.py'), PROBE.replace(/\ndef syntax[\s\S]*$/, ''))
    writeFileSync(join(home.path, 'broken.py'), PROBE)
    plain = shared('plain:app', { workers: 2 })
    probe = (name) => {
      const app = probes.get(name) ?? shared(`probe:${name}`, { chdir: home.path })
      probes.set(name, app)
      return app
    }
  })

  afterAll(async () => {
    await Promise.all(opened.map((app) => app.close()))
    data.remove()
    home.remove()
  })

  test('answers, with every header as it came', async () => {
    const answer = await callForAnswer(plain, { target: '/own-headers' })
    expect(answer).toMatchObject({ status: '200 OK', body: 'ok', complete: true, complaints: [] })
    expect(answer.headers).toEqual([
      ['Date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
      ['Server', "the application's"],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['Content-Length', '2'],
    ])
  })

  describe('the environ', () => {
    test('has what middleware has put, changed and deleted', async () => {
      const answer = await callForAnswer((environ, startResponse) => {
        environ.HTTP_X_ADDED = 'added'
        environ.QUERY_STRING = 'changed'
        environ.PATH_INFO = '/caf\u00c3\u00a9'
        environ['wsgi.url_scheme'] = 'https'
        environ['shop.user'] = {
          name: 'Ωmega',
          admin: false,
          age: 41,
          ratio: 0.5,
          none: null,
          token: new Uint8Array([0, 255]),
          lists: [1, [2, undefined], () => {}],
          method() {},
          when: new Date(),
        }
        environ['shop.big'] = 2 ** 40
        environ['shop.huge'] = -(3n ** 80n)
        environ['shop.function'] = () => {}
        environ['shop.instance'] = new Map()
        environ.REMOTE_PORT = undefined
        delete (environ as Partial<WSGIEnvironment>).SERVER_PROTOCOL
        return probe('values')(environ, startResponse)
      })
      const seen = JSON.parse(answer.body)
      expect(seen).toMatchObject({
        HTTP_X_ADDED: { str: "'added'" },
        QUERY_STRING: { str: "'changed'" },
        PATH_INFO: { str: "'/cafÃ©'" },
        'wsgi.url_scheme': { str: "'https'" },
        'shop.big': { int: '1099511627776' },
        'shop.huge': { int: String(-(3n ** 80n)) },
      })
      expect(seen['shop.user']).toEqual({
        dict: {
          name: { str: "'Ωmega'" },
          admin: { bool: 'False' },
          age: { int: '41' },
          ratio: { float: '0.5' },
          none: { NoneType: 'None' },
          token: { bytes: '00ff' },
          lists: {
            list: [
              { int: '1' },
              { list: [{ int: '2' }, { NoneType: 'None' }] },
              { NoneType: 'None' },
            ],
          },
        },
      })
      for (const absent of ['shop.function', 'shop.instance', 'REMOTE_PORT', 'SERVER_PROTOCOL'])
        expect(seen).not.toHaveProperty([absent])
    })

    test('keeps the wsgi variables that are the worker’s own', async () => {
      const answer = await callForAnswer(probe('values'), {
        environ: {
          'wsgi.run_once': true,
          'wsgi.multiprocess': true,
          'wsgi.errors': { hidden: true } as never,
        },
      })
      const seen = JSON.parse(answer.body)
      expect(seen['wsgi.run_once']).toEqual({ bool: 'False' })
      expect(seen['wsgi.errors']).toBe('ErrorStream')
      expect(seen['wsgi.input']).toBe('BytesIO')
      // True where either side says so: the server may have more processes like this one.
      expect(seen['wsgi.multiprocess']).toEqual({ bool: 'True' })
    })

    test('with a character beyond latin-1 is refused, with its key', async () => {
      const answer = await callForAnswer(plain, { environ: { HTTP_X_NAME: 'Ω' } })
      expect(answer.status).toMatch(/^500/)
      expect(String(answer.error)).toMatch(
        /environ\["HTTP_X_NAME"\]: "Ω" has a character beyond latin-1/,
      )
    })

    test('that contains itself is refused', async () => {
      const loop: Record<string, unknown> = {}
      loop.loop = loop
      const answer = await callForAnswer(plain, { environ: { 'x.loop': loop } })
      expect(String(answer.error)).toMatch(/environ\["x\.loop"\] is nested deeper than 64/)
    })

    test('is read when the application is called: what becomes of it afterwards does not matter', async () => {
      const app = open('plain:app')
      const answer = await callForAnswer(
        (environ, startResponse) => {
          const answered = app(environ, startResponse)
          environ.PATH_INFO = '/raise-before'
          return answered
        },
        { target: '/' },
      )
      expect(answer.body).toBe('hello\n')
    })
  })

  describe('the request body', () => {
    test('goes along, with its length', async () => {
      const answer = await callForAnswer(plain, { target: '/echo', body: 'some body' })
      const { body, environ } = JSON.parse(answer.body)
      expect(body).toBe('some body')
      expect(environ.CONTENT_LENGTH).toBe('9')
    })

    test('of unknown length is read first, and gets a length as from the server', async () => {
      const environ = environOf({
        method: 'POST',
        target: '/echo',
        headers: [['Transfer-Encoding', 'chunked']],
      })
      environ['wsgi.input'] = new RequestInput(new CountedSource(100_000))
      const answer = await callForAnswer((_, startResponse) => plain(environ, startResponse))
      const seen = JSON.parse(answer.body)
      expect(seen.body.length).toBe(100_000)
      expect(seen.environ).toMatchObject({ CONTENT_LENGTH: '100000' })
      expect(seen.environ).not.toHaveProperty('HTTP_TRANSFER_ENCODING')
    })

    test('is read through what a middleware has put around it', async () => {
      const shout = (inner: InputStream): InputStream => ({
        read: async (size) =>
          Buffer.from(
            Buffer.from(await inner.read(size))
              .toString()
              .toUpperCase(),
          ),
        readline: (size) => inner.readline(size),
        readlines: (hint) => inner.readlines(hint),
        [Symbol.asyncIterator]: () => inner[Symbol.asyncIterator](),
      })
      const app: WSGIApplication = (environ, startResponse) => {
        environ['wsgi.input'] = shout(environ['wsgi.input'])
        return plain(environ, startResponse)
      }
      expect(
        JSON.parse((await callForAnswer(app, { target: '/echo', body: 'quiet' })).body).body,
      ).toBe('QUIET')
    })

    test('that does not end by itself is read as far as CONTENT_LENGTH says, and not at all without one', async () => {
      const never = () => new Promise<never>(() => {})
      const endless: InputStream = {
        read: (size = 0) => (size > 5 ? never() : Promise.resolve(Buffer.alloc(size, 'x'))),
        readline: never,
        readlines: never,
        [Symbol.asyncIterator]: () => ({ next: never }),
      }
      const environ = { 'wsgi.input': endless, 'wsgi.input_terminated': false }
      const some = await callForAnswer(plain, {
        method: 'POST',
        target: '/echo',
        environ: { ...environ, CONTENT_LENGTH: '5' },
      })
      expect(JSON.parse(some.body).body).toBe('xxxxx')
      expect(JSON.parse((await callForAnswer(plain, { target: '/echo', environ })).body).body).toBe(
        '',
      )
    })

    test('whose CONTENT_LENGTH is no number is refused', async () => {
      const answer = await callForAnswer(plain, { body: 'x', environ: { CONTENT_LENGTH: '+1' } })
      expect(String(answer.error)).toMatch(
        /CONTENT_LENGTH must be a number of bytes in digits, not the string "\+1"/,
      )
    })

    test('whose client goes away is not run', async () => {
      const gone = new Error('the client went away')
      const input = new RequestInput({ next: () => Promise.reject(gone) })
      const name = newKey()
      const answer = await callForAnswer(plain, {
        target: `/wait?key=${name}`,
        environ: { 'wsgi.input': input, CONTENT_LENGTH: '10' },
      })
      expect(answer.error).toBe(gone)
      expect(began(name)).toBe(false)
    })

    test('of 100 MB passes through a file, at the speed of the file, and leaves none', async () => {
      const folder = temporaryDirectory()
      onTestFinished(folder.remove)
      const app = open('plain:app', { tmpUploadDir: folder.path })
      const source = new CountedSource(100_000_000)
      await app.ready()
      const before = process.memoryUsage()
      let most = 0
      const sampling = setInterval(() => {
        const { heapUsed, external } = process.memoryUsage()
        most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
      }, 20)
      const answer = await callForAnswer(app, {
        method: 'POST',
        target: '/length',
        environ: { 'wsgi.input': new RequestInput(source), CONTENT_LENGTH: '100000000' },
      })
      clearInterval(sampling)
      expect(answer.body).toBe('100000000')
      expect(most).toBeLessThan(50e6)
      expect(readdirSync(folder.path)).toEqual([])
    })

    test('is streamed without request buffering: the application answers before its end', async () => {
      const app = open('probe:lines', { chdir: home.path, requestBuffering: false })
      let send!: (piece: Bytes | null) => void
      const nextPiece = () => new Promise<Bytes | null>((resolve) => (send = resolve))
      const environ = environOf({
        method: 'POST',
        input: new RequestInput({ next: () => nextPiece() }),
      })
      const beginning = begin(app, environ)
      await waitFor('the application to read', () => send !== undefined)
      send(Buffer.from('one\n'))
      const { body } = await beginning
      expect(Buffer.from((await body.next()).value).toString()).toBe('got one\n')
      const second = body.next()
      send(Buffer.from('two\n'))
      expect(Buffer.from((await second).value).toString()).toBe('got two\n')
      const last = body.next()
      send(null)
      expect(await last).toEqual({ done: true, value: undefined })
    })

    test('that is streamed is asked for no faster than the application reads', async () => {
      const app = open('plain:app', { requestBuffering: false })
      const name = newKey()
      const source = new CountedSource(20_000_000)
      const waiting = callForAnswer(app, {
        method: 'POST',
        target: `/wait?key=${name}`,
        environ: { 'wsgi.input': new RequestInput(source), CONTENT_LENGTH: '20000000' },
      })
      await waitFor('the application to begin', () => began(name))
      expect(source.given).toBe(0)
      go(name)
      await waiting
      const read = new CountedSource(20_000_000)
      const answer = await callForAnswer(app, {
        method: 'POST',
        target: '/length',
        environ: { 'wsgi.input': new RequestInput(read), CONTENT_LENGTH: '20000000' },
      })
      expect(answer.body).toBe('20000000')
    })

    test('that breaks off while it is streamed fails with the reason', async () => {
      const app = open('plain:app', { requestBuffering: false })
      const gone = new Error('the client went away')
      let pieces = 0
      const next = () =>
        pieces++ === 0 ? Promise.resolve(Buffer.from('half')) : Promise.reject(gone)
      const answer = await callForAnswer(app, {
        method: 'POST',
        target: '/length',
        environ: { 'wsgi.input': new RequestInput({ next }), CONTENT_LENGTH: '10' },
      })
      expect(answer.error).toBe(gone)
    })
  })

  describe('the response', () => {
    test('comes in pieces as the application gives them', async () => {
      const answer = await callForAnswer(plain, { target: '/chunked' })
      expect(answer).toMatchObject({ body: 'one,two,three', complete: true, complaints: [] })
    })

    test('to HEAD, and with 204, has no body', async () => {
      const head = await callForAnswer(plain, { method: 'HEAD', target: '/whole?size=1000' })
      expect(head).toMatchObject({ status: '200 OK', body: '', complete: true, complaints: [] })
      expect(head.header('content-length')).toBe('1000')
      const none = await callForAnswer(plain, { target: '/status?line=204%20Gone%20well' })
      expect(none).toMatchObject({
        status: '204 Gone well',
        body: '',
        complete: true,
        complaints: [],
      })
    })

    test('may use write(), and may begin again with exc_info', async () => {
      expect((await callForAnswer(probe('write'))).body).toBe('written,returned')
      const again = await callForAnswer(probe('early_error'))
      expect(again).toMatchObject({ status: '500 Sorry', body: 'sorry', complete: true })
      expect(again.header('x-first')).toBeUndefined()
    })

    test.each(['/big?size=100000000', '/big?size=100000000&sized'])(
      'of 100 MB (%s) waits for who takes it, and holds little',
      async (target) => {
        const { body } = await begin(plain, environOf({ target }))
        const hash = createHash('sha256')
        const expected = createHash('sha256')
        const before = process.memoryUsage()
        let total = 0
        let most = 0
        for await (const piece of body) {
          hash.update(piece)
          total += piece.length
          const { heapUsed, external } = process.memoryUsage()
          most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
        }
        const block = Buffer.alloc(
          65536,
          Uint8Array.from({ length: 256 }, (_, n) => n),
        )
        for (let left = 100_000_000; left > 0; left -= block.length)
          expected.update(block.subarray(0, left))
        expect(total).toBe(100_000_000)
        expect(hash.digest('hex')).toBe(expected.digest('hex'))
        expect(most).toBeLessThan(60e6)
      },
    )

    test('that nobody takes any more is closed, once', async () => {
      for (const how of ['close', 'return'] as const) {
        const name = newKey()
        const { body } = await begin(plain, environOf({ target: `/endless?key=${name}` }))
        await body.next()
        await body[how]!()
        body.close()
        await waitFor('close() in Python', () => closings(name) > 0)
        expect(await body.next()).toEqual({ done: true, value: undefined })
        expect(closings(name)).toBe(1)
      }
    })

    test('is complete when its length has come, while close() still runs in Python', async () => {
      const app = open('probe:slow_close', { chdir: home.path })
      const file = join(data.path, newKey())
      const answer = await callForAnswer(app, { target: `/?${file}` })
      expect(answer).toMatchObject({ body: 'xxxxx', complete: true })
      writeFileSync(file, '')
    })

    test('from wsgi.file_wrapper is read from the file, in pieces', async () => {
      const bytes = patternedBytes(5_000_000)
      const file = join(data.path, 'file.bin')
      writeFileSync(file, bytes)
      const { body, headers } = await begin(probe('file'), environOf({ target: `/?${file}` }))
      const pieces: Uint8Array[] = []
      for await (const piece of body) pieces.push(piece)
      expect(headers).toContainEqual(['Content-Length', '5000000'])
      expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
      expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(256 * 1024)
      const head = await callForAnswer(probe('file'), { method: 'HEAD', target: `/?${file}` })
      expect(head).toMatchObject({ status: '200 OK', body: '', complete: true, complaints: [] })
    })

    test('passes the validator, as the application and as what is called by one', async () => {
      for (const target of ['/', '/chunked', '/big?size=300000', '/whole?size=200000', '/pid']) {
        const answer = await callForAnswer(validator(plain), { target })
        expect([target, answer.error, answer.complete]).toEqual([target, undefined, true])
      }
      const posted = await callForAnswer(validator(plain), {
        target: '/length',
        body: 'x'.repeat(200_000),
      })
      expect(posted).toMatchObject({ body: '200000', error: undefined, complete: true })
    })
  })

  describe('what goes wrong', () => {
    test('in the application before its response is thrown with the traceback', async () => {
      const answer = await callForAnswer(plain, { target: '/raise-before' })
      const error = answer.error as PythonError
      expect(error).toBeInstanceOf(PythonError)
      expect(error.message).toBe('ValueError: raised before start_response')
      expect(error.code).toBe('python-error')
      expect(error.traceback).toMatch(
        /^Traceback[\s\S]*plain\.py[\s\S]*in raise_before[\s\S]*ValueError: raised before start_response$/,
      )
      expect(error.stack).toContain(error.traceback)
    })

    test('after the first bytes breaks the body off', async () => {
      const name = newKey()
      go(name)
      const logged: string[] = []
      const app = open('plain:app', { log: ({ text }) => logged.push(text) })
      const answer = await callForAnswer(app, { target: `/raise-after?key=${name}` })
      expect(answer).toMatchObject({ status: '200 OK', body: 'part', complete: false })
      expect(answer.error).toBeInstanceOf(PythonBrokenError)
      await waitFor('the traceback in the log', () =>
        logged.some((text) => text.includes('raised after the head')),
      )
      expect(closings(name)).toBe(1)
      const late = await callForAnswer(probe('late_error'))
      expect(late.error).toBeInstanceOf(PythonBrokenError)
      expect(late.body.length).toBe(100_000)
    })

    test('at loading fails every request that waits with the traceback, and the next one tries again', async () => {
      writeFileSync(join(home.path, 'mending.py'), 'import this_is_not_there\n')
      const app = open('mending:app', { chdir: home.path })
      const errors = await Promise.all(
        [1, 2, 3].map(async () => (await callForAnswer(app)).error as PythonLoadError),
      )
      for (const error of errors) {
        expect(error).toBeInstanceOf(PythonLoadError)
        expect(error.message).toMatch(
          /mending:app could not be loaded: ModuleNotFoundError: .*this_is_not_there/,
        )
        expect(error.traceback).toContain('mending.py')
      }
      await expect(app.ready()).rejects.toThrow(PythonLoadError)
      writeFileSync(
        join(home.path, 'mending.py'),
        'def app(environ, start_response):\n    start_response("200 OK", [])\n    return ' +
          '[b"mended"]\n',
      )
      expect((await callForAnswer(app)).body).toBe('mended')
    })

    test('with the syntax of the application is shown', async () => {
      const answer = await callForAnswer(open('broken:app', { chdir: home.path }))
      expect((answer.error as PythonError).traceback).toContain('SyntaxError')
    })

    test('a worker that is killed is an error 502, and the next request is answered', async () => {
      const app = open('plain:app')
      const name = newKey()
      const waiting = callForAnswer(app, { target: `/wait?key=${name}` })
      process.kill(await waitFor('the application to begin', () => workerOf(name)), 'SIGKILL')
      const error = (await waiting).error as PythonUnavailableError
      expect(error).toBeInstanceOf(PythonUnavailableError)
      expect(error).toMatchObject({ status: 502, code: 'python-worker-lost', expose: false })
      expect((await callForAnswer(app)).body).toBe('hello\n')
    })

    test('a worker that is killed in the middle of a response breaks it off', async () => {
      const app = open('plain:app')
      const name = newKey()
      const { body } = await begin(app, environOf({ target: `/endless?key=${name}` }))
      await body.next()
      process.kill(workerOf(name), 'SIGKILL')
      const drained = (async () => {
        for await (const _ of body);
      })()
      await expect(drained).rejects.toMatchObject({ status: 502, code: 'python-worker-lost' })
    })

    test('an application that takes too long is an error 504', async () => {
      const app = open('plain:app', { timeout: 0.3 })
      const answer = await callForAnswer(app, { target: `/stuck?where=first&key=${newKey()}` })
      expect(answer.error).toMatchObject({ status: 504, code: 'python-timeout' })
    })

    test('more requests than may wait are errors 503', async () => {
      const app = open('plain:app', { backlogLimit: 1 })
      await app.ready()
      const name = newKey()
      const all = Array.from({ length: 60 }, () =>
        callForAnswer(app, { target: `/wait?key=${name}` }),
      )
      await waitFor('the application to begin', () => began(name))
      go(name)
      const answers = await Promise.all(all)
      const refused = answers.filter(({ error }) => error !== undefined)
      expect(refused.length).toBeGreaterThan(0)
      for (const { error } of refused)
        expect(error).toMatchObject({
          status: 503,
          code: 'python-busy',
          headers: { 'Retry-After': '1' },
        })
      expect(answers.length - refused.length).toBeGreaterThan(0)
    })

    test('an interpreter that is not there is an error 503 that names the option', async () => {
      const answer = await callForAnswer(open('plain:app', { python: '/no/such/python' }))
      expect(answer.error).toMatchObject({ status: 503, code: 'python-start' })
      expect(String(answer.error)).toMatch(/given with the option python cannot be used/)
    })

    test('what takes the response and refuses its head is heard, and the worker goes on', async () => {
      const refusal = new Error('no cookies here')
      const app: WSGIApplication = (environ) =>
        plain(environ, () => {
          throw refusal
        })
      expect((await callForAnswer(app, { target: '/own-headers' })).error).toBe(refusal)
      expect((await callForAnswer(app, { target: '/endless?key=refused' })).error).toBe(refusal)
      await waitFor('close() in Python', () => closings('refused') === 1)
      expect((await callForAnswer(plain)).body).toBe('hello\n')
    })
  })

  describe('its life', () => {
    test('begins with the first request, or with ready()', async () => {
      const entries: PythonLogEntry[] = []
      const app = open('plain:app', { workers: 2, log: (entry) => entries.push(entry) })
      await new Promise((resolve) => setImmediate(resolve))
      expect(entries).toEqual([])
      await app.ready()
      const loading = entries.filter(({ text }) => text.includes('is loading'))
      expect(loading.length).toBe(2)
      await callForAnswer(app)
      expect(entries.filter(({ text }) => text.includes('is loading')).length).toBe(2)
    })

    test('ends with close(): what is under way finishes, what comes later is an error, the workers are gone', async () => {
      const app = open('plain:app')
      const name = newKey()
      const pid = Number((await callForAnswer(app, { target: '/pid' })).body)
      const waiting = callForAnswer(app, { target: `/wait?key=${name}` })
      await waitFor('the application to begin', () => began(name))
      const closing = app.close()
      expect((await callForAnswer(app)).error).toMatchObject({ status: 503, code: 'python-closed' })
      go(name)
      expect((await waiting).body).toBe(String(pid))
      await closing
      expect(isAlive(pid)).toBe(false)
      await app.close()
      await expect(app.ready()).rejects.toThrow('has been closed')
    })

    test('close() without a request ends at once, and while the workers start with them', async () => {
      const unused = open('plain:app')
      await unused.close()
      const starting = open('plain:app')
      const first = callForAnswer(starting)
      await starting.close()
      expect((await first).body).toBe('hello\n')
    })

    test('close() does not wait for ever', async () => {
      const app = open('plain:app', { gracefulTimeout: 0.3 })
      const name = newKey()
      const waiting = callForAnswer(app, { target: `/stuck?where=first&key=${name}` })
      await waitFor('the application to begin', () => began(name))
      const queued = Array.from({ length: 40 }, () => callForAnswer(app))
      await app.close()
      expect((await waiting).error).toMatchObject({ status: 502 })
      for (const { error } of await Promise.all(queued))
        expect(error).toMatchObject({ code: 'python-closed' })
    })

    test('reload() brings a changed application, with nothing lost', async () => {
      const folder = temporaryDirectory()
      onTestFinished(folder.remove)
      const app = open('plain:app', { env: { TEST_DATA: folder.path } })
      expect((await callForAnswer(app, { target: '/generation' })).body).toBe('0')
      writeFileSync(join(folder.path, 'generation'), '1')
      await app.reload()
      expect((await callForAnswer(app, { target: '/generation' })).body).toBe('1')
      writeFileSync(join(folder.path, 'generation'), 'not a number')
      await expect(app.reload()).rejects.toThrow(PythonLoadError)
      expect((await callForAnswer(app, { target: '/generation' })).body).toBe('1')
    })

    test('reloads that are asked for at once are one after the other, and all see the last state', async () => {
      const folder = temporaryDirectory()
      onTestFinished(folder.remove)
      const app = open('plain:app', { env: { TEST_DATA: folder.path } })
      await app.ready()
      const all = []
      for (const generation of ['1', '2', '3', '4']) {
        writeFileSync(join(folder.path, 'generation'), generation)
        all.push(app.reload())
      }
      expect(await Promise.all(all)).toEqual([undefined, undefined, undefined, undefined])
      expect((await callForAnswer(app, { target: '/generation' })).body).toBe('4')
    })

    test('maxRequests replaces workers with nothing lost', async () => {
      const app = open('plain:app', { maxRequests: 5 })
      const pids = new Set<string>()
      await waitFor('a third worker', async () => {
        const answer = await callForAnswer(app, { target: '/pid' })
        expect(answer.error).toBeUndefined()
        return pids.add(answer.body).size > 2
      })
    })

    test('answers hundreds of requests at a time, each its own', async () => {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) =>
          callForAnswer(plain, { target: '/echo', body: `number ${n}` }),
        ),
      )
      expect(answers.map(({ body }) => JSON.parse(body).body)).toEqual(
        Array.from({ length: 500 }, (_, n) => `number ${n}`),
      )
    })

    test('what Python prints and logs goes to the log, with its process', async () => {
      const entries: PythonLogEntry[] = []
      const app = open('probe:say', { chdir: home.path, log: (entry) => entries.push(entry) })
      await callForAnswer(app)
      await waitFor(
        'the output',
        () => entries.filter(({ source }) => source !== 'server').length >= 3,
      )
      const said = entries
        .filter(({ source }) => source !== 'server')
        .map(({ source, text }) => `${source}: ${text}`)
      expect(said.sort()).toEqual(['stderr: complained', 'stderr: logged', 'stdout: printed'])
      expect(entries.every(({ pid }) => pid > 0)).toBe(true)
    })

    test('a log that throws does no harm', async () => {
      const app = open('plain:app', {
        log: ({ level }) => {
          if (level === 'debug') throw new Error('the log is full')
        },
      })
      expect((await callForAnswer(app)).body).toBe('hello\n')
    })
  })

  describe('a script', () => {
    /** Runs a module of its own on the compiled package. */
    function script(text: string): {
      done: Promise<{ code: number | null; output: string }>
      pid: number
      output: () => string
    } {
      const name = join(home.path, `${newKey()}.mjs`)
      const url = (path: string) => pathToFileURL(join(repository, 'dist', path)).href
      writeFileSync(
        name,
        `import { pythonApp } from '${url('python-app/python-app.js')}'
import { makeEnviron } from '${url('wsgi/environ.js')}'
const app = pythonApp('plain:app', ${JSON.stringify({
          python: testPython().executable,
          chdir: appsDirectory,
          env: { TEST_DATA: data.path },
          workers: 2,
        })})
const get = (target) => app(makeEnviron({ method: 'GET', target, headers: [] }), () => async () => {})
const text = async (target) => { let text = ''; for await (const piece of await get(target)) text += piece; return text }
${text}`,
      )
      const child = spawn(process.execPath, [name], { stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => (output += chunk))
      const done = new Promise<{ code: number | null; output: string }>((resolve) =>
        child.on('close', (code) => resolve({ code, output })),
      )
      onTestFinished(() => void child.kill('SIGKILL'))
      return { done, pid: child.pid!, output: () => output }
    }

    /** Ledgers and bodies have names for a moment only. */
    const leftovers = (pid: number) =>
      readdirSync(tmpdir()).filter(
        (name) => name.startsWith(`ledger-${pid}-`) || name.startsWith(`body-${pid}-`),
      )

    test('ends by itself when it has its answer, and so do the workers', async () => {
      const { done, pid } = script("console.log(await text('/pid'))")
      const { code, output } = await done
      expect(output).toMatch(/^[0-9]+\n$/)
      expect(code).toBe(0)
      await waitFor('the worker to be gone', () => !isAlive(Number(output)))
      expect(leftovers(pid)).toEqual([])
    })

    test('stays while something is under way, and ends when a body is given up', async () => {
      const name = newKey()
      const { done } = script(
        `const body = await get('/endless?key=${name}'); await body.next(); body.close(); ` +
          "console.log('given up')",
      )
      expect(await done).toEqual({ code: 0, output: 'given up\n' })
      await waitFor('close() in Python', () => closings(name) === 1)
    })

    test('that says nothing of a log has what Python prints and fails with on standard error', async () => {
      const name = newKey()
      go(name)
      const { done } = script(
        `await text('/raise-after?key=${name}').catch((error) => console.log(error.code)); ` +
          'await app.close()',
      )
      const { code, output } = await done
      expect(code).toBe(0)
      expect(output).toMatch(/\[[0-9]+\] \[ERROR\] [\s\S]*ValueError: raised after the head/)
      expect(output).toMatch(/^python-broken$/m)
    })

    test('that is killed takes its workers with it', async () => {
      const { done, pid, output } = script(
        "console.log(await text('/pid')); setInterval(() => {}, 1000)",
      )
      const worker = Number(
        await waitFor('the answer', () => /^[0-9]+\n$/.test(output()) && output()),
      )
      expect(isAlive(worker)).toBe(true)
      process.kill(pid, 'SIGKILL')
      await done
      await waitFor('the worker to be gone', () => !isAlive(worker))
      expect(leftovers(pid)).toEqual([])
    })
  })

  describe('frameworks', () => {
    test('Flask and Django stand side by side under their mounts', async () => {
      const flask = open('flask_app:app')
      const django = open('mysite.wsgi:application', { chdir: djangoDirectory })
      const greeting = await callForAnswer(flask, { mount: '/api', target: '/absolute' })
      expect(greeting.body).toBe('http://localhost/api/greet/Zo%C3%AB')
      const form = await callForAnswer(flask, {
        target: '/form',
        body: 'a=1&b=%C3%A9',
        headers: [
          ['Host', 'localhost'],
          ['Content-Type', 'application/x-www-form-urlencoded'],
        ],
      })
      expect(JSON.parse(form.body)).toEqual({ a: '1', b: 'é' })
      const stream = await callForAnswer(flask, { target: '/stream?q' })
      expect(stream.body.split('\n').length).toBe(101)
      const boom = await callForAnswer(flask, { target: '/boom' })
      expect(boom).toMatchObject({ status: '500 INTERNAL SERVER ERROR', complete: true })
      const login = await callForAnswer(django, { mount: '/django', target: '/admin/' })
      expect(login.status).toBe('302 Found')
      expect(login.header('location')).toBe('/django/admin/login/?next=/django/admin/')
    })
  })

  test('an option that cannot be is refused at once', () => {
    const cases: [PythonAppOptions, RegExp][] = [
      [{ workers: 0 }, /workers: expected a whole number from 1 to 4096, got 0/],
      [{ chdir: '/no/such/folder' }, /chdir: expected an existing folder/],
      [{ timeout: -1 }, /timeout: expected a number of seconds/],
      [{ requestBuffering: 1 as never }, /requestBuffering: expected true or false, got 1/],
      [{ env: { A: 1 as never } }, /env: expected strings as values, got 1/],
      [{ worker: 2 } as never, /no option "worker" \(did you mean workers\?\)/],
      [{ log: {} as never }, /log must be a function/],
    ]
    for (const [options, message] of cases) expect(() => pythonApp('a:b', options)).toThrow(message)
    expect(() => pythonApp('')).toThrow(/must be MODULE:NAME/)
  })
})
