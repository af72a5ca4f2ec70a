// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { holdIdle } from './idle-connections.mjs'

async function listening(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${server.address().port}` }
}

test('they are open until they are closed', async () => {
  const { server, origin } = await listening((_, response) => response.end('x'))
  const held = await holdIdle(origin, '/', 100, new AbortController().signal)
  assert.equal(held.open(), 100)
  held.close()
  assert.equal(held.open(), 0)
  server.close()
  await once(server, 'close')
})

test('those that the server closes are missing', async () => {
  const { server, origin } = await listening((_, response) => {
    response.setHeader('Connection', 'close')
    response.end('x')
  })
  const held = await holdIdle(origin, '/', 20, new AbortController().signal)
  while (held.open() > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(held.open(), 0)
  server.close()
})
