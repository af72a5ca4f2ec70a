/** What the middleware of the package takes. See `application.ts`. */
import { bodyLimit } from '../../../src/middleware/body-limit/body-limit.ts'
import { compose } from '../../../src/middleware/compose/compose.ts'
import { compress } from '../../../src/middleware/compress/compress.ts'
import { conditional } from '../../../src/middleware/conditional/conditional.ts'
import { cors } from '../../../src/middleware/cors/cors.ts'
import { dispatcher } from '../../../src/middleware/dispatcher/dispatcher.ts'
import { errorHandler } from '../../../src/middleware/error-handler/error-handler.ts'
import { logger } from '../../../src/middleware/logger/logger.ts'
import { methods } from '../../../src/middleware/methods/methods.ts'
import { profiler } from '../../../src/middleware/profiler/profiler.ts'
import { proxyFix } from '../../../src/middleware/proxy-fix/proxy-fix.ts'
import { requestId } from '../../../src/middleware/request-id/request-id.ts'
import { staticFiles } from '../../../src/middleware/static-files/static-files.ts'
import { timeout } from '../../../src/middleware/timeout/timeout.ts'
import type { Middleware, WSGIApplication } from '../../../src/wsgi/types.ts'
import { validator } from '../../../src/wsgi/validator.ts'

declare const app: WSGIApplication

export const middleware: Middleware[] = [
  bodyLimit({ maxBytes: 1024 }),
  compress(),
  compress({
    encodings: ['br', 'gzip'],
    threshold: 100,
    level: { gzip: 9 },
    types: (type) => type !== 'a/b',
  }),
  conditional(),
  conditional({ etag: false, lastModified: async () => new Date() }),
  cors(),
  cors({ origin: ['https://a.example', /\.b\.example$/], credentials: true, maxAge: 60 }),
  errorHandler(),
  errorHandler({ debug: true, log: () => {} }),
  logger(),
  logger({ format: 'combined', write: (line) => line.length }),
  profiler(),
  profiler({ serverTiming: false, onProfile: () => {} }),
  proxyFix(),
  proxyFix({ for: 2, forwarded: true }),
  requestId(),
  requestId({ header: 'X-Trace', trust: true, generate: () => 'a' }),
  staticFiles({ root: 'public', index: false, precompressed: ['br'] }),
  timeout({ seconds: 5, status: 503 }),
  validator,
  compose(requestId(), cors()),
  compose(),
]

export const applications: WSGIApplication[] = [
  compose(...middleware)(app),
  dispatcher({ '/api': app, 'example.com/api': app, localhost: app }),
  dispatcher(app, { '/api': app }),
  dispatcher(null, {}),
  methods({ GET: app, POST: app }),
  staticFiles({ root: 'public' })(),
]

// @ts-expect-error: a limit has no default
bodyLimit()
// @ts-expect-error: a number of bytes
bodyLimit({ maxBytes: '1mb' })
// @ts-expect-error: the answer is an application
bodyLimit({ maxBytes: 1, tooLarge: '413' })
// @ts-expect-error: an application is composed last, in a call of its own
compose(requestId(), dispatcher({ '/api': app }))
// @ts-expect-error: a factory that must be given options is no middleware
compose(bodyLimit)
// @ts-expect-error: what compose gives takes one application
compose(requestId())(app, app)
// @ts-expect-error: no such encoding
compress({ encodings: ['deflate'] })
// @ts-expect-error: a level for each encoding
compress({ level: 9 })
// @ts-expect-error: types is a function
compress({ types: ['text/html'] })
// @ts-expect-error: a date, not its text
conditional({ lastModified: () => '2026-01-01' })
// @ts-expect-error: no such option
conditional({ weak: true })
// @ts-expect-error: an origin is not a number
cors({ origin: 80 })
// @ts-expect-error: a list
cors({ methods: 'GET, POST' })
// @ts-expect-error: options, not an origin
cors('https://a.example')
// @ts-expect-error: a mount is a path or a host
dispatcher(app, { api: app })
// @ts-expect-error: of an application
dispatcher(app, { '/api': 'api:app' })
// @ts-expect-error: mounts are an object
dispatcher(app, [['/api', app]])
// @ts-expect-error: on or off
errorHandler({ debug: 'yes' })
// @ts-expect-error: render gives a response
errorHandler({ render: () => 'sorry' })
// @ts-expect-error: no such format
logger({ format: 'long' })
// @ts-expect-error: write is a function
logger({ write: process.stdout })
// @ts-expect-error: methods are in upper case
methods({ get: app })
// @ts-expect-error: each is an application
methods({ GET: () => 'hello' })
// @ts-expect-error: onProfile is a function
profiler({ onProfile: true })
// @ts-expect-error: counts
proxyFix({ for: 'X-Forwarded-For' })
// @ts-expect-error: Werkzeug's names are not ours
proxyFix({ x_for: 1 })
// @ts-expect-error: a name
requestId({ header: true })
// @ts-expect-error: an id is text, at once
requestId({ generate: async () => 'a' })
// @ts-expect-error: which files?
staticFiles({})
// @ts-expect-error: a list
staticFiles({ root: 'public', precompressed: true })
// @ts-expect-error: a known word
staticFiles({ root: 'public', dotfiles: 'show' })
// @ts-expect-error: seconds, not milliseconds
timeout({ ms: 5000 })
// @ts-expect-error: one of two
timeout({ seconds: 5, status: 500 })
