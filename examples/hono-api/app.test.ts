import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type TestClient, testClient } from 'monoceros/testing'
import { create } from './app.ts'
import type { Task } from './store.ts'

const folder = await mkdtemp(join(tmpdir(), 'tasks-'))
const file = join(folder, 'tasks.json')
after(() => rm(folder, { recursive: true }))

async function open(): Promise<TestClient> {
  const headers = { Authorization: 'Bearer secret' }
  return testClient(await create(file, 'secret'), { headers, validate: true })
}

test('a task is added, changed, kept in the file, and removed', async () => {
  const client = await open()
  const added = await client.post('/api/tasks', { json: { title: ' Learn WSGI ' } })
  assert.equal(added.status, 201)
  const { id } = (await added.json()) as Task
  const path = `/api/tasks/${id}`
  assert.equal(added.headers.get('Location'), path)

  const changed = await client.patch(path, { json: { done: true } })
  assert.deepEqual(await changed.json(), { id, title: 'Learn WSGI', done: true })

  const later = await open()
  assert.deepEqual(await (await later.get('/api/tasks')).json(), [
    { id, title: 'Learn WSGI', done: true },
  ])
  assert.equal((await later.delete(path)).status, 204)
  assert.equal((await later.delete(path)).status, 404)
})

test('what is no task is refused, and says why', async () => {
  const client = await open()
  for (const json of [{ title: '' }, { title: 'x'.repeat(201) }, { title: 'x', admin: true }, []]) {
    const response = await client.post('/api/tasks', { json })
    assert.equal(response.status, 400)
    assert.match(await response.text(), /"issues"|"message"/)
  }
  assert.deepEqual(await (await client.get('/api/tasks')).json(), [])
})

test('nobody gets in without the token', async () => {
  const client = await open()
  for (const headers of [{ Authorization: '' }, { Authorization: 'Bearer wrong' }]) {
    const response = await client.get('/api/tasks', { headers })
    assert.ok([400, 401].includes(response.status))
  }
  await assert.rejects(create(file, ''), /API_TOKEN/)
})

test('a list that has not changed is not sent again', async () => {
  const client = await open()
  const etag = (await client.get('/api/tasks')).headers.get('ETag')
  const again = await client.get('/api/tasks', { headers: { 'If-None-Match': etag ?? '' } })
  assert.equal(again.status, 304)
})
