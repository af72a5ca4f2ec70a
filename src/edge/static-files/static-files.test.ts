import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { answerWith, notThere, serveHandler } from '../../../tests/support/handler-server.ts'
import { RawConnection } from '../../../tests/support/raw-client.ts'
import { BIG, StaticFolder, testStaticFiles } from '../../../tests/support/static-file-cases.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { FileStore } from '../../files/file-store.ts'
import type { RequestHandler } from '../../http/exchange.ts'
import { MemoryBudget, UNLIMITED_MEMORY } from '../../spool/memory-budget.ts'
import type { StaticFilesOptions } from './context.ts'
import { staticFiles } from './static-files.ts'

let folder: StaticFolder
beforeAll(() => {
  folder = new StaticFolder()
})
afterAll(() => folder.remove())

interface Overrides extends Partial<StaticFilesOptions> {
  bytes?: number
  descriptors?: number
}

function handler(overrides: Overrides = {}, next: RequestHandler = notThere) {
  const { bytes = 16 * 1024 * 1024, descriptors = 64, ...options } = overrides
  const said: string[] = []
  const store = new FileStore({ bytes, descriptors, tell: (text) => said.push(text) })
  const chained = staticFiles({
    folders: { '/': folder.root },
    rootPath: '',
    spa: false,
    cacheControl: 'no-cache',
    immutable: 'auto',
    store,
    memory: UNLIMITED_MEMORY,
    warn: (_kind, text) => said.push(text),
    ...options,
  })(next)
  return { handler: chained, store, said }
}

async function served(overrides: Overrides = {}, next: RequestHandler = notThere) {
  const made = handler(overrides, next)
  onTestFinished(() => made.store.clear())
  const server = await serveHandler(made.handler, overrides.memory)
  const get = (target: string, headers: Record<string, string> = {}) =>
    server.ask({ target, headers: Object.entries(headers) })
  return { ...made, ...server, get }
}

describe.each([
  ['with files in memory', 16 * 1024 * 1024],
  ['with static_cache 0', 0],
])('%s', (_, bytes) => {
  let server: Awaited<ReturnType<typeof serveHandler>>
  let store: FileStore
  beforeAll(async () => {
    const { handler: served, store: itsStore } = handler({ bytes })
    store = itsStore
    server = await serveHandler(served)
  })
  afterAll(async () => {
    await server.stop()
    store.clear()
  })
  testStaticFiles({
    folder: () => folder,
    ask: (request) => server.ask(request),
    settled: async () => {},
  })
})

const NAVIGATION = { Accept: 'text/html,application/xhtml+xml' }

test('what has no file is the next handler’s, with its body, on the same connection', async () => {
  const server = await served()
  const connection = await RawConnection.open(server)
  for (const target of ['/none', '/none', '/.env']) {
    const request = `GET ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`
    const answer = await connection.request(request)
    expect(answer.text).toBe(`app: GET ${target} hello`)
    expect(answer.header('Connection')).toBeUndefined()
  }
  const post = 'POST /page.html HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'
  expect((await connection.request(post)).text).toBe('app: POST /page.html hi')
})

