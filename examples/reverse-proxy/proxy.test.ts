import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { WSGIApplication } from 'monoceros'
import { testClient } from 'monoceros/testing'
import { proxy } from './proxy.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

const site: WSGIApplication = (_environ, startResponse) => {
  startResponse('404 Not Found', [])
  return []
}

/** A client of the proxy in front of a server that answers so. */
async function inFrontOf(listener: RequestListener, timeout = 5000) {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain')
    listener(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = testClient(proxy({ prefix: '/other', target, timeout })(site), { validate: true })
  return { client, target }
}

test('method, path, query, fields and body arrive, and so does the answer', async () => {
  const { client, target } = await inFrontOf(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify([request.method, request.url, request.headers, body]))
  })
  const response = await client.put('/other/a%20b?q=1&r', { body: 'x'.repeat(300_000) })
  const [method, url, headers, body] = (await response.json()) as [
    string,
    string,
    Record<string, string>,
    string,
  ]
  assert.deepEqual([method, url, body.length], ['PUT', '/other/a%20b?q=1&r', 300_000])
  assert.equal(headers.host, new URL(target).host)
  assert.equal(headers['x-forwarded-host'], 'localhost')
  assert.deepEqual(response.headers.getAll('Set-Cookie'), ['a=1', 'b=2'])
  assert.equal((await client.get('/others')).status, 404)
})

test('fields about a connection stay on it, and forwarded ones are not believed', async () => {
  const { client } = await inFrontOf((request, response) => {
    response.writeHead(200, { Connection: 'close, x-mine', 'X-Mine': '1', 'X-Kept': '2' })
    response.end(JSON.stringify(request.headers))
  })
  const sent = { Connection: 'x-secret', 'X-Secret': '1', 'X-Forwarded-For': '9.9.9.9' }
  const response = await client.get('/other', { headers: sent })
  const arrived = (await response.json()) as Record<string, string>
  assert.equal(arrived['x-secret'], undefined)
  assert.equal(arrived['x-forwarded-for'], '127.0.0.1')
  assert.deepEqual([response.headers.has('X-Mine'), response.headers.has('X-Kept')], [false, true])
})

test('a redirect to the other server leads back here', async () => {
  const { client, target } = await inFrontOf((_request, response) => {
    response.writeHead(302, { Location: `${target}/other/new` }).end()
  })
  assert.equal((await client.get('/other/old')).headers.get('Location'), '/other/new')
})

test('a path that leads out of the prefix is refused', async () => {
  const { client } = await inFrontOf((_request, response) => response.end('reached'))
  for (const path of ['/other/%2e%2e/admin', '/other/..%2fadmin', '/other/..%5cadmin'])
    assert.equal(
      (await client.get('/', { environ: { PATH_INFO: decodeURIComponent(path) } })).status,
      400,
    )
})

test('a server that is silent is 504, and one that is not there 502', async () => {
  const { client } = await inFrontOf(() => {}, 50)
  assert.equal((await client.get('/other')).status, 504)
  const nobody = proxy({ prefix: '/other', target: 'http://127.0.0.1:1' })(site)
  assert.equal((await testClient(nobody).get('/other')).status, 502)
})

test('a client that leaves ends the request', async () => {
  let left = () => {}
  const ended = new Promise<void>((resolve) => {
    left = resolve
  })
  const { client } = await inFrontOf((_request, response) => {
    response.on('close', () => left())
    response.write('first')
  })
  const response = await client.get('/other')
  for await (const _piece of response.body) break
  await ended
})
