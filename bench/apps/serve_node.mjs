/**
 * What plain.py answers, by node:http, Express or Fastify: `node serve_node.mjs
 * node|express|fastify PORT`.
 */
import { createServer } from 'node:http'
import { BODIES } from './bodies.mjs'

const [kind, port] = process.argv.slice(2)

/** @type {Record<string, () => Promise<void>>} */
const servers = {
  node: async () => {
    createServer((request, response) => {
      if (request.url === '/echo') return gather(request, (body) => answer(response, body))
      const body = BODIES[request.url]
      if (body === undefined) response.writeHead(404, { 'Content-Length': 0 }).end()
      else answer(response, body)
    }).listen(Number(port), '127.0.0.1')
  },
  express: async () => {
    const { default: express } = await import('express')
    const app = express()
    app.disable('x-powered-by')
    app.disable('etag')
    for (const [path, body] of Object.entries(BODIES)) {
      app.get(path, (_request, response) => response.type('text/plain').send(body))
    }
    app.post('/echo', (request, response) =>
      gather(request, (body) => response.type('text/plain').send(body)),
    )
    app.listen(Number(port), '127.0.0.1')
  },
  fastify: async () => {
    const { default: fastify } = await import('fastify')
    const app = fastify()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    for (const [path, body] of Object.entries(BODIES)) {
      app.get(path, (_request, reply) => reply.type('text/plain').send(body))
    }
    app.post('/echo', (request, reply) => reply.type('text/plain').send(request.body))
    await app.listen({ port: Number(port), host: '127.0.0.1' })
  },
}

function answer(response, body) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length })
  response.end(body)
}

function gather(request, done) {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => done(Buffer.concat(chunks)))
}

await servers[kind]()
