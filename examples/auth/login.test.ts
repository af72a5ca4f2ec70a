import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SignJWT } from 'jose'
import type { WSGIApplication } from 'monoceros'
import { type TestClient, testClient } from 'monoceros/testing'
import { login } from './login.ts'

const secret = 'only for tests, but long enough!'
const folder = mkdtempSync(join(tmpdir(), 'login-'))
after(() => rmSync(folder, { recursive: true }))
const users = join(folder, 'users.json')
const password = execFileSync(process.execPath, ['add-user.js', 'ada', users]).toString().trim()

const hello: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode(`Hello ${environ.REMOTE_USER}`)]
}

function open(): TestClient {
  const options = { baseUrl: 'https://localhost', headers: { Accept: 'text/html' } }
  return testClient(login({ secret, users })(hello), { ...options, validate: true })
}

test('somebody logs in, and out', async () => {
  const client = open()
  const asked = await client.get('/notes')
  assert.equal(asked.headers.get('Location'), '/login?next=%2Fnotes')
  const entered = await client.post('/login?next=/notes', { form: { name: 'ada', password } })
  assert.equal(entered.headers.get('Location'), '/notes')
  const { httpOnly, secure } = client.cookies.get('session') ?? {}
  assert.deepEqual([httpOnly, secure], [true, true])
  assert.equal(await (await client.get('/notes')).text(), 'Hello ada')

  await client.post('/logout')
  assert.equal((await client.get('/notes')).status, 303)
})

test('a wrong password and a wrong name are refused alike', async () => {
  const client = open()
  const answers = []
  for (const form of [{ name: 'ada', password: 'x' }, { name: 'eve', password }, { name: 'ada' }]) {
    const response = await client.post('/login', { form: form as Record<string, string> })
    answers.push([response.status, await response.text()])
  }
  assert.equal(answers[0]?.[0], 403)
  assert.deepEqual(answers[0], answers[1])
  assert.deepEqual(answers[0], answers[2])
})

test('a cookie that somebody else made is nobody', async () => {
  const sign = (key: string, expires: string) =>
    new SignJWT({ sub: 'ada' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(key))
  const unsigned = ['{"alg":"none"}', '{"sub":"ada"}', ''].map((part) => btoa(part))
  const forged = [await sign('x'.repeat(32), '1 hour'), await sign(secret, '-1 hour'), 'x']
  for (const session of [...forged, unsigned.join('.').replaceAll('=', '')]) {
    const response = await open().get('/', { cookies: { session }, headers: { Accept: '*/*' } })
    assert.equal(response.status, 401)
  }
})

test('nobody is led to another site', async () => {
  for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', '/a\nb']) {
    const form = { name: 'ada', password }
    const response = await open().post('/login', { form, query: { next } })
    assert.equal(response.headers.get('Location'), '/')
  }
})

test('a form of another site does nothing', async () => {
  const client = open()
  await client.post('/login', { form: { name: 'ada', password } })
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }])
    assert.equal((await client.post('/logout', { headers })).status, 403)
  const headers = { Origin: 'https://localhost', Accept: 'text/html' }
  assert.equal((await client.post('/logout', { headers })).status, 303)
})

test('a short secret is refused at the start', () => {
  assert.throws(() => login({ secret: 'short', users }), /SESSION_SECRET/)
})
