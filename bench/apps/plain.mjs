/** plain.py as a WSGI application in JavaScript. */
import { BODIES } from './bodies.mjs'

const HEADERS = Object.fromEntries(
  Object.entries(BODIES).map(([path, body]) => [
    path,
    [
      ['Content-Type', 'text/plain'],
      ['Content-Length', `${body.length}`],
      ...(path === '/cached' ? [['Cache-Control', 'max-age=3600']] : []),
    ],
  ]),
)

/** @type {import('../../src/wsgi/types.ts').WSGIFunction} */
export function application(environ, startResponse) {
  const known = BODIES[environ.PATH_INFO]
  if (known !== undefined) {
    startResponse('200 OK', HEADERS[environ.PATH_INFO])
    return [known]
  }
  if (environ.PATH_INFO === '/echo') return echo(environ, startResponse)
  startResponse('404 Not Found', [
    ['Content-Type', 'text/plain'],
    ['Content-Length', '0'],
  ])
  return []
}

async function echo(environ, startResponse) {
  const body = await environ['wsgi.input'].read()
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    ['Content-Length', `${body.length}`],
  ])
  return [body]
}
