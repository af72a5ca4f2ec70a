/**
 * A Worker with every middleware of monoceros/fetch, each under a path of its own. It is bundled
 * and run in workerd, and imported by Node.js, by tests/release/workers.test.ts.
 */
import {
  bodyLimit,
  compose,
  cors,
  dispatcher,
  fromFetchHandler,
  logger,
  methods,
  profiler,
  proxyFix,
  readChunks,
  requestId,
  timeout,
  toFetchHandler,
  validator,
  type WSGIApplication,
  type WSGIEnvironment,
} from 'monoceros/fetch'

const encoder = new TextEncoder()

/** Answers with text made of the environ. */
function page(text: (environ: WSGIEnvironment) => string | Promise<string>): WSGIApplication {
  return async (environ, startResponse) => {
    const body = await text(environ)
    startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
    return [encoder.encode(body)]
  }
}

const place = page(({ SCRIPT_NAME, PATH_INFO }) => `${SCRIPT_NAME}|${PATH_INFO}`)

const count = page(async (environ) => {
  let bytes = 0
  for await (const piece of readChunks(environ['wsgi.input'])) bytes += piece.length
  return String(bytes)
})

const stream: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return (async function* () {
    for (let number = 0; number < 100; number++) {
      if (number % 25 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      yield encoder.encode(`${number}\n`)
    }
  })()
}

const lines: string[] = []
const profile = profiler({ serverTiming: true })

export const app = dispatcher(
  page(() => 'root'),
  {
    '/body-limit': bodyLimit({ maxBytes: 10 })(count),
    '/compose': compose(
      cors({ origin: 'https://shop.example' }),
      requestId({ generate: () => 'made' }),
    )(place),
    '/cors': cors({ origin: 'https://shop.example', credentials: true })(place),
    '/dispatcher': dispatcher(place, { '/inner': place }),
    '/logger': logger({ format: 'common', write: (line) => void lines.push(line) })(place),
    '/lines': page(() => lines.join('\n')),
    '/methods': methods({ GET: page(() => 'got'), POST: count }),
    '/profiler': profile(place),
    '/proxy-fix': proxyFix({ for: 1, proto: 1, host: 1 })(
      page(
        (environ) => `${environ['wsgi.url_scheme']} ${environ.HTTP_HOST} ${environ.REMOTE_ADDR}`,
      ),
    ),
    '/request-id': requestId()(page((environ) => String(environ['monoceros.request_id']))),
    '/timeout': timeout({ seconds: 0.05 })(page(() => new Promise<never>(() => {}))),
    '/stream': validator(stream),
    '/fetch': fromFetchHandler(async (request) => new Response(await request.text())),
  },
)

export default {
  fetch: toFetchHandler(app, {
    remoteAddress: (request: Request) => request.headers.get('CF-Connecting-IP') ?? undefined,
  }),
}
