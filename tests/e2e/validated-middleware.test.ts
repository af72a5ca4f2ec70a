/**
 * Every middleware between two validators: is it a good server to the application inside, and a
 * good application to the server outside?
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bodyLimit } from '../../src/middleware/body-limit/body-limit.ts'
import { compose } from '../../src/middleware/compose/compose.ts'
import { compress } from '../../src/middleware/compress/compress.ts'
import { conditional } from '../../src/middleware/conditional/conditional.ts'
import { cors } from '../../src/middleware/cors/cors.ts'
import { dispatcher } from '../../src/middleware/dispatcher/dispatcher.ts'
import { errorHandler } from '../../src/middleware/error-handler/error-handler.ts'
import { logger } from '../../src/middleware/logger/logger.ts'
import { methods } from '../../src/middleware/methods/methods.ts'
import { profiler } from '../../src/middleware/profiler/profiler.ts'
import { proxyFix } from '../../src/middleware/proxy-fix/proxy-fix.ts'
import { requestId } from '../../src/middleware/request-id/request-id.ts'
import { staticFiles } from '../../src/middleware/static-files/static-files.ts'
import { timeout } from '../../src/middleware/timeout/timeout.ts'
import { isPromise } from '../../src/wsgi/body.ts'
import { Call } from '../../src/wsgi/call.ts'
import { checkHead, type HeadFacts } from '../../src/wsgi/head-rules.ts'
import type { ResponseSink } from '../../src/wsgi/response-sink.ts'
import type {
  Middleware,
  ResponseHeaders,
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
} from '../../src/wsgi/types.ts'
import { validator } from '../../src/wsgi/validator.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { environOf, type TestRequest } from '../support/call-application.ts'
import { garbageCollector } from '../support/garbage.ts'
import { waitFor } from '../support/wait-for.ts'

const files = temporaryDirectory()
beforeAll(() => {
  mkdirSync(join(files.path, 'folder'))
  writeFileSync(join(files.path, 'index.html'), '<p>hello</p>')
  writeFileSync(join(files.path, 'large.txt'), 'some text '.repeat(50_000))
})
afterAll(files.remove)

/** By folder of src/middleware; several where options change the way that a response takes. */
const middleware: Record<string, Record<string, Middleware>> = {
  'body-limit': { small: bodyLimit({ maxBytes: 4 }), large: bodyLimit({ maxBytes: 1e6 }) },
  compose: {
    none: compose(),
    many: compose(
      errorHandler(),
      logger({ write() {} }),
      requestId(),
      compress(),
      conditional(),
      cors(),
    ),
    many_in_another_order: compose(
      conditional(),
      compress(),
      timeout({ seconds: 60 }),
      profiler(),
      errorHandler(),
    ),
  },
  compress: { all: compress(), everything: compress({ threshold: 0, types: () => true }) },
  conditional: {
    tagged: conditional(),
    dated: conditional({ etag: false, lastModified: () => new Date(0) }),
  },
  cors: { any: cors(), one: cors({ origin: 'https://a.example', credentials: true }) },
  dispatcher: {
    mounted: (app) => dispatcher({ '/folder': app }),
    host: (app) => dispatcher(null, { localhost: app }),
    fallback: (app) => dispatcher(app, { '/nowhere': app }),
  },
  'error-handler': {
    plain: errorHandler(),
    debug: errorHandler({ debug: true }),
    rendered: errorHandler({
      render: () => ({
        status: '500 Oh',
        headers: [['Content-Type', 'text/plain']],
        body: 'sorry',
      }),
    }),
  },
  logger: { combined: logger({ write() {} }), function: logger({ format: () => 'a', write() {} }) },
  methods: { get: (app) => methods({ GET: app }), post: (app) => methods({ GET: app, POST: app }) },
  profiler: { on: profiler({ onProfile() {} }), untold: profiler({ serverTiming: false }) },
  'proxy-fix': { one: proxyFix(), forwarded: proxyFix({ forwarded: true }) },
  'request-id': { own: requestId(), trusting: requestId({ trust: true }) },
  'static-files': {
    before: staticFiles({ root: files.path }),
    fallback: staticFiles({ root: files.path, fallback: 'index.html' }),
    elsewhere: staticFiles({ root: files.path, prefix: '/static' }),
  },
  timeout: {
    long: timeout({ seconds: 60 }),
    short: timeout({ seconds: 0.001, onTimeout() {} }),
    pieces: timeout({ seconds: 60, pieceSeconds: 0.001, onTimeout() {} }),
  },
}

