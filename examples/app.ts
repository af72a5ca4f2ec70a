import { compose, errorHandler, requestId, type WSGIApplication } from 'monoceros'

const hello: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
  return [new TextEncoder().encode(`Hello from TypeScript! You asked for ${environ.PATH_INFO}\n`)]
}

export const app = compose(requestId(), errorHandler())(hello)
