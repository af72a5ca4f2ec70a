import { describe, expect, test } from 'vitest'
import { environOf } from '../../../tests/support/call-application.ts'
import { garbageCollector } from '../../../tests/support/garbage.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { latin1Text } from '../text.ts'
import type { StartResponse, WSGIApplication, WSGIBody, WSGIEnvironment } from '../types.ts'
import { validator } from '../validator.ts'
import type { Rule } from '../wsgi-error.ts'
import { ViolationError } from './violation.ts'

/**
 * A mistake that a server can make, and the same thing done right. Each calls a validated
 * application that is right.
 */
interface Mistake {
  id: string
  rule: Rule
  /** What the message says of it. */
  gist: RegExp
  wrong: () => unknown
  right: () => unknown
}

const ENVIRON: Rule = 'environ Variables'
const START: Rule = 'The start_response() Callable'
const DETAILS: Rule = 'Specification Details'
const STREAMS: Rule = 'Input and Error Streams'

const bytes = (text: string) => new TextEncoder().encode(text)
const write = () => Promise.resolve()
const start: StartResponse = () => write
const ok: WSGIApplication = (_, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [bytes('a'), bytes('b')]
}
const asyncOk = async function* (
  _: WSGIEnvironment,
  startResponse: StartResponse,
): AsyncGenerator<Uint8Array> {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  yield bytes('a')
  yield bytes('b')
}

/** Calls an application as it should be called, and gives its body. */
async function serve(
  app: WSGIApplication,
  environ: unknown = environOf(),
  startResponse: unknown = start,
) {
  const body = await validator(app)(environ as WSGIEnvironment, startResponse as StartResponse)
  let text = ''
  for await (const piece of body) text += latin1Text(piece)
  await body.close?.()
  return text
}

/** An environ with some variables changed; undefined takes one away. */
const withEnviron = (changes: Record<string, unknown>) => () =>
  serve(ok, { ...environOf(), ...changes })
const withStart = (startResponse: unknown) => () => serve(ok, environOf(), startResponse)

/** What a server does with the body of a right application. */
const withBody =
  (
    use: (body: Iterable<Uint8Array> & { close(): unknown }) => unknown,
    app: WSGIApplication = ok,
  ) =>
  async () =>
    use((await validator(app)(environOf(), start)) as Iterable<Uint8Array> & { close(): unknown })
const withAsyncBody = (use: (body: AsyncIterable<Uint8Array> & { close(): unknown }) => unknown) =>
  withBody(
    use as unknown as (body: Iterable<Uint8Array> & { close(): unknown }) => unknown,
    asyncOk,
  )
const first = (body: Iterable<Uint8Array>) => body[Symbol.iterator]()

/** A server's input whose methods give that, and an application that uses it. */
const right = { read: bytes('ab\n'), readline: bytes('ab\n'), readlines: [bytes('ab\n')] }
function input(results: Record<string, unknown>) {
  const method = (name: string) => () =>
    name in results ? results[name] : Promise.resolve(right[name as 'read'])
  return {
    read: method('read'),
    readline: method('readline'),
    readlines: method('readlines'),
    ...('read1' in results ? { read1: method('read1') } : {}),
    async *[Symbol.asyncIterator]() {
      yield* (results.lines as Uint8Array[] | undefined) ?? []
    },
  }
}
const withInput =
  (
    stream: unknown,
    use: (input: WSGIEnvironment['wsgi.input']) => unknown = () => {},
    more: Record<string, unknown> = {},
  ) =>
  () =>
    serve(
      async (environ, startResponse) => {
        startResponse('200 OK', [['Content-Type', 'text/plain']])
        await use(environ['wsgi.input'])
        return [bytes('ab')]
      },
      { ...environOf(), 'wsgi.input': stream, ...more },
    )
const later = (value: unknown) => Promise.resolve(value)
/** An input that gives its bytes one by one with each read, whatever the size. */
function dripping(text: string) {
  let at = 0
  return { ...input({}), read: async () => bytes(text).subarray(at, ++at) }
}
async function readTwice(stream: WSGIEnvironment['wsgi.input']) {
  await stream.read(2)
  await stream.read(2)
}
async function drain(stream: WSGIEnvironment['wsgi.input']) {
  for await (const _ of stream);
}