const bytes = (text: string) => new TextEncoder().encode(text)
const TEXT: [string, string][] = [['Content-Type', 'text/plain']]
const LONG = 'some text '.repeat(500)
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 3))

type Application = (
  environ: WSGIEnvironment,
  startResponse: StartResponse,
) => WSGIBody | Promise<WSGIBody>

const applications: Record<string, Application> = {
  array: (_, start) => {
    start('200 OK', TEXT)
    return [bytes('a'), bytes(''), bytes('b')]
  },
  'long array with a length': (_, start) => {
    start('200 OK', [...TEXT, ['Content-Length', `${LONG.length}`], ['ETag', '"a"']])
    return [bytes(LONG)]
  },
  'empty array': (_, start) => {
    start('404 Not Found', TEXT)
    return []
  },
  'no content': (_, start) => {
    start('204 No Content', [])
    return []
  },
  redirect: (_, start) => {
    start('302 Found', [['Location', '/elsewhere']])
    return []
  },
  'async function': async (_, start) => {
    await pause()
    start('200 OK', TEXT)
    return [bytes(LONG)]
  },
  *'generator with a late start'(_, start) {
    start('200 OK', TEXT)
    yield bytes('')
    yield bytes(LONG)
    yield bytes('a')
  },
  async *'async generator'(_, start) {
    start('200 OK', TEXT)
    yield bytes('a')
    await pause()
    yield bytes('')
    yield bytes(LONG)
  },
  async *'events that pause'(_, start) {
    start('200 OK', [['Content-Type', 'text/event-stream']])
    for (let i = 0; i < 5; i++) {
      await pause()
      yield bytes(`data: ${i}\n\n`)
    }
  },
  stream: (_, start) => {
    start('200 OK', TEXT)
    return Readable.from([bytes('a'), bytes(LONG)])
  },
  'write()': async (_, start) => {
    const write = start('200 OK', TEXT)
    await write(bytes('a'))
    await write(bytes(LONG))
    return [bytes('b')]
  },
  'reads all': async (environ, start) => {
    const body = await environ['wsgi.input'].read()
    start('200 OK', TEXT)
    return [body]
  },
  async *'reads while it answers'(environ, start) {
    start('200 OK', TEXT)
    for await (const line of environ['wsgi.input']) yield line
  },
  'second start with an error': (_, start) => {
    start('200 OK', [...TEXT, ['ETag', '"b"']])
    start('500 Oh', TEXT, new Error('handled'))
    return [bytes('sorry')]
  },
  throws: () => {
    throw new Error('why')
  },
  'throws after its start': (_, start) => {
    start('200 OK', TEXT)
    throw new Error('why')
  },
  rejects: async () => {
    await pause()
    throw new Error('why')
  },
  *'throws before its first piece'(_, start) {
    start('200 OK', TEXT)
    throw new Error('why')
    // biome-ignore lint/correctness/noUnreachable: it is a generator
    yield bytes('')
  },
  async *'throws in the middle'(_, start) {
    start('200 OK', TEXT)
    yield bytes(LONG)
    await pause()
    throw new Error('why')
  },
  *'long generator'(_, start) {
    start('200 OK', TEXT)
    for (let i = 0; i < 60; i++) yield bytes(LONG)
  },
}

const HEADERS: ResponseHeaders = [
  ['Host', 'localhost'],
  ['Accept-Encoding', 'gzip, br'],
  ['Accept', 'text/html'],
  ['If-None-Match', '"a"'],
  ['Origin', 'https://a.example'],
  ['X-Request-ID', 'abc'],
  ['X-Forwarded-For', '192.0.2.1, 192.0.2.2'],
  ['Forwarded', 'for=192.0.2.1;proto=https'],
]

