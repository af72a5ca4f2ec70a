import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import {
  bodyLimit,
  compose,
  compress,
  conditional,
  cors,
  dispatcher,
  errorHandler,
  fromNodeHandler,
  logger,
  methods,
  profiler,
  proxyFix,
  pythonApp,
  requestId,
  staticFiles,
  timeout,
  type WSGIApplication,
} from 'monoceros'

// Three applications that do the same, each within all of the middleware, in two orders. Served by
// tests/e2e/middleware-stack.test.ts.

const chdir = import.meta.dirname
const bytes = (text: string) => new TextEncoder().encode(text)
const LONG = 'some text '.repeat(500)
const note = (file: string) => (line: string) =>
  appendFileSync(join(process.env.TEST_DATA!, file), `${line}\n`)
const noteEvent = note('events')

const flask = pythonApp('guest:app', { chdir, threads: 4 })

const legacy = express()
legacy.get('/text', (_req, res) => void res.type('text/plain').send(LONG))
legacy.get('/facts', (req, res) => {
  res.json({
    REMOTE_ADDR: req.socket.remoteAddress,
    HTTP_HOST: req.get('Host'),
    SCRIPT_NAME: req.baseUrl,
    PATH_INFO: req.path,
    HTTP_X_REQUEST_ID: req.get('X-Request-ID'),
  })
})
legacy.post('/length', express.raw({ type: () => true, limit: '1mb' }), (req, res) => {
  res.type('text/plain').send(String((req.body as Buffer).length))
})
legacy.get('/boom', (_req, _res, next) => next(new Error('boom <b>')))
legacy.use((error: Error, _req: unknown, res: express.Response, _next: unknown) => {
  if (!res.headersSent) res.destroy(error)
})
legacy.get('/late', async (_req, res) => {
  await sleep(3000)
  res.end('late')
})
legacy.get('/endless', async (_req, res) => {
  res.type('text/plain')
  res.on('close', () => noteEvent('closed /express'))
  while (!res.closed) {
    if (!res.write('some text '.repeat(200)))
      await new Promise((resolve) => res.once('drain', resolve).once('close', resolve))
  }
})

const site: WSGIApplication = methods({
  GET: async (environ, startResponse) => {
    const TEXT: [string, string][] = [['Content-Type', 'text/plain']]
    switch (environ.PATH_INFO) {
      case '/text':
        startResponse('200 OK', TEXT)
        return [bytes(LONG)]
      case '/facts': {
        startResponse('200 OK', [['Content-Type', 'application/json']])
        const { REMOTE_ADDR, HTTP_HOST, SCRIPT_NAME, PATH_INFO, HTTP_X_REQUEST_ID } = environ
        return [
          bytes(
            JSON.stringify({ REMOTE_ADDR, HTTP_HOST, SCRIPT_NAME, PATH_INFO, HTTP_X_REQUEST_ID }),
          ),
        ]
      }
      case '/boom':
        throw new Error('boom <b>')
      case '/late':
        await sleep(3000)
        return []
      case '/endless':
        startResponse('200 OK', TEXT)
        return Object.assign(
          (async function* () {
            for (;;) {
              await sleep(0)
              yield bytes('some text '.repeat(200))
            }
          })(),
          { close: () => noteEvent('closed /typescript') },
        )
    }
    startResponse('404 Not Found', TEXT)
    return [bytes('nothing here\n')]
  },
  POST: async (environ, startResponse) => {
    const body = await environ['wsgi.input'].read()
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [bytes(String(body.length))]
  },
})

const about = [
  logger({ format: 'dev', write: note('access') }),
  profiler(),
  requestId(),
  proxyFix({ host: 1 }),
  cors({ origin: 'https://shop.example', credentials: true }),
]
const content = [
  errorHandler(),
  timeout({ seconds: 1 }),
  compress(),
  conditional(),
  bodyLimit({ maxBytes: 10_000 }),
]
const files = staticFiles({ root: join(chdir, 'public'), prefix: '/files' })
const guests = dispatcher({
  '/flask': flask,
  '/express': fromNodeHandler(legacy),
  '/typescript': site,
})

export const app = dispatcher({
  '/usual': compose(...about, ...content, files)(guests),
  // As nobody should: what counts bodies and time outermost, the logger innermost.
  '/reversed': compose(
    bodyLimit({ maxBytes: 10_000 }),
    ...[...content.slice(1, 4), errorHandler(), ...about].reverse(),
    files,
  )(guests),
})