const quiet = { write() {}, writelines() {}, flush() {} }
const withErrors =
  (stream: unknown, use: (errors: WSGIEnvironment['wsgi.errors']) => void = () => {}) =>
  () =>
    serve(
      (environ, startResponse) => {
        use(environ['wsgi.errors'])
        return (ok as (...args: unknown[]) => WSGIBody)(environ, startResponse)
      },
      { ...environOf(), 'wsgi.errors': stream },
    )
const broken = () => Promise.reject(new Error('full')).catch(() => {})

// biome-ignore format: a table
const mistakes: Mistake[] = [
  // The call
  { id: 'three-arguments', rule: DETAILS, gist: /two arguments, not 3/,
    wrong: () => (validator(ok) as (...args: unknown[]) => unknown)(environOf(), start, 1),
    right: () => (validator(ok) as (...args: unknown[]) => unknown)(environOf(), start) },
  { id: 'one-argument', rule: DETAILS, gist: /two arguments, not 1/,
    wrong: () => (validator(ok) as (...args: unknown[]) => unknown)(environOf()),
    right: () => serve(ok) },
  { id: 'start-response-no-function', rule: START, gist: /must be a function, not an object/,
    wrong: withStart({}), right: withStart(start) },
  { id: 'start-response-gives-nothing', rule: START, gist: /must return write\(\), not undefined/,
    wrong: withStart(() => {}), right: withStart(() => write) },
  { id: 'start-response-gives-promise', rule: START, gist: /must return write\(\), not a promise/,
    wrong: withStart(async () => write), right: withStart(() => write) },
  { id: 'write-gives-nothing', rule: 'The write() Callable', gist: /promise that resolves when more can be sent, not the boolean/,
    wrong: () => serve(writing, environOf(), () => () => true),
    right: () => serve(writing, environOf(), () => async () => {}) },

  // The environ as a whole
  { id: 'environ-null', rule: ENVIRON, gist: /plain object, not null/,
    wrong: () => serve(ok, null), right: () => serve(ok, environOf()) },
  { id: 'environ-map', rule: ENVIRON, gist: /plain object, not a Map/,
    wrong: () => serve(ok, new Map(Object.entries(environOf()))), right: withEnviron({}) },
  { id: 'environ-of-a-class', rule: ENVIRON, gist: /plain object, not an Environ/,
    wrong: () => serve(ok, Object.assign(new (class Environ {})(), environOf())),
    right: () => serve(ok, Object.assign(Object.create(null), environOf())) },
  { id: 'environ-frozen', rule: ENVIRON, gist: /read-only/,
    wrong: () => serve(ok, Object.freeze(environOf())), right: () => serve(ok, { ...Object.freeze(environOf()) }) },
  { id: 'environ-not-extensible', rule: ENVIRON, gist: /nothing can be added/,
    wrong: () => serve(ok, Object.preventExtensions(environOf())), right: withEnviron({}) },
  { id: 'environ-getter', rule: ENVIRON, gist: /PATH_INFO is read-only/,
    wrong: () => serve(ok, Object.defineProperty(environOf(), 'PATH_INFO', { get: () => '/' })),
    right: withEnviron({ PATH_INFO: '/' }) },

  // Its variables
  { id: 'no-method', rule: ENVIRON, gist: /must have the key REQUEST_METHOD/,
    wrong: withEnviron({ REQUEST_METHOD: undefined }), right: withEnviron({ REQUEST_METHOD: 'PURGE' }) },
  { id: 'no-path', rule: ENVIRON, gist: /must have the key PATH_INFO/,
    wrong: withEnviron({ PATH_INFO: undefined }), right: withEnviron({ PATH_INFO: '', SCRIPT_NAME: '/app' }) },
  { id: 'no-script-name', rule: ENVIRON, gist: /must have the key SCRIPT_NAME/,
    wrong: withEnviron({ SCRIPT_NAME: undefined }), right: withEnviron({ SCRIPT_NAME: '' }) },
  { id: 'no-query-string', rule: ENVIRON, gist: /must have the key QUERY_STRING/,
    wrong: withEnviron({ QUERY_STRING: undefined }), right: withEnviron({ QUERY_STRING: '' }) },
  { id: 'no-server-name', rule: ENVIRON, gist: /must have the key SERVER_NAME/,
    wrong: withEnviron({ SERVER_NAME: undefined }), right: withEnviron({ SERVER_NAME: '::1' }) },
  { id: 'no-protocol', rule: ENVIRON, gist: /must have the key SERVER_PROTOCOL/,
    wrong: withEnviron({ SERVER_PROTOCOL: undefined }), right: withEnviron({ SERVER_PROTOCOL: 'HTTP/2' }) },
  { id: 'no-version', rule: ENVIRON, gist: /must have the key wsgi.version/,
    wrong: withEnviron({ 'wsgi.version': undefined }), right: withEnviron({ 'wsgi.version': [1, 0] }) },
  { id: 'no-multithread', rule: ENVIRON, gist: /must have the key wsgi.multithread/,
    wrong: withEnviron({ 'wsgi.multithread': undefined }), right: withEnviron({ 'wsgi.multithread': true }) },
  { id: 'http-content-type', rule: ENVIRON, gist: /HTTP_CONTENT_TYPE.*is CONTENT_TYPE/,
    wrong: withEnviron({ HTTP_CONTENT_TYPE: 'a/b' }), right: withEnviron({ CONTENT_TYPE: 'a/b' }) },
  { id: 'http-content-length', rule: ENVIRON, gist: /HTTP_CONTENT_LENGTH.*is CONTENT_LENGTH/,
    wrong: withEnviron({ HTTP_CONTENT_LENGTH: '0' }), right: withEnviron({ CONTENT_LENGTH: '0' }) },
  { id: 'path-number', rule: ENVIRON, gist: /PATH_INFO must be a string, not the number 1/,
    wrong: withEnviron({ PATH_INFO: 1 }), right: withEnviron({ PATH_INFO: '/1' }) },
  { id: 'header-array', rule: ENVIRON, gist: /HTTP_COOKIE must be a string, not an Array/,
    wrong: withEnviron({ HTTP_COOKIE: ['a=1', 'b=2'] }), right: withEnviron({ HTTP_COOKIE: 'a=1; b=2' }) },
  { id: 'variable-null', rule: ENVIRON, gist: /REMOTE_USER must be a string, not null/,
    wrong: withEnviron({ REMOTE_USER: null }), right: withEnviron({ REMOTE_USER: undefined, 'my.user': null }) },
  { id: 'port-number', rule: ENVIRON, gist: /SERVER_PORT must be a string, not the number 80/,
    wrong: withEnviron({ SERVER_PORT: 80 }), right: withEnviron({ SERVER_PORT: '80' }) },
  { id: 'port-empty', rule: ENVIRON, gist: /SERVER_PORT must be a string of digits/,
    wrong: withEnviron({ SERVER_PORT: '' }), right: withEnviron({ SERVER_PORT: '80' }) },
  { id: 'server-name-empty', rule: ENVIRON, gist: /SERVER_NAME must not be empty/,
    wrong: withEnviron({ SERVER_NAME: '' }), right: withEnviron({ SERVER_NAME: 'localhost' }) },
  { id: 'protocol-number', rule: ENVIRON, gist: /SERVER_PROTOCOL.*"1.1"/,
    wrong: withEnviron({ SERVER_PROTOCOL: '1.1' }), right: withEnviron({ SERVER_PROTOCOL: 'HTTP/1.1' }) },
  { id: 'path-decoded-to-text', rule: 'Unicode Issues', gist: /PATH_INFO.*beyond latin-1.*€/,
    wrong: withEnviron({ PATH_INFO: '/€' }), right: withEnviron({ PATH_INFO: '/\u00e2\u0082\u00ac' }) },
  { id: 'header-in-lower-case', rule: ENVIRON, gist: /HTTP_x-id must be in upper case/,
    wrong: withEnviron({ 'HTTP_x-id': '1' }), right: withEnviron({ HTTP_X_ID: '1' }) },
  { id: 'header-with-line-break', rule: ENVIRON, gist: /HTTP_X_ID must not have a CR, LF or NUL/,
    wrong: withEnviron({ HTTP_X_ID: 'a\r\nb' }), right: withEnviron({ HTTP_X_ID: 'a\tb' }) },
  { id: 'method-empty', rule: ENVIRON, gist: /REQUEST_METHOD must be a method/,
    wrong: withEnviron({ REQUEST_METHOD: '' }), right: withEnviron({ REQUEST_METHOD: 'GET' }) },
  { id: 'method-with-a-space', rule: ENVIRON, gist: /REQUEST_METHOD must be a method/,
    wrong: withEnviron({ REQUEST_METHOD: 'GET /' }), right: withEnviron({ REQUEST_METHOD: 'M-SEARCH' }) },
  { id: 'script-name-slash', rule: ENVIRON, gist: /SCRIPT_NAME must be ""/,
    wrong: withEnviron({ SCRIPT_NAME: '/', PATH_INFO: '' }), right: withEnviron({ SCRIPT_NAME: '', PATH_INFO: '/' }) },
  { id: 'script-name-without-slash', rule: ENVIRON, gist: /SCRIPT_NAME must begin with a slash: "app"/,
    wrong: withEnviron({ SCRIPT_NAME: 'app' }), right: withEnviron({ SCRIPT_NAME: '/app' }) },
  { id: 'path-without-slash', rule: ENVIRON, gist: /PATH_INFO must begin with a slash: "a"/,
    wrong: withEnviron({ PATH_INFO: 'a' }), right: withEnviron({ PATH_INFO: '//a' }) },
  { id: 'path-asterisk', rule: ENVIRON, gist: /PATH_INFO must begin with a slash: "\*"/,
    wrong: withEnviron({ PATH_INFO: '*' }), right: withEnviron({ REQUEST_METHOD: 'OPTIONS', PATH_INFO: '*' }) },
  { id: 'no-path-at-all', rule: ENVIRON, gist: /has no path/,
    wrong: withEnviron({ PATH_INFO: '' }), right: withEnviron({ REQUEST_METHOD: 'OPTIONS', PATH_INFO: '' }) },
  { id: 'query-with-question-mark', rule: ENVIRON, gist: /QUERY_STRING must not begin/,
    wrong: withEnviron({ QUERY_STRING: '?a=b' }), right: withEnviron({ QUERY_STRING: 'a=?b' }) },
  { id: 'content-length-text', rule: ENVIRON, gist: /CONTENT_LENGTH must be a number of bytes.*"x"/,
    wrong: withEnviron({ CONTENT_LENGTH: 'x' }), right: withEnviron({ CONTENT_LENGTH: '' }) },
  { id: 'content-length-negative', rule: ENVIRON, gist: /CONTENT_LENGTH.*"-1"/,
    wrong: withEnviron({ CONTENT_LENGTH: '-1' }), right: withEnviron({ CONTENT_LENGTH: '1' }) },
  { id: 'content-length-number', rule: ENVIRON, gist: /CONTENT_LENGTH must be a string, not the number 1/,
    wrong: withEnviron({ CONTENT_LENGTH: 1 }), right: withEnviron({ CONTENT_LENGTH: '1' }) },
  { id: 'version-string', rule: ENVIRON, gist: /wsgi.version must be the array \[1, 0\], not the string "1.0"/,
    wrong: withEnviron({ 'wsgi.version': '1.0' }), right: withEnviron({ 'wsgi.version': [1, 0] }) },
  { id: 'version-other', rule: ENVIRON, gist: /not \[1, 1\]/,
    wrong: withEnviron({ 'wsgi.version': [1, 1] }), right: withEnviron({ 'wsgi.version': [1, 0] }) },
  { id: 'scheme-unknown', rule: ENVIRON, gist: /url_scheme.*"https:"/,
    wrong: withEnviron({ 'wsgi.url_scheme': 'https:' }), right: withEnviron({ 'wsgi.url_scheme': 'https' }) },
  { id: 'run-once-number', rule: ENVIRON, gist: /wsgi.run_once must be a boolean, not the number 0/,
    wrong: withEnviron({ 'wsgi.run_once': 0 }), right: withEnviron({ 'wsgi.run_once': false }) },
  { id: 'input-terminated-string', rule: ENVIRON, gist: /input_terminated must be a boolean/,
    wrong: withEnviron({ 'wsgi.input_terminated': 'yes' }), right: withEnviron({ 'wsgi.input_terminated': undefined }) },
  { id: 'file-wrapper-no-class', rule: 'Optional Platform-Specific File Handling', gist: /file_wrapper must be a class/,
    wrong: withEnviron({ 'wsgi.file_wrapper': true }), right: withEnviron({ 'wsgi.file_wrapper': class {} }) },

  // wsgi.input
  { id: 'input-bytes', rule: STREAMS, gist: /wsgi.input must be an object with methods, not the string/,
    wrong: withInput('abc'), right: withInput(input({})) },
  { id: 'input-no-read', rule: STREAMS, gist: /must have a method read\(\)/,
    wrong: withInput({ ...input({}), read: undefined }), right: withInput(input({})) },
  { id: 'input-no-readlines', rule: STREAMS, gist: /must have a method readlines\(\)/,
    wrong: withInput({ ...input({}), readlines: undefined }), right: withInput(input({})) },
  { id: 'input-not-iterable', rule: STREAMS, gist: /must have a method \[Symbol.asyncIterator\]\(\)/,
    wrong: withInput({ ...input({}), [Symbol.asyncIterator]: undefined }), right: withInput(input({})) },
  { id: 'input-read1-no-method', rule: STREAMS, gist: /read1 must be a method/,
    wrong: withInput({ ...input({}), read1: true }), right: withInput({ ...input({}), read1: undefined }) },
  { id: 'read-no-promise', rule: STREAMS, gist: /read\(\) must return a promise/,
    wrong: withInput(input({ read: bytes('a') }), (stream) => stream.read()),
    right: withInput(input({ read: later(bytes('a')) }), (stream) => stream.read()) },
  { id: 'read-string', rule: STREAMS, gist: /read\(\) must give a Uint8Array, not the string/,
    wrong: withInput(input({ read: later('a') }), (stream) => stream.read()),
    right: withInput(input({ read: later(Buffer.from('a')) }), (stream) => stream.read()) },
  { id: 'read-null-at-the-end', rule: STREAMS, gist: /read\(\) must give a Uint8Array, not null/,
    wrong: withInput(input({ read: later(null) }), (stream) => stream.read()),
    right: withInput(input({ read: later(bytes('')) }), (stream) => stream.read()) },
  { id: 'read-too-much', rule: STREAMS, gist: /read\(2\) returned 3 bytes/,
    wrong: withInput(input({ read: later(bytes('abc')) }), (stream) => stream.read(2)),
    right: withInput(input({ read: later(bytes('abc')) }), (stream) => stream.read(3)) },
  { id: 'read-short-before-the-end', rule: STREAMS, gist: /bytes after the end of the body/,
    wrong: withInput(dripping('ab'), readTwice), right: withInput(dripping('a'), readTwice) },
  { id: 'read-beyond-the-body', rule: STREAMS, gist: /3 bytes in all, but CONTENT_LENGTH is 2/,
    wrong: withInput(input({ read: later(bytes('abc')) }), (stream) => stream.read(), { CONTENT_LENGTH: '2' }),
    right: withInput(input({ read: later(bytes('abc')) }), (stream) => stream.read(), { CONTENT_LENGTH: '3' }) },
  { id: 'read1-too-much', rule: STREAMS, gist: /read1\(1\) returned 2 bytes/,
    wrong: withInput(input({ read1: later(bytes('ab')) }), (stream) => stream.read1!(1)),
    right: withInput(input({ read1: later(bytes('a')) }), (stream) => stream.read1!(2)) },
  { id: 'readline-two-lines', rule: STREAMS, gist: /readline\(\) must give one line at a time/,
    wrong: withInput(input({ readline: later(bytes('a\nb')) }), (stream) => stream.readline()),
    right: withInput(input({ readline: later(bytes('a\n')) }), (stream) => stream.readline()) },
  { id: 'readlines-no-array', rule: STREAMS, gist: /readlines\(\) must return an array, not an? Uint8Array/,
    wrong: withInput(input({ readlines: later(bytes('a\n')) }), (stream) => stream.readlines()),
    right: withInput(input({ readlines: later([bytes('a\n')]) }), (stream) => stream.readlines()) },
  { id: 'readlines-empty-line', rule: STREAMS, gist: /an empty line/,
    wrong: withInput(input({ readlines: later([bytes('')]) }), (stream) => stream.readlines()),
    right: withInput(input({ readlines: later([]) }), (stream) => stream.readlines()) },
  { id: 'iteration-of-text', rule: STREAMS, gist: /asyncIterator\]\(\) must give a Uint8Array/,
    wrong: withInput(input({ lines: ['a'] }), drain), right: withInput(input({ lines: [bytes('a')] }), drain) },
  { id: 'iteration-of-pieces', rule: STREAMS, gist: /one line at a time/,
    wrong: withInput(input({ lines: [bytes('a\nb\n')] }), drain),
    right: withInput(input({ lines: [bytes('a\n'), bytes('b\n')] }), drain) },

  // wsgi.errors
  { id: 'errors-function', rule: STREAMS, gist: /wsgi.errors must be an object with methods, not the function/,
    wrong: withErrors(console.error), right: withErrors(quiet) },
  { id: 'errors-no-flush', rule: STREAMS, gist: /wsgi.errors must have a method flush\(\)/,
    wrong: withErrors({ ...quiet, flush: undefined }), right: withErrors(quiet) },
  { id: 'errors-no-writelines', rule: STREAMS, gist: /must have a method writelines\(\)/,
    wrong: withErrors({ ...quiet, writelines: undefined }), right: withErrors(quiet) },
  { id: 'errors-write-promise', rule: STREAMS, gist: /write\(\) must return nothing, not a promise/,
    wrong: withErrors({ ...quiet, write: broken }, (errors) => errors.write('a')),
    right: withErrors({ ...quiet, write: () => true }, (errors) => errors.write('a')) },
  { id: 'errors-flush-promise', rule: STREAMS, gist: /flush\(\) must return nothing, not a promise/,
    wrong: withErrors({ ...quiet, flush: broken }, (errors) => errors.flush()),
    right: withErrors(quiet, (errors) => errors.flush()) },

  // The body
  { id: 'iterates-twice', rule: DETAILS, gist: /iterate over the body a second time/,
    wrong: withBody((body) => [...body, ...body]), right: withBody((body) => [...body]) },
  { id: 'iterates-after-close', rule: DETAILS, gist: /iterate over the body after close/,
    wrong: withBody((body) => { body.close(); return [...body] }),
    right: withBody((body) => { const all = [...body]; body.close(); return all }) },
  { id: 'piece-after-close', rule: DETAILS, gist: /a piece after close\(\)/,
    wrong: withBody((body) => { const pieces = first(body); pieces.next(); body.close(); pieces.next() }),
    right: withBody((body) => { const pieces = first(body); pieces.next(); pieces.return!(); body.close() }) },
  { id: 'piece-after-the-end', rule: DETAILS, gist: /a piece after its end/,
    wrong: withBody((body) => { const pieces = first(body); for (let i = 0; i < 4; i++) pieces.next() }),
    right: withBody((body) => { const pieces = first(body); for (let i = 0; i < 3; i++) pieces.next() }) },
  { id: 'piece-after-return', rule: DETAILS, gist: /a piece after return\(\)/,
    wrong: withBody((body) => { const pieces = first(body); pieces.return!(); pieces.next() }),
    right: withBody((body) => { const pieces = first(body); pieces.next(); pieces.return!(); pieces.return!() }) },
  { id: 'piece-after-a-failure', rule: DETAILS, gist: /a piece after its end/,
    wrong: withBody((body) => { const pieces = first(body); try { pieces.next() } catch {} pieces.next() }, failing),
    right: withBody((body) => { try { first(body).next() } catch {} body.close() }, failing) },
  { id: 'close-twice', rule: DETAILS, gist: /close\(\) twice/,
    wrong: withBody((body) => { body.close(); body.close() }), right: withBody((body) => body.close()) },
  { id: 'piece-while-waiting', rule: 'Buffering and Streaming', gist: /while it was waiting for one/,
    wrong: withAsyncBody((body) => { const pieces = body[Symbol.asyncIterator](); return Promise.all([pieces.next(), pieces.next()]) }),
    right: withAsyncBody(async (body) => { const pieces = body[Symbol.asyncIterator](); await pieces.next(); await pieces.next() }) },
  { id: 'async-piece-after-close', rule: DETAILS, gist: /a piece after close\(\)/,
    wrong: withAsyncBody(async (body) => { const pieces = body[Symbol.asyncIterator](); body.close(); await pieces.next() }),
    right: withAsyncBody(async (body) => { const pieces = body[Symbol.asyncIterator](); await pieces.next(); await pieces.return!(); body.close() }) },
  { id: 'async-close-twice', rule: DETAILS, gist: /close\(\) twice/,
    wrong: withAsyncBody(async (body) => { for await (const _ of body); body.close(); body.close() }),
    right: withAsyncBody(async (body) => { for await (const _ of body); body.close() }) },
]