test('pipelined requests for files and for the application are answered in order', async () => {
  const server = await served()
  const connection = await RawConnection.open(server)
  const targets = ['/page.html', '/none', '/big.bin', '/digits.txt', '/none', '/page.html']
  await connection.send(targets.map((t) => `GET ${t} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  const bodies: string[] = []
  for (const _ of targets) bodies.push((await connection.readResponse()).text)
  const page = '<h1>page</h1>'
  const none = 'app: GET /none '
  expect(bodies).toEqual([page, none, BIG.toString('latin1'), '0123456789', none, page])
})

test('the longest path counts, and it ends at a slash', async () => {
  const folders = { '/': join(folder.root, 'docs'), '/static': folder.root }
  const { get } = await served({ folders })
  expect((await get('/static/page.html')).body).toBe('<h1>page</h1>')
  expect((await get('/%73tatic/page.html')).body).toBe('<h1>page</h1>')
  expect((await get('/index.html')).body).toBe('docs')
  for (const target of [
    '/page.html',
    '/staticpage.html',
    '/STATIC/page.html',
    '/static../page.html',
  ])
    expect((await get(target)).status).toBe('404 Not Found')
})

test('paths are without the root path, whether or not a proxy has removed it', async () => {
  const { get } = await served({ folders: { '/s': folder.root }, rootPath: '/shop' })
  for (const target of ['/shop/s/page.html', '/s/page.html'])
    expect((await get(target)).body).toBe('<h1>page</h1>')
})

test('a directory is redirected to its slash, relative to itself', async () => {
  const { get, port } = await served({ folders: { '/s': folder.root } })
  for (const [target, to] of [
    ['/s/docs?a=b', '/s/docs/?a=b'],
    ['/s', '/s/'],
    ['/s/%64ocs', '/s/%64ocs/'],
  ] as const) {
    const answer = await get(target)
    expect(answer.status).toBe('301 Moved Permanently')
    const base = `http://127.0.0.1:${port}${target}`
    expect(new URL(answer.header('Location')!, base).href).toBe(`http://127.0.0.1:${port}${to}`)
  }
})

test('with --spa, a page that nobody has is the index, and one that the application has is not', async () => {
  const next: RequestHandler = (head, reply) =>
    head.target.startsWith('/admin')
      ? {
          ...notThere(head, reply),
          bodyEnd: () => answerWith(reply, 200, 'admin'),
        }
      : notThere(head, reply)
  const { get, ask } = await served({ spa: true }, next)
  for (const target of ['/users/7', '/users/7', '/users/7/', '/x:y']) {
    const answer = await get(target, NAVIGATION)
    expect([answer.status, answer.body]).toEqual(['200 OK', '<h1>home</h1>'])
    expect(answer.header('Content-Type')).toBe('text/html; charset=utf-8')
  }
  expect((await get('/admin', NAVIGATION)).body).toBe('admin')
  expect((await get('/page.html', NAVIGATION)).body).toBe('<h1>page</h1>')
  const head = await ask({ method: 'HEAD', target: '/users', headers: [['Accept', 'text/html']] })
  expect([head.status, head.header('Content-Length')]).toEqual(['200 OK', '13'])
  for (const [target, headers] of [
    ['/users/7', {}],
    ['/users/7', { Accept: '*/*' }],
    ['/app-2.js', NAVIGATION],
  ] as const)
    expect((await get(target, headers)).status).toBe('404 Not Found')
})

test('Cache-Control is as the options say', async () => {
  folder.put('css/app.55e7cbb9ba48.css', 'a{}')
  const of = async (overrides: Overrides, target: string) =>
    (await (await served(overrides)).get(target)).header('Cache-Control')
  const forever = 'public, max-age=31536000, immutable'
  expect(await of({}, '/css/app.55e7cbb9ba48.css')).toBe(forever)
  expect(await of({ immutable: null }, '/css/app.55e7cbb9ba48.css')).toBe('no-cache')
  expect(await of({ immutable: '^/docs/' }, '/docs/')).toBe(forever)
  expect(await of({ cacheControl: 'max-age=60' }, '/page.html')).toBe('max-age=60')
  expect(await of({ cacheControl: null }, '/page.html')).toBeUndefined()
})

test('a file that is changed, added or removed is noticed', async () => {
  const { get } = await served()
  folder.put('changing.txt', 'one')
  const first = await get('/changing.txt')
  expect(first.body).toBe('one')
  // The same size, and the same time.
  folder.put('changing.txt', 'two')
  const poll = (target: string) =>
    expect.poll(async () => (await get(target)).body, { timeout: 10_000, interval: 50 })
  await poll('/changing.txt').toBe('two')
  expect((await get('/changing.txt')).header('ETag')).not.toBe(first.header('ETag'))
  rmSync(join(folder.root, 'changing.txt'))
  await poll('/changing.txt').toBe('app: GET /changing.txt ')
  folder.put('changing.txt', 'three')
  await poll('/changing.txt').toBe('three')
})

test('content and ETag belong together, while a file is replaced all the time', async () => {
  const { get } = await served()
  const bodies = new Map<string, string>()
  for (let i = 0; i < 300; i++) {
    if (i % 3 === 0) folder.put('swapped.txt', String(i % 2).repeat(5000 + i))
    const { body, header } = await get('/swapped.txt')
    expect(body).toMatch(/^(?:0+|1+)$/)
    const tag = header('ETag')!
    expect(bodies.get(tag) ?? body).toBe(body)
    bodies.set(tag, body)
  }
})

test.each(['shortened', 'written to'])(
  'a file that is %s while it is sent ends the connection before its end',
  async (how) => {
    const { said, port, host } = await served({ memory: new MemoryBudget(1) })
    const name = `${how.replace(' ', '-')}.bin`
    const size = 40 * 1024 * 1024
    folder.put(name, Buffer.alloc(size, 'a'))
    const connection = await RawConnection.open({ port, host })
    await connection.send(`GET /${name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const first = await connection.readSome(1000)
    if (how === 'shortened') truncateSync(join(folder.root, name), 1000)
    else writeFileSync(join(folder.root, name), 'b', { flag: 'r+' })
    const received = await connection.readToEnd()
    expect(first.length + received.rest.length).toBeLessThan(size)
    expect(said.join()).toMatch(/(?:become shorter|was changed while it was sent).* \[MONO4043\]/)
  },
)

test('files are closed when their clients leave, and when nobody asks for them', async () => {
  const server = await served({ bytes: 0 })
  for (let i = 0; i < 5; i++) {
    const connection = await RawConnection.open(server)
    await connection.send('GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n')
    connection.reset()
  }
  await server.get('/big.bin')
  await waitFor('the files to be closed', () => folder.openFiles().length === 0)
  expect(server.store.descriptors).toBe(0)
})

test('with all descriptors in use, another file is 503, and the same file is not', async () => {
  const server = await served({ descriptors: 2, memory: new MemoryBudget(1) })
  for (const name of ['one.bin', 'two.bin', 'three.bin'])
    folder.put(name, Buffer.alloc(30 * 1024 * 1024))
  const open = async (target: string) => {
    const connection = await RawConnection.open(server)
    onTestFinished(() => connection.reset())
    await connection.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await connection.readSome(100)
    return connection
  }
  const first = await open('/one.bin')
  for (const name of ['/one.bin', '/one.bin', '/two.bin', '/two.bin']) await open(name)
  await waitFor('two files to be open', () => server.store.descriptors === 2)
  const refused = await server.get('/three.bin')
  expect([refused.status, refused.header('Retry-After')]).toEqual(['503 Service Unavailable', '1'])
  expect(server.said.join()).toMatch(/2 files are being sent already.* \[MONO4033\]/)
  expect(server.store.descriptors).toBe(2)
  // Files in memory need none.
  first.reset()
})

test('what the store keeps is bounded, whatever is asked for', async () => {
  const bytes = 1024 * 1024
  const server = await served({ bytes })
  for (let i = 0; i < 300; i++) folder.put(`many/${i}.txt`, Buffer.alloc(20_000, 'x'))
  for (let i = 0; i < 300; i++) {
    expect((await server.get(`/many/${i}.txt`)).body.length).toBe(20_000)
    await server.get(`/none/${i}`)
  }
  expect(server.store.bytes).toBeLessThanOrEqual(bytes)
  expect(server.store.bytes).toBeGreaterThan(bytes / 2)
})

test('long paths without a file, which clients make up, take little memory', async () => {
  const server = await served()
  const connection = await RawConnection.open(server)
  const long = '/aa'.repeat(1200)
  for (let i = 0; i < 200; i++) {
    const answer = await connection.request(`GET ${long}/${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect(answer.text).toBe(`app: GET ${long}/${i} `)
  }
  expect(server.store.absent).toBeGreaterThan(50)
  expect(server.store.absent * long.length).toBeLessThanOrEqual(512 * 1024)
})
