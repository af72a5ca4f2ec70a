import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { testClient } from '../../dist/testing.js'
import { createApplication } from './application.js'
import type { Session } from './session.js'

const HOST = '127.0.0.1:8642'
const HEADERS = {
  Host: HOST,
  Origin: `http://${HOST}`,
  'Content-Type': 'application/json',
  'X-Monoceros-Key': 'the-key',
}
const PROJECT = JSON.stringify({ name: 'step', files: { 'hello.py': 'x' } })
let folder: string
let session: Session
let client: ReturnType<typeof testClient>

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'monoceros-learn-'))
  session = {
    key: 'the-key',
    once: 'only-once-please',
    site: folder,
    folder,
    cwd: folder,
    named: false,
    save: true,
    bind: HOST,
    hosts: [HOST, 'localhost:8642'],
    address: `http://${HOST}/`,
    browser: false,
  }
  start()
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function start(): void {
  client = testClient(createApplication(session))
}

async function ask(path: string, body = PROJECT, headers: Record<string, string> = {}) {
  const all = Object.entries({ ...HEADERS, ...headers }).filter(([, value]) => value !== '')
  const response = await client.post(`/learn/api/${path}`, {
    headers: Object.fromEntries(all),
    body,
  })
  return { status: response.status, content: await response.json() }
}

test('the page with the key saves', async () => {
  expect(await ask('save')).toEqual({
    status: 200,
    content: { folder: join(folder, 'step'), name: 'step', files: ['hello.py'] },
  })
  expect(readdirSync(join(folder, 'step'))).toEqual(['hello.py'])
})

test.each([
  ['another page', { Origin: 'http://evil.example' }],
  ['a page of another port', { Origin: 'http://127.0.0.1:9999' }],
  ['a page of an unknown origin', { Origin: 'null' }],
  ['a program without an origin', { Origin: '' }],
  ['a name that points here', { Host: 'evil.example:8642', Origin: 'http://evil.example:8642' }],
  ['a page of the same site', { 'Sec-Fetch-Site': 'same-site' }],
  ['a form', { 'Content-Type': 'text/plain' }],
  ['a form with files', { 'Content-Type': 'multipart/form-data; boundary=x' }],
  ['somebody without the key', { 'X-Monoceros-Key': '' }],
  ['somebody with another key', { 'X-Monoceros-Key': 'the-kez' }],
])('%s does not save', async (_who, headers) => {
  expect((await ask('save', PROJECT, headers as Record<string, string>)).status).toBe(403)
  expect(readdirSync(folder)).toEqual([])
})

test('GET does nothing', async () => {
  const response = await client.get('/learn/api/save', { headers: HEADERS })
  expect(response.status).toBe(403)
})

test('--no-save means it', async () => {
  session = { ...session, save: false }
  start()
  expect((await ask('save')).status).toBe(403)
  expect(readdirSync(folder)).toEqual([])
})

test('what is wrong with a project is said', async () => {
  const body = JSON.stringify({ name: 'step', files: { '../x': '' } })
  expect(await ask('save', body)).toMatchObject({
    status: 400,
    content: { message: 'This is no path for a file: "../x"' },
  })
  expect((await ask('save', 'no JSON')).status).toBe(400)
  expect((await ask('save', ' '.repeat(4_000_000))).status).toBe(400)
  expect(existsSync(join(folder, '..', 'x'))).toBe(false)
})

test('files that exist are named, so that the page can ask', async () => {
  session = { ...session, named: true }
  start()
  writeFileSync(join(folder, 'hello.py'), 'mine')
  expect(await ask('save')).toMatchObject({ status: 409, content: { files: ['hello.py'] } })
})

test('the address for the browser gives the key once', async () => {
  const once = JSON.stringify({ once: 'only-once-please' })
  const wrong = await ask('key', JSON.stringify({ once: 'only-once-pleasf' }))
  expect(wrong.status).toBe(403)
  expect(await ask('key', once)).toEqual({ status: 200, content: { key: 'the-key' } })
  expect((await ask('save')).status).toBe(200)
  // Somebody else had it, too: nobody saves any more.
  expect((await ask('key', once)).status).toBe(403)
  expect(vi.mocked(console.error).mock.calls.at(-1)).toEqual([
    'monoceros learn: The address that the command opened was used twice, so nothing is saved ' +
      'any more. Start the command again. [MONO7205]',
  ])
  expect((await ask('save')).status).toBe(403)
  expect((await ask('save', PROJECT, { 'X-Monoceros-Key': '' })).status).toBe(403)
  // It is told once.
  vi.mocked(console.error).mockClear()
  expect((await ask('key', once)).status).toBe(403)
  expect(console.error).not.toHaveBeenCalled()
})

test('pages come with their policy, and may not be shown in a frame', async () => {
  const meta = '<meta http-equiv="Content-Security-Policy" content="script-src \'self\'">'
  site({
    'index.html': `${meta}start`,
    'guides/index.html': `${meta}guides`,
    'playground/worker.js': 'work()',
    'policies.json': JSON.stringify({ 'playground/worker.js': "script-src 'self' blob:" }),
  })
  for (const [path, body] of [
    ['/', `${meta}start`],
    ['/guides/', `${meta}guides`],
    ['/guides/index.html', `${meta}guides`],
  ] as const) {
    const response = await client.get(path)
    expect([response.status, await response.text()]).toEqual([200, body])
    expect(response.headers.get('content-security-policy')).toBe(
      "script-src 'self'; frame-ancestors 'none'",
    )
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  }
  const worker = await client.get('/playground/worker.js')
  expect(worker.headers.get('content-security-policy')).toBe("script-src 'self' blob:")
  expect(worker.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  const folder = await client.get('/guides')
  expect([folder.status, folder.headers.get('location')]).toEqual([301, '/guides/'])
})

test('what is not there has the page that says so, at its own address', async () => {
  site({ '404.html': '<script>look()</script><a href="./index.html">gone</a>' })
  const response = await client.get('/guides/gone.html')
  expect(response.status).toBe(404)
  expect(await response.text()).toBe('<a href="/index.html">gone</a>')
})

test.each([
  '/../outside',
  '/%2e%2e/outside',
  '/guides/..%2f..%2foutside',
  '//outside',
  '/index.html/',
])('%s leads to nothing', async (path) => {
  site({ 'index.html': 'start', 'guides/a.html': '' })
  writeFileSync(join(folder, 'outside'), 'secret')
  const response = await client.get(path)
  expect(response.status).toBe(404)
  expect(await response.text()).toBe('There is no such page.\n')
})

/** Makes a site, and starts anew. */
function site(files: Record<string, string>): void {
  session = { ...session, site: join(folder, 'site') }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(session.site, name, '..'), { recursive: true })
    writeFileSync(join(session.site, name), text)
  }
  start()
}