const requests: Record<string, TestRequest> = {
  GET: { target: '/folder/a?b=c', headers: HEADERS },
  'bare GET': { target: '/' },
  HEAD: { method: 'HEAD', target: '/folder/a', headers: HEADERS },
  POST: { target: '/folder/', headers: HEADERS, body: 'one\ntwo\nthree' },
  'GET of a file': { target: '/large.txt', headers: [...HEADERS, ['Range', 'bytes=5-500']] },
  preflight: {
    method: 'OPTIONS',
    target: '/folder/a',
    headers: [...HEADERS, ['Access-Control-Request-Method', 'PUT']],
  },
  OPTIONS: { method: 'OPTIONS', target: '/folder/a' },
  PUT: { method: 'PUT', target: '/folder/a', body: 'x'.repeat(100) },
}

/** What an application is at. */
interface Work {
  calls: number
  /** How often each of its bodies was closed. */
  closes: number[]
}

/** When the client leaves. */
type Leaving = 'never' | 'at once' | 'after the first piece'

interface Result {
  status: string
  body: string
  /** Errors of all kinds, as text; what came in wsgi.errors among them. */
  told: string[]
}

async function run(
  app: WSGIApplication,
  request: TestRequest,
  leaving: Leaving,
  work: Work,
): Promise<Result> {
  const told: string[] = []
  const note = (error: unknown) =>
    void told.push(error instanceof Error ? `${error.stack}` : String(error))
  const environ = environOf({
    ...request,
    errors: {
      write: (text) => void told.push(text),
      writelines: (lines) => void told.push(...lines),
      flush() {},
    },
  })
  const pieces: Uint8Array[] = []
  let status = ''
  let headers: ResponseHeaders = []
  type Head = HeadFacts & { line: string; fields: ResponseHeaders }
  await new Promise<void>((resolve) => {
    const start = (head: Head) => {
      status = head.line
      headers = head.fields
    }
    const leave = () => {
      setImmediate(() => {
        call.cancel()
        resolve()
      })
    }
    const failed = (error: unknown) => {
      note(error)
      resolve()
    }
    const sink: ResponseSink<Head> = {
      checkHead: (line, fields) => ({ ...checkHead(line, fields), line, fields: [...fields] }),
      respond: (head, body) => {
        start(head)
        if (environ.REQUEST_METHOD !== 'HEAD') pieces.push(body)
        resolve()
      },
      start,
      data: (piece) => {
        pieces.push(piece)
        if (leaving === 'after the first piece') leave()
        return false
      },
      whenReady: (callback) => void setImmediate(callback),
      finish: resolve,
      failed,
      broken: failed,
      complain: note,
    }
    const call = new Call(app, environ, sink, environ.REQUEST_METHOD === 'HEAD')
    call.run()
    if (leaving === 'at once') {
      call.cancel()
      resolve()
    }
  })
  await waitFor('the bodies to be closed', () => {
    return work.calls === 0 && work.closes.every((count) => count > 0)
  })
  const joined = Buffer.concat(pieces)
  const coding = headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
  let body = joined
  if (joined.length > 0 && leaving === 'never' && told.length === 0) {
    if (coding === 'gzip') body = gunzipSync(joined)
    else if (coding === 'br') body = brotliDecompressSync(joined)
  }
  return { status, body: body.toString('latin1'), told }
}

/** Notes what an application is at. */
function noted(app: Application, work: Work): WSGIApplication {
  const note = (body: WSGIBody) => {
    const number = work.closes.push(0) - 1
    const { close } = body
    return Object.assign(body, {
      close: () => {
        work.closes[number]!++
        return close?.call(body)
      },
    })
  }
  return (environ, startResponse) => {
    const body = app(environ, startResponse)
    if (!isPromise(body)) return note(body)
    work.calls++
    return body.then(note).finally(() => work.calls--)
  }
}

const collectGarbage = garbageCollector()

const cases = Object.entries(middleware).flatMap(([folder, variants]) =>
  Object.entries(variants).map(([variant, wrap]) => ({ folder, variant, wrap })),
)

