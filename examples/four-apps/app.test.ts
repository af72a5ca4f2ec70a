import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { testClient } from 'monoceros/testing'

const folder = mkdtempSync(join(tmpdir(), 'orders-'))
process.env.ORDERS = join(folder, 'orders.sqlite3')
process.env.FLASK_SECRET_KEY = 'only for tests'
const { app, close, ready } = await import('./app.ts')
before(ready)
after(async () => {
  await close()
  rmSync(folder, { recursive: true })
})

const open = () => testClient(app, { baseUrl: 'https://localhost', validate: true })

test('the pages are files, and Hono answers their script', async () => {
  const client = open()
  assert.match(await (await client.get('/')).text(), /<h1>Four applications/)
  const response = await client.get('/api/postage', { query: { country: 'fr', grams: '2000' } })
  assert.deepEqual(await response.json(), { cents: 1140 })
  for (const [query, status] of [
    ['country=xx&grams=1', 404],
    ['country=fr&grams=0', 400],
  ])
    assert.equal((await client.get(`/api/postage?${query}`)).status, status)
})

test('the office sees what is ordered in the shop', async () => {
  const client = open()
  const page = await (await client.get('/shop/')).text()
  assert.match(page, /action="\/shop\/"/)
  const token = /name="csrf_token"[^>]* value="([^"]+)"/.exec(page)?.[1] ?? ''
  const form = { csrf_token: token, article: 'Coffee' }
  const ordered = await client.post('/shop/', {
    form,
    headers: { Referer: 'https://localhost/shop/' },
  })
  assert.equal(ordered.headers.get('Location'), '/shop/')
  assert.match(await (await client.get('/shop/')).text(), /You have ordered: Coffee/)
  assert.match(await (await client.get('/office/')).text(), /Coffee<\/th><td>1</)
})

test('an order without its token is refused', async () => {
  assert.equal((await open().post('/shop/', { form: { article: 'Tea' } })).status, 400)
})

test('every answer has an id, and its errors are answered here', async () => {
  const client = open()
  for (const path of ['/', '/shop/', '/office/', '/api/nowhere'])
    assert.match((await client.get(path)).headers.get('X-Request-ID') ?? '', /^[\w-]{36}$/)
})
