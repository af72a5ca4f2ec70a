/** What a user's code does with the types; each line must compile with every compiler. */
import {
  type Bytes,
  bodyLimit,
  compose,
  decodeText,
  dispatcher,
  errorHandler,
  fromFetchHandler,
  type InputStream,
  type Middleware,
  makeEnviron,
  profiler,
  proxyFix,
  pythonApp,
  readChunks,
  requestId,
  timeout,
  toFetchHandler,
  toFunction,
  toNodeHandler,
  type WSGIApplication,
  type WSGIEnvironment,
} from 'monoceros'
import { testClient } from 'monoceros/testing'

interface User {
  name: string
}

declare module 'monoceros' {
  interface WSGIEnvironment {
    'shop.user'?: User | undefined
  }
}

export const withUser: Middleware = (app) => (environ, startResponse) => {
  environ['shop.user'] = { name: 'Ada' }
  return toFunction(app)(environ, startResponse)
}

export const upload: WSGIApplication = async (environ, startResponse) => {
  const body = await environ['wsgi.input'].read()
  const headers = { 'Content-Type': environ.CONTENT_TYPE ?? '' }
  const form = await new Response(body, { headers }).formData()
  const digest = await crypto.subtle.digest('SHA-256', body)
  const pieces: Bytes[] = []
  for await (const piece of readChunks(environ['wsgi.input'])) pieces.push(piece)
  const blob = new Blob(pieces)
  const lines: InputStream = environ['wsgi.input']
  for await (const line of lines) new Blob([line])
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode(`${form.get('name')} ${blob.size} ${digest.byteLength}\n`)]
}

export function variables(environ: WSGIEnvironment): (string | undefined)[] {
  environ['monoceros.timing']?.mark('begun')
  const signal: AbortSignal | undefined = environ['monoceros.timeout.signal']
  environ['wsgi.early_hints']?.([['Link', '</style.css>; rel=preload']])
  return [
    decodeText(environ.PATH_INFO),
    environ.SSL_CLIENT_S_DN_CN,
    environ.HTTPS,
    environ['monoceros.request_id'],
    environ['monoceros.proxyFix.original']?.REMOTE_ADDR,
    environ['shop.user']?.name,
    String(signal?.aborted),
  ]
}

// The types are not lost on the way: each of these lines is wrong.
export function wrong(environ: WSGIEnvironment): unknown[] {
  // @ts-expect-error: the name is text
  const user: number | undefined = environ['shop.user']?.name
  // @ts-expect-error: the id is text
  const id: number | undefined = environ['monoceros.request_id']
  // @ts-expect-error: it may be absent
  environ['monoceros.timing'].mark('a')
  // @ts-expect-error: the path is always there
  environ.PATH_INFO = undefined
  // @ts-expect-error: nobody has declared it
  const other: { name: string } = environ['shop.other']
  // @ts-expect-error: bytes, and no text
  const text: string = environ['wsgi.input'].read()
  return [user, id, other, text]
}

const wrapped = compose(
  requestId(),
  proxyFix({ for: 1 }),
  errorHandler(),
  timeout({ seconds: 5 }),
  bodyLimit({ maxBytes: 1024 }),
  profiler(),
  withUser,
)(upload)

export const app = dispatcher(wrapped, {
  '/py': pythonApp('site:app'),
  '/fetch': fromFetchHandler(() => new Response('hello')),
})
export const node = toNodeHandler(app)
export const handler: (request: Request) => Promise<Response> = toFetchHandler(app)
export const environ = makeEnviron({ method: 'GET', target: '/', headers: [] })

export async function tested(): Promise<[number, Blob]> {
  const response = await testClient(app).post('/', { form: { name: 'Ada' } })
  return [response.status, new Blob([await response.bytes()])]
}
