import express from 'express'
import {
  compose,
  compress,
  dispatcher,
  errorHandler,
  fromNodeHandler,
  type WSGIApplication,
} from 'monoceros'

// For tests/release/newer-node.test.ts: what leans on Node's insides, on whichever Node it is.

const legacy = express()
legacy.use(express.json())
legacy.get('/page', (_request, response) => {
  response.send('a page of Express '.repeat(200))
})
legacy.post('/echo', (request, response) => {
  response.json(request.body)
})
legacy.get('/stream', (_request, response) => {
  // Beyond every buffer on the way, with drain.
  let left = 64
  const more = () => {
    while (left > 0) {
      left--
      if (!response.write(Buffer.alloc(65_536, 'x'))) {
        response.once('drain', more)
        return
      }
    }
    response.end()
  }
  more()
})

const site: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode(`node ${process.versions.node} ${environ.PATH_INFO}\n`)]
}

export const app = compose(
  errorHandler(),
  compress(),
)(dispatcher(site, { '/legacy': fromNodeHandler(legacy) }))