function writing(_: WSGIEnvironment, startResponse: StartResponse): WSGIBody {
  void startResponse('200 OK', [['Content-Type', 'text/plain']])(bytes('a'))
  return []
}

function failing(_: WSGIEnvironment, startResponse: StartResponse): WSGIBody {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return {
    // biome-ignore lint/correctness/useYield: it fails before
    *[Symbol.iterator]() {
      throw new Error('why')
    },
  }
}

describe('a wrong server is named, with the rule it breaks', () => {
  test.each(mistakes)('$id', async ({ wrong, rule, gist }) => {
    const error = await (async () => wrong())().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ViolationError)
    expect(error).toMatchObject({ offender: 'server', rule, message: expect.stringMatching(gist) })
    expect((error as Error).message).toMatch(
      /^The server broke the contract: .+ \(PEP 3333, ".+"\)$/,
    )
  })

  test.each(mistakes)('$id, done right', async ({ right }) => {
    await right()
  })

  test('each mistake has a name of its own', () => {
    expect(new Set(mistakes.map(({ id }) => id)).size).toBe(mistakes.length)
  })
})

describe('a body that the server forgets is told of in wsgi.errors', () => {
  const collectGarbage = garbageCollector()

  type Use = (body: AsyncIterable<Uint8Array> & { close(): unknown }) => unknown

  /**
   * What is written to `wsgi.errors` of a body that a server has used so and then let go; waits for
   * that many texts.
   */
  async function complaints(count: number, use: Use) {
    const written: string[] = []
    const run = async (target: string, use: Use) => {
      const environ = environOf({ target })
      environ['wsgi.errors'] = { ...quiet, write: (text) => void written.push(text) }
      const body = await validator(asyncOk)(environ, start)
      await use(body as AsyncIterable<Uint8Array> & { close(): unknown })
    }
    await run('/suspect', use)
    // One that is surely told of, so that silence about the other means something.
    await run('/last', () => {})
    const isLast = (text: string) => text.includes('/last')
    await waitFor('the bodies to be forgotten', () => {
      collectGarbage()
      return written.some(isLast) && written.length > count
    })
    return written.filter((text) => !isLast(text))
  }

  test('one that was read and never closed', async () => {
    const [told, ...more] = await complaints(1, async (body) => {
      for await (const _ of body);
    })
    expect(told).toBe(
      'The server broke the contract: it never called close() on the body for GET /suspect ' +
        '(PEP 3333, "Specification Details")\n',
    )
    expect(more).toEqual([])
  })

  test('one that was never read nor closed', async () => {
    expect(await complaints(1, () => {})).toEqual([expect.stringContaining('never called close()')])
  })

  test('one that was closed in the middle, without its generator having been told to return', async () => {
    const told = await complaints(1, async (body) => {
      await body[Symbol.asyncIterator]().next()
      body.close()
    })
    expect(told).toEqual([expect.stringContaining("did not call the iterator's return()")])
  })

  test('but not one that was read and closed', async () => {
    const told = await complaints(0, async (body) => {
      for await (const _ of body);
      body.close()
    })
    expect(told).toEqual([])
  })

  test('nor one that was left and closed', async () => {
    const told = await complaints(0, async (body) => {
      for await (const _ of body) break
      body.close()
    })
    expect(told).toEqual([])
  })
})