test('every folder of src/middleware is here', () => {
  const folders = readdirSync(join(repository, 'src', 'middleware'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  expect(Object.keys(middleware).toSorted()).toEqual(folders.toSorted())
})

describe.each(cases)('$folder ($variant)', ({ wrap, folder, variant }) => {
  test.each(Object.keys(applications))('around %s', async (name) => {
    const violations: string[] = []
    const check = async (requestName: string, leaving: Leaving) => {
      const work: Work = { calls: 0, closes: [] }
      const app = validator(wrap(validator(noted(applications[name]!, work))))
      const { told } = await run(app, requests[requestName]!, leaving, work)
      const found = told.filter((text) => text.includes('broke the contract'))
      if (work.closes.some((count) => count !== 1)) found.push(`close() ran ${work.closes} times`)
      violations.push(...found.map((text) => `${requestName}, client leaves ${leaving}: ${text}`))
    }
    // All at once: most of the time is spent waiting.
    const leavings: Leaving[] = ['never', 'at once', 'after the first piece']
    await Promise.all(
      Object.keys(requests).flatMap((request) =>
        leavings.map((leaving) => check(request, leaving)),
      ),
    )
    expect(violations).toEqual([])
  })

  // What depends on time may come out either way.
  const isTimed = folder === 'timeout' && variant !== 'long'
  test.skipIf(isTimed)('answers as it does without validators', async () => {
    const check = async (name: string, requestName: string) => {
      const answer = async (around: Middleware) => {
        const work: Work = { calls: 0, closes: [] }
        const app = around(wrap(around(noted(applications[name]!, work))))
        const { status, body } = await run(app, requests[requestName]!, 'never', work)
        return { status, body: variant === 'debug' ? '' : body }
      }
      const bare = await answer((app) => app)
      expect(await answer(validator), `${requestName} to ${name}`).toEqual(bare)
    }
    for (const name of Object.keys(applications)) {
      await Promise.all(Object.keys(requests).map((request) => check(name, request)))
    }
  })
})

test.each<[string, Middleware, RegExp]>([
  [
    'that makes text of pieces',
    (app) => async (environ, start) => {
      const body = await validator(app)(environ, start)
      return {
        [Symbol.iterator]: () => ['text'][Symbol.iterator](),
        close: () => body.close?.(),
      } as never
    },
    /The application broke the contract: its body must be made of Uint8Array/,
  ],
  [
    'that adds a number as a header',
    (app) => (environ, start) =>
      validator(app)(environ, (status, headers) => start(status, [...headers, ['X', 1 as never]])),
    /The application broke the contract: start_response: the value of X must be a string/,
  ],
  [
    'that moves the path wrongly',
    (app) => (environ, start) => validator(app)({ ...environ, SCRIPT_NAME: '/' }, start),
    /The server broke the contract: environ's SCRIPT_NAME must be ""/,
  ],
  [
    'that loses write()',
    (app) => (environ, start) =>
      validator(app)(environ, (status, headers) => void start(status, headers) as never),
    /The server broke the contract: startResponse must return write\(\)/,
  ],
])('a middleware %s is found out', async (_, wrap, gist) => {
  const { told } = await run(validator(wrap(applications.array!)), requests.GET!, 'never', {
    calls: 0,
    closes: [],
  })
  expect(told).toEqual([expect.stringMatching(gist)])
})

test('no body was forgotten by any of them', async () => {
  const told: string[] = []
  const environ = (target: string) => {
    const made = environOf({ target })
    made['wsgi.errors'] = { ...made['wsgi.errors'], write: (text) => void told.push(text) }
    return made
  }
  const start = () => () => Promise.resolve()
  for (const { wrap, folder, variant } of cases) {
    for (const application of Object.values(applications)) {
      const inner: WSGIApplication = (given, startResponse) => {
        given['wsgi.errors'] = environ(`/${folder}/${variant}`)['wsgi.errors']
        return validator(application)(given, startResponse)
      }
      await run(wrap(inner), requests.GET!, 'after the first piece', { calls: 0, closes: [] })
    }
  }
  const forget = () => void validator(applications.array!)(environ('/last'), start)
  forget()
  await waitFor('the garbage collector', () => {
    collectGarbage()
    return told.some((text) => text.includes('/last'))
  })
  expect(
    told.filter((text) => text.includes('broke the contract') && !text.includes('/last')),
  ).toEqual([])
})
