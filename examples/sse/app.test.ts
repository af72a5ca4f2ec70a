import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TestClient, testClient } from 'monoceros/testing'
import { create } from './app.ts'
import { Feed } from './feed.ts'

/** What a listener gets, up to the piece that matches. */
async function listen(client: TestClient, until: RegExp, last?: number): Promise<string> {
  const headers: Record<string, string> = last === undefined ? {} : { 'Last-Event-ID': `${last}` }
  const response = await client.get('/events', { headers })
  assert.equal(response.headers.get('Content-Type'), 'text/event-stream')
  let text = ''
  for await (const piece of response.body) {
    text += new TextDecoder().decode(piece)
    if (until.test(text)) break
  }
  return text
}

test('a listener gets what was said before, and what is said then', async () => {
  const feed = new Feed()
  const client = testClient(create(feed), { validate: true })
  feed.publish('one\ndata: forged')
  const listening = listen(client, /"two"/)
  await client.post('/messages', { json: { text: 'two' } })
  const text = await listening
  assert.match(text, /^id: 1\ndata: \{"id":1,"text":"one\\ndata: forged"\}$/m)
  assert.match(text, /^id: 2\n/m)
})

test('one who comes back gets what it has missed, also after a restart', async () => {
  const feed = new Feed()
  const client = testClient(create(feed))
  for (const text of ['one', 'two', 'three']) feed.publish(text)
  assert.doesNotMatch(await listen(client, /"three"/, 2), /"two"/)
  assert.match(await listen(client, /"three"/, 70), /"one"/)
})

test('one who leaves is forgotten', async () => {
  const feed = new Feed()
  const client = testClient(create(feed))
  const controller = new AbortController()
  const response = await client.get('/events', { signal: controller.signal })
  const reading = response.text()
  while (feed.listeners === 0) await new Promise(setImmediate)
  controller.abort()
  await assert.rejects(reading)
  while (feed.listeners > 0) await new Promise(setImmediate)
})

test('only the last 100 messages are kept', async () => {
  const feed = new Feed()
  for (let n = 1; n <= 150; n++) feed.publish(`message ${n}`)
  const text = await listen(testClient(create(feed)), /message 150/)
  assert.equal(text.match(/^id: /gm)?.length, 100)
})

test('what is no message is refused', async () => {
  const client = testClient(create(), { validate: true })
  for (const json of [{}, { text: ' ' }, { text: 'x'.repeat(501) }, { text: 1 }, null])
    assert.equal((await client.post('/messages', { json })).status, 422)
  assert.equal((await client.post('/messages', { form: { text: 'forged' } })).status, 415)
  assert.equal((await client.post('/messages', { json: { text: 'x'.repeat(5000) } })).status, 413)
})
