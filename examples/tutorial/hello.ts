import { decodeText, type WSGIFunction } from 'monoceros'

export const app: WSGIFunction = (environ, startResponse) => {
  const name = decodeText(environ.PATH_INFO).replace(/^\/+|\/+$/g, '') || 'world'
  const body = new TextEncoder().encode(`Hello, ${name}!\n`)
  startResponse('200 OK', [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(body.length)],
  ])
  return [body]
}
