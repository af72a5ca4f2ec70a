import fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { errorStream } from '../wsgi/error-stream.ts'
import { readChunks } from '../wsgi/input-stream.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { toFastifyPlugin } from './to-fastify-plugin.ts'

/** Answers with its mount, its path and its body. */
const echo: WSGIApplication = async (environ, startResponse) => {
  if (environ.PATH_INFO === '/broken')
    throw Object.assign(new Error('broken on purpose'), { status: 503 })
  const chunks: Uint8Array[] = []
  for await (const chunk of readChunks(environ['wsgi.input'])) chunks.push(chunk)
  startResponse('200 OK', [['Content-Type', 'application/json']])
  const { SCRIPT_NAME: mount, PATH_INFO: path, QUERY_STRING: query } = environ
  const body = Buffer.concat(chunks)
  const text = JSON.stringify({ mount, path, query, body: body.toString('latin1', 0, 20) })
  return [new TextEncoder().encode(text)]
}

async function listen(server: FastifyInstance): Promise<string> {
  onTestFinished(() => server.close())
  return await server.listen({ port: 0, host: '127.0.0.1' })
}

test('the prefix is the mount, and is answered itself', async () => {
  const server = fastify()
  server.register(toFastifyPlugin(echo), { prefix: '/py' })
  const url = await listen(server)
  const at = async (path: string) => (await fetch(url + path)).json()
  expect(await at('/py')).toMatchObject({ mount: '/py', path: '' })
  expect(await at('/py?a=1')).toMatchObject({ mount: '/py', path: '', query: 'a=1' })
  expect(await at('/py/')).toMatchObject({ mount: '/py', path: '/' })
  expect(await at('/py/a%2Fb/c')).toMatchObject({ mount: '/py', path: '/a/b/c' })
  expect((await fetch(`${url}/pyx`)).status).toBe(404)
  const head = await fetch(`${url}/py/`, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/json'])
})

test('without a prefix it answers everything, and in nested scopes the prefixes add up', async () => {
  const server = fastify()
  server.register(toFastifyPlugin(echo))
  server.register(
    async (scope) => {
      scope.register(toFastifyPlugin(echo), { prefix: '/inner' })
    },
    { prefix: '/outer/' },
  )
  const url = await listen(server)
  const at = async (path: string) => (await fetch(url + path)).json()
  expect(await at('/')).toMatchObject({ mount: '', path: '/' })
  expect(await at('/a')).toMatchObject({ mount: '', path: '/a' })
  expect(await at('/outer/inner/a')).toMatchObject({ mount: '/outer/inner', path: '/a' })
})

test.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'a/b', ''])(
  'a body of type %j is the application’s, beyond bodyLimit, and other routes go on to parse theirs',
  async (type) => {
    const server = fastify({ bodyLimit: 100 })
    server.addContentTypeParser('a/b', { parseAs: 'string' }, (_request, body, done) =>
      done(null, `parsed ${body}`),
    )
    server.register(toFastifyPlugin(echo), { prefix: '/py' })
    server.post('/own', async (request) => ({ body: request.body }))
    const url = await listen(server)
    const body = new TextEncoder().encode(`{"a":"${'x'.repeat(1000)}"}`)
    const post = { method: 'POST', body, headers: type === '' ? {} : { 'content-type': type } }
    expect(await (await fetch(`${url}/py/`, post)).json()).toMatchObject({
      body: `{"a":"${'x'.repeat(14)}`,
    })
    const json = {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    }
    expect(await (await fetch(`${url}/own`, json)).json()).toEqual({ body: { a: 1 } })
  },
)

test('hooks run, and headers that they set stay', async () => {
  const server = fastify()
  const seen: string[] = []
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('x-framework', 'fastify').header('content-type', 'text/html')
  })
  server.addHook('onResponse', async (_request, reply) => {
    seen.push(`onResponse ${reply.statusCode}`)
  })
  server.register(toFastifyPlugin(echo), { prefix: '/py' })
  const url = await listen(server)
  const { headers } = await fetch(`${url}/py/`)
  expect([headers.get('x-framework'), headers.get('content-type')]).toEqual([
    'fastify',
    'application/json',
  ])
  await expect.poll(() => seen).toEqual(['onResponse 200'])
})

test('an error is logged and answered, or passed to the error handler of Fastify', async () => {
  const said: string[] = []
  const server = fastify()
  server.setErrorHandler((error: Error, _request, reply) =>
    reply.code(418).send({ handled: error.message }),
  )
  const errors = errorStream((text) => void said.push(text))
  server.register(toFastifyPlugin(echo, { errors }), { prefix: '/own' })
  server.register(toFastifyPlugin(echo, { errors, passErrors: true }), { prefix: '/passed' })
  const url = await listen(server)
  const own = await fetch(`${url}/own/broken`)
  expect([own.status, said.join('')]).toEqual([503, expect.stringContaining('broken on purpose')])
  said.length = 0
  const passed = await fetch(`${url}/passed/broken`)
  expect([passed.status, await passed.json()]).toEqual([418, { handled: 'broken on purpose' }])
  expect(said).toEqual([])
})

test('a prefix with parameters is refused when it is registered', async () => {
  const server = fastify()
  server.register(toFastifyPlugin(echo), { prefix: '/:shop' })
  await expect(server.ready()).rejects.toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining('the prefix must not have parameters or wildcards'),
  })
})

test('what is no application is refused at once', () => {
  expect(() => toFastifyPlugin(3 as never)).toThrow(/application/)
})
