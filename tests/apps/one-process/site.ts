import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  applicationUri,
  decodeText,
  encodeText,
  type InputStream,
  type StartResponse,
  type WSGIApplication,
  type WSGIBody,
  type WSGIEnvironment,
} from 'monoceros'
import { exportBlock, note, page, told } from './happenings.ts'

type Route = (
  environ: WSGIEnvironment,
  startResponse: StartResponse,
) => WSGIBody | Promise<WSGIBody>

const bytes = (text: string) => new TextEncoder().encode(text)
const query = (environ: WSGIEnvironment) => new URLSearchParams(environ.QUERY_STRING)

const routes: Record<string, Route> = {
  'GET /': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/html; charset=utf-8']])
    return [
      bytes(page('TypeScript', `${environ.SCRIPT_NAME}/form`, `${applicationUri(environ)}facts`)),
    ]
  },
  'GET /facts': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/json']])
    const facts = {
      application: 'TypeScript',
      mount: environ.SCRIPT_NAME,
      path: environ.PATH_INFO,
      query: query(environ).get('name'),
      requestId: environ['monoceros.request_id'],
      pid: process.pid,
    }
    return [bytes(JSON.stringify(facts))]
  },
  'GET /form': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/html']])
    return [bytes('<form method="post"><input name="name"></form>')]
  },
  'POST /form': async (environ, startResponse) => {
    const form = new URLSearchParams(new TextDecoder().decode(await environ['wsgi.input'].read()))
    startResponse('303 See Other', [
      ['Location', `${environ.SCRIPT_NAME}/greeting`],
      ['Set-Cookie', `name=${encodeURIComponent(form.get('name') ?? '')}; Path=/; HttpOnly`],
    ])
    return []
  },
  'GET /greeting': (environ, startResponse) => {
    const cookie = /(?:^|; )name=([^;]*)/.exec(environ.HTTP_COOKIE ?? '')?.[1]
    startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
    return [bytes(`TypeScript greets ${decodeURIComponent(cookie ?? 'nobody')}`)]
  },
  'POST /upload': async (environ, startResponse) => {
    const hash = createHash('sha256')
    let size = 0
    for await (const piece of pieces(environ['wsgi.input'])) {
      hash.update(piece)
      size += piece.length
    }
    startResponse('200 OK', [['Content-Type', 'application/json']])
    return [bytes(JSON.stringify({ filename: null, size, sha256: hash.digest('hex') }))]
  },
  'GET /boom': () => {
    throw new Error('boom in TypeScript')
  },
  'GET /boom-later': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
    return (async function* () {
      yield new Uint8Array(100_000)
      throw new Error('late boom in TypeScript')
    })()
  },
  'GET /stream': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', encodeText(query(environ).get('type') ?? '')]])
    return (async function* () {
      yield bytes('data: one\n\n')
      await told(query(environ).get('key')!)
      yield bytes('data: two\n\n')
    })()
  },
  'GET /endless': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/event-stream']])
    return (async function* () {
      try {
        for (;;) {
          yield bytes('data: again\n\n')
          await sleep(10)
        }
      } finally {
        note(`closed ${query(environ).get('key')}`)
      }
    })()
  },
  'POST /echo': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
    return pieces(environ['wsgi.input'])
  },
  'GET /export': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/csv']])
    return (function* () {
      for (let left = Number(query(environ).get('size')); left > 0; left -= exportBlock.length)
        yield exportBlock.subarray(0, left)
    })()
  },
}

/** The pages of the shop, in TypeScript; app.ts has them at the root. */
export const site: WSGIApplication = (environ, startResponse) => {
  const method = environ.REQUEST_METHOD === 'HEAD' ? 'GET' : environ.REQUEST_METHOD
  const route = routes[`${method} ${environ.PATH_INFO}`]
  if (route !== undefined) return route(environ, startResponse)
  startResponse('404 Not Found', [['Content-Type', 'text/plain; charset=utf-8']])
  return [bytes(`TypeScript has no ${decodeText(environ.PATH_INFO)}\n`)]
}

async function* pieces(input: InputStream): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const piece = await input.read(65536)
    if (piece.length === 0) return
    yield piece
  }
}
