import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import { servedPath } from '../../files/served-path.ts'
import type { WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { type StaticFilesOptions, staticFiles } from './static-files.ts'

const SECRET = 'SECRET, from outside the root or hidden in it'
const OLD = new Date('2024-02-03T04:05:06Z')
const BIG = Buffer.alloc(700_001, 'abcdefghij')
let base: string
let root: string

/** A file that is old enough to have a strong tag. */
function put(path: string, content: string | Uint8Array, at = OLD) {
  const full = join(root, path)
  mkdirSync(join(full, '..'), { recursive: true })
  writeFileSync(full, content)
  utimesSync(full, at, at)
}

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'monoceros-static-'))
  root = join(base, 'root')
  put('index.html', '<h1>home</h1>')
  put('page.html', '<h1>page</h1>')
  put('café.txt', 'coffee')
  put('README', 'read me')
  put('data.json', '{}')
  put('digits.txt', '0123456789')
  put('empty.txt', '')
  put('big.bin', BIG)
  put('docs/index.html', 'docs')
  put('bare/file.txt', 'file')
  put('app.js', 'plain')
  put('app.js.br', 'br')
  put('app.js.gz', 'gzip')
  put('app.js.zst', 'zstd')
  put('stale.js', 'new', new Date(OLD.getTime() + 60_000))
  put('stale.js.br', 'old')
  put('only.png', 'png')
  put('only.png.br', 'br of png')
  put('assets/index-B4x9.js', 'hashed')
  put('.env', SECRET)
  put('.git/config', SECRET)
  put('sub/.hidden/x.txt', SECRET)
  put('100%.txt', 'all')
  writeFileSync(join(base, 'secret.txt'), SECRET)
  mkdirSync(join(base, 'root-sibling'))
  writeFileSync(join(base, 'root-sibling', 'secret.txt'), SECRET)
  symlinkSync(join(base, 'secret.txt'), join(root, 'link.txt'))
  symlinkSync('../secret.txt', join(root, 'relative-link.txt'))
  symlinkSync(base, join(root, 'up'))
  symlinkSync('/', join(root, 'slash'))
  symlinkSync('../root-sibling', join(root, 'sibling'))
  symlinkSync('page.html', join(root, 'inside.html'))
  symlinkSync('bare', join(root, 'inside'))
  symlinkSync('loop', join(root, 'loop'))
  symlinkSync('/dev/zero', join(root, 'zero'))
  execFileSync('mkfifo', [join(root, 'fifo')])
})

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

function get(
  target: string,
  headers: Record<string, string> = {},
  options: Partial<StaticFilesOptions> = {},
) {
  return ask({ target, headers: Object.entries(headers) }, options)
}

function ask(request: TestRequest, options: Partial<StaticFilesOptions> = {}) {
  return callForAnswer(staticFiles({ root, ...options })(), request)
}

const app: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [Buffer.from(`app: ${environ.REQUEST_METHOD} ${environ.PATH_INFO}`)]
}

/** Descriptors of this process that lead below the root. */
function openFiles(): string[] {
  const open: string[] = []
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      if (path.startsWith(base)) open.push(path)
    } catch {
      // That of the listing itself.
    }
  }
  return open
}

async function untilClosed(): Promise<void> {
  await expect.poll(openFiles, { timeout: 5000, interval: 5 }).toEqual([])
}

test('a file is sent with its type, its length and its validators', async () => {
  const answer = await get('/page.html')
  expect(answer.status).toBe('200 OK')
  expect(answer.body).toBe('<h1>page</h1>')
  expect(answer.header('Content-Type')).toBe('text/html; charset=utf-8')
  expect(answer.header('Content-Length')).toBe('13')
  expect(answer.header('Last-Modified')).toBe('Sat, 03 Feb 2024 04:05:06 GMT')
  expect(answer.header('ETag')).toMatch(/^"[\w-]{22}"$/)
  expect(answer.header('Accept-Ranges')).toBe('bytes')
  expect(answer.header('X-Content-Type-Options')).toBe('nosniff')
  expect(answer.header('Cache-Control')).toBe('no-cache')
})

test.each([
  ['/caf%C3%A9.txt', 'text/plain; charset=utf-8', 'coffee'],
  ['/README', 'application/octet-stream', 'read me'],
  ['/data.json', 'application/json; charset=utf-8', '{}'],
  ['/empty.txt', 'text/plain; charset=utf-8', ''],
  ['/100%25.txt', 'text/plain; charset=utf-8', 'all'],
  ['/docs/', 'text/html; charset=utf-8', 'docs'],
  ['/', 'text/html; charset=utf-8', '<h1>home</h1>'],
])('%s is served as %s', async (target, type, body) => {
  const answer = await get(target)
  expect([answer.status, answer.header('Content-Type'), answer.body]).toEqual([
    '200 OK',
    type,
    body,
  ])
})

test('a large file comes in pieces, whole, and is closed', async () => {
  const answer = await get('/big.bin')
  expect(answer.complete).toBe(true)
  expect(answer.pieces.length).toBeGreaterThan(2)
  expect(answer.body).toBe(BIG.toString('latin1'))
  await untilClosed()
})

test('HEAD has the headers of GET and no body', async () => {
  const got = await get('/big.bin')
  const head = await ask({ method: 'HEAD', target: '/big.bin' })
  expect(head.headers).toEqual(got.headers)
  expect(head.body).toBe('')
  await untilClosed()
})

test('as a middleware, what is no file is the application’s', async () => {
  const wrapped = staticFiles({ root })(app)
  for (const target of [
    '/none',
    '/bare',
    '/bare/',
    '/../x',
    '/.env',
    '/link.txt',
    '/page.html/',
    '/page.html/x',
  ])
    expect((await callForAnswer(wrapped, { target })).body).toContain('app: GET ')
  expect((await callForAnswer(wrapped, { target: '/page.html', method: 'DELETE' })).body).toBe(
    'app: DELETE /page.html',
  )
  expect((await callForAnswer(wrapped, { target: '/page.html' })).body).toBe('<h1>page</h1>')
})

test('alone, what is no file is 404, and another method is 405 where there is a file', async () => {
  expect((await get('/none')).status).toBe('404 Not Found')
  expect((await ask({ method: 'POST', target: '/none' })).status).toBe('404 Not Found')
  const answer = await ask({ method: 'POST', target: '/page.html' })
  expect([answer.status, answer.header('Allow')]).toEqual(['405 Method Not Allowed', 'GET, HEAD'])
  await untilClosed()
})

test('a prefix is taken off, and only what is below it is served', async () => {
  const options = { prefix: '/static' }
  expect((await get('/static/page.html', {}, options)).body).toBe('<h1>page</h1>')
  expect((await get('/static/', {}, options)).body).toBe('<h1>home</h1>')
  expect((await get('/static', {}, options)).header('Location')).toBe('/static/')
  for (const target of ['/page.html', '/staticpage.html', '/static../secret.txt', '/'])
    expect((await get(target, {}, options)).status).toBe('404 Not Found')
})

test('a directory is redirected to its slash, under its mount, with its query string', async () => {
  const answer = await ask({ target: '/docs?a=b%20c&d=\u00e9', mount: '/m' })
  expect([answer.status, answer.header('Location')]).toEqual([
    '301 Moved Permanently',
    '/m/docs/?a=b%20c&d=%E9',
  ])
  expect((await ask({ target: '', mount: '/m' })).header('Location')).toBe('/m/')
  await untilClosed()
})

test('a redirect never leads to another server', async () => {
  for (const SCRIPT_NAME of [
    '/',
    '//evil.example',
    '/\\evil.example',
    'evil.example',
    '\\\\evil.example',
    '',
  ]) {
    const location = (await ask({ environ: { SCRIPT_NAME, PATH_INFO: '/docs' } })).header(
      'Location',
    )!
    expect(new URL(location, 'http://good.example/').host).toBe('good.example')
  }
  for (const target of [
    '//evil.example/docs',
    '//docs',
    '/%2fevil.example/..',
    '/\\evil.example/docs',
    '//evil.example/%2e%2e/docs',
  ])
    expect((await get(target)).status).toBe('404 Not Found')
})

test('with index: false a directory is nothing', async () => {
  expect((await get('/docs/', {}, { index: false })).status).toBe('404 Not Found')
  expect((await get('/docs', {}, { index: false })).status).toBe('404 Not Found')
})

const NAVIGATION = { Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' }

test('navigations of a single-page application get the fallback file', async () => {
  const options = { fallback: 'index.html' }
  for (const target of ['/users/7', '/users/7/', '/issues/A:1', '/a//b', '/none'])
    expect((await get(target, NAVIGATION, options)).body).toBe('<h1>home</h1>')
  expect((await get('/docs/', NAVIGATION, options)).body).toBe('docs')
})

test('what is no navigation does not get the fallback file', async () => {
  const options = { fallback: 'index.html' }
  for (const target of ['/none.js', '/users/a.png'])
    expect((await get(target, NAVIGATION, options)).status).toBe('404 Not Found')
  for (const Accept of [
    '*/*',
    'application/json',
    'text/*',
    'text/html;q=0',
    'text/html; q=0.0, */*',
  ])
    expect((await get('/users/7', { Accept }, options)).status).toBe('404 Not Found')
  expect((await get('/users/7', {}, options)).status).toBe('404 Not Found')
  expect(
    (
      await ask(
        { method: 'POST', target: '/users/7', headers: Object.entries(NAVIGATION) },
        options,
      )
    ).status,
  ).toBe('404 Not Found')
})

test('a function decides which navigations the application gets', async () => {
  const wrapped = staticFiles({
    root,
    fallback: (path) => (path.startsWith('/api/') ? false : '/page.html'),
  })(app)
  const headers = Object.entries(NAVIGATION)
  expect((await callForAnswer(wrapped, { target: '/api/x', headers })).body).toBe('app: GET /api/x')
  expect((await callForAnswer(wrapped, { target: '/x', headers })).body).toBe('<h1>page</h1>')
})

test.each([
  ['br, gzip, zstd', 'br'],
  ['gzip, deflate, br;q=0.9', 'gzip'],
  ['zstd', 'zstd'],
  ['*', 'br'],
  ['br;q=0, *', 'zstd'],
  ['identity;q=0, gzip;q=0.1', 'gzip'],
  ['GZIP', 'gzip'],
  ['gzip;q=0.5, identity', undefined],
  ['identity', undefined],
  ['*;q=0', undefined],
  ['', undefined],
])('Accept-Encoding: %s gets the sibling %s', async (accepted, encoding) => {
  const answer = await get('/app.js', { 'Accept-Encoding': accepted })
  expect(answer.header('Content-Encoding')).toBe(encoding)
  expect(answer.body).toBe(encoding ?? 'plain')
  expect(answer.header('Content-Length')).toBe(String(answer.body.length))
  expect(answer.header('Content-Type')).toBe('text/javascript; charset=utf-8')
  expect(answer.header('Vary')).toBe('Accept-Encoding')
  await untilClosed()
})

test('each coding of a file has an ETag of its own', async () => {
  const tags = new Set<unknown>()
  for (const accepted of ['br', 'gzip', 'zstd', 'identity'])
    tags.add((await get('/app.js', { 'Accept-Encoding': accepted })).header('ETag'))
  expect(tags.size).toBe(4)
})

test('a sibling that is older than its file, or beside what is compressed already, is left alone', async () => {
  const stale = await get('/stale.js', { 'Accept-Encoding': 'br' })
  expect([stale.body, stale.header('Content-Encoding'), stale.header('Vary')]).toEqual([
    'new',
    undefined,
    'Accept-Encoding',
  ])
  const png = await get('/only.png', { 'Accept-Encoding': 'br' })
  expect([png.body, png.header('Vary')]).toEqual(['png', undefined])
  const off = await get('/app.js', { 'Accept-Encoding': 'br' }, { precompressed: [] })
  expect([off.body, off.header('Vary')]).toEqual(['plain', undefined])
  await untilClosed()
})

test('Cache-Control is as the options say', async () => {
  const of = async (target: string, options: Partial<StaticFilesOptions>) =>
    (await get(target, {}, options)).header('Cache-Control')
  const immutable = /^\/assets\//g
  expect(await of('/page.html', { maxAge: 60 })).toBe('public, max-age=60')
  expect(await of('/page.html', { cacheControl: 'private' })).toBe('private')
  expect(await of('/page.html', { cacheControl: false })).toBeUndefined()
  expect(await of('/page.html', { immutable })).toBe('no-cache')
  for (const again of ['first', 'second'])
    expect([again, await of('/assets/index-B4x9.js', { immutable })]).toEqual([
      again,
      'public, max-age=31536000, immutable',
    ])
})

test('more headers replace ours, but add to Vary', async () => {
  const headers = (path: string): [string, string][] => [
    ['Cache-Control', `x-${path}`],
    ['Vary', 'Origin'],
  ]
  const answer = await get('/app.js', {}, { headers })
  expect([answer.header('Cache-Control'), answer.header('Vary')]).toEqual([
    'x-/app.js',
    'Accept-Encoding, Origin',
  ])
  const wrong = await get('/app.js', {}, { headers: () => [['content-length', '1']] })
  expect([wrong.status, String(wrong.error)]).toEqual([
    '500 Internal Server Error',
    'TypeError: staticFiles: headers must not return content-length, which staticFiles sets',
  ])
  await untilClosed()
})

test('validators of the headers option are those that conditions are held against', async () => {
  const options: Partial<StaticFilesOptions> = { headers: () => [['ETag', '"mine"']] }
  expect((await get('/digits.txt', { 'If-None-Match': '"mine"' }, options)).status).toMatch(/^304/)
  expect((await get('/digits.txt', { 'If-Match': '"mine"' }, options)).status).toMatch(/^200/)
  const resumed = { Range: 'bytes=0-1', 'If-Range': '"mine"' }
  expect((await get('/digits.txt', resumed, options)).status).toMatch(/^206/)
})

test('a client that has the file gets 304, without what is about content', async () => {
  const first = await get('/app.js')
  for (const headers of [
    { 'If-None-Match': first.header('ETag')! },
    { 'If-None-Match': `"other", W/${first.header('ETag')!}` },
    { 'If-None-Match': '*' },
    { 'If-Modified-Since': first.header('Last-Modified')! },
    { 'If-Modified-Since': 'Sun, 04 Feb 2024 00:00:00 GMT' },
  ] as Record<string, string>[]) {
    const answer = await get('/app.js', headers)
    expect([answer.status, answer.body]).toEqual(['304 Not Modified', ''])
    expect(answer.headers.map(([name]) => name).sort()).toEqual([
      'Cache-Control',
      'ETag',
      'Vary',
      'X-Content-Type-Options',
    ])
  }
  await untilClosed()
})

test('a client that has another state gets the file', async () => {
  const { headers } = await get('/app.js')
  const lastModified = headers.find(([name]) => name === 'Last-Modified')![1]
  for (const conditions of [
    { 'If-None-Match': '"other"' },
    { 'If-None-Match': '"other"', 'If-Modified-Since': lastModified },
    { 'If-Modified-Since': 'Fri, 02 Feb 2024 00:00:00 GMT' },
    { 'If-Modified-Since': 'nonsense' },
    { 'If-Modified-Since': lastModified, 'Cache-Control': 'No-Cache' },
  ] as Record<string, string>[])
    expect((await get('/app.js', conditions)).status).toBe('200 OK')
})

test('If-Match and If-Unmodified-Since that do not hold are 412', async () => {
  const tag = (await get('/app.js')).header('ETag')!
  const status = async (headers: Record<string, string>) =>
    (await get('/app.js', headers)).status.slice(0, 3)
  expect(await status({ 'If-Match': '"other"' })).toBe('412')
  expect(await status({ 'If-Match': `W/${tag}` })).toBe('412')
  expect(await status({ 'If-Match': `"other", ${tag}` })).toBe('200')
  expect(await status({ 'If-Match': '*' })).toBe('200')
  expect(await status({ 'If-Unmodified-Since': 'Fri, 02 Feb 2024 00:00:00 GMT' })).toBe('412')
  expect(await status({ 'If-Unmodified-Since': 'Sat, 03 Feb 2024 04:05:06 GMT' })).toBe('200')
  expect(await status({ 'If-Unmodified-Since': 'nonsense' })).toBe('200')
  expect(
    await status({ 'If-Match': tag, 'If-Unmodified-Since': 'Fri, 02 Feb 2024 00:00:00 GMT' }),
  ).toBe('200')
  expect(await status({ 'If-Match': '"other"', 'If-None-Match': tag })).toBe('412')
  await untilClosed()
})

test.each([
  ['bytes=0-3', '0123', '0-3'],
  ['bytes=8-', '89', '8-9'],
  ['bytes=-3', '789', '7-9'],
  ['bytes=-1000', '0123456789', '0-9'],
  ['bytes=5-1000', '56789', '5-9'],
  ['BYTES=1-1', '1', '1-1'],
  ['bytes=0-2,2-5', '012345', '0-5'],
  ['bytes=0-2, 3-5', '012345', '0-5'],
  ['bytes=20-30, 9-9', '9', '9-9'],
])('Range: %s is %s', async (range, body, told) => {
  const answer = await get('/digits.txt', { Range: range })
  expect([answer.status, answer.body]).toEqual(['206 Partial Content', body])
  expect(answer.header('Content-Range')).toBe(`bytes ${told}/10`)
  expect(answer.header('Content-Length')).toBe(String(body.length))
})

test.each([
  ['/digits.txt', 'bytes=10-'],
  ['/digits.txt', 'bytes=-0'],
  ['/digits.txt', 'bytes=20-30,40-50'],
  ['/empty.txt', 'bytes=0-'],
  ['/empty.txt', 'bytes=-5'],
])('of %s, Range: %s is 416', async (target, range) => {
  const answer = await get(target, { Range: range })
  expect(answer.status).toBe('416 Range Not Satisfiable')
  expect(answer.header('Content-Range')).toBe(target === '/empty.txt' ? 'bytes */0' : 'bytes */10')
  expect(answer.header('ETag')).toBeUndefined()
})

test.each([
  'bytes=',
  'bytes',
  'lines=0-3',
  'bytes=a-b',
  'bytes=0x1-3',
  'bytes=--3',
  'bytes=1-2-3',
  'bytes=3',
  'bytes=1.5-2',
  `bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join(',')}`,
  `bytes=${'0-,'.repeat(5000)}`,
])('Range: %s is ignored', async (range) => {
  const answer = await get('/digits.txt', { Range: range })
  expect([answer.status, answer.body]).toEqual(['200 OK', '0123456789'])
})

test('several ranges come as multipart/byteranges, with the length that was said', async () => {
  const answer = await get('/digits.txt', { Range: 'bytes=0-1,5-6,-1' })
  const boundary = answer
    .header('Content-Type')!
    .match(/^multipart\/byteranges; boundary=([\w-]+)$/)![1]
  const part = (range: string, content: string) =>
    `\r\n--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ` +
    `${range}/10\r\n\r\n${content}`
  expect(answer.status).toBe('206 Partial Content')
  expect(answer.body).toBe(
    `${part('0-1', '01')}${part('5-6', '56')}${part('9-9', '9')}\r\n--${boundary}--\r\n`,
  )
  expect(answer.header('Content-Length')).toBe(String(answer.body.length))
  expect(answer.header('Content-Range')).toBeUndefined()
  expect(answer.complete).toBe(true)
  await untilClosed()
})

test('any ranges of a large file give exactly those bytes', async () => {
  const position = fc.nat(BIG.length - 1)
  await fc.assert(
    fc.asyncProperty(position, position, async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)]
      const answer = await get('/big.bin', { Range: `bytes=${start}-${end}` })
      expect(answer.body === BIG.toString('latin1', start, end + 1)).toBe(true)
    }),
    { numRuns: 40 },
  )
  await untilClosed()
})

test('a Range of a HEAD, or behind an If-Range that does not hold, is ignored', async () => {
  const first = await get('/digits.txt')
  const of = async (condition: string, target = '/digits.txt') =>
    (await get(target, { Range: 'bytes=0-0', 'If-Range': condition })).status.slice(0, 3)
  expect(await of(first.header('ETag')!)).toBe('206')
  expect(await of(first.header('Last-Modified')!)).toBe('206')
  expect(await of(`W/${first.header('ETag')!}`)).toBe('200')
  expect(await of('"other"')).toBe('200')
  expect(await of('Sun, 04 Feb 2024 00:00:00 GMT')).toBe('200')
  const head = await ask({
    method: 'HEAD',
    target: '/digits.txt',
    headers: [['Range', 'bytes=0-0']],
  })
  expect([head.status, head.header('Content-Length')]).toEqual(['200 OK', '10'])
})

test('the ETag of a file that was just written is weak, and that of another state is another', async () => {
  put('fresh.txt', 'one', new Date())
  const fresh = await get('/fresh.txt')
  expect(fresh.header('ETag')).toMatch(/^W\//)
  const range = { Range: 'bytes=0-0', 'If-Range': fresh.header('ETag')! }
  expect((await get('/fresh.txt', range)).status).toBe('200 OK')
  // The same size and time, as reproducible builds make them; another file.
  put('new.txt', 'AAA')
  put('fresh.txt', 'BBB')
  const before = (await get('/fresh.txt')).header('ETag')
  renameSync(join(root, 'new.txt'), join(root, 'fresh.txt'))
  expect((await get('/fresh.txt')).header('ETag')).not.toBe(before)
  put('future.txt', 'x', new Date(Date.now() + 86_400_000))
  const future = await get('/future.txt')
  expect(Date.parse(future.header('Last-Modified')!)).toBeLessThanOrEqual(Date.now())
})

test('a file that becomes shorter breaks the response off', async () => {
  put('shrinking.bin', BIG)
  const wrapped: WSGIApplication = async (environ, startResponse) => {
    const body = await (staticFiles({ root })() as typeof staticApp)(environ, startResponse)
    truncateSync(join(root, 'shrinking.bin'), 1000)
    return body
  }
  const answer = await callForAnswer(wrapped, { target: '/shrinking.bin' })
  expect(answer.complete).toBe(false)
  expect(String(answer.error)).toContain('was shortened')
  await untilClosed()
})

declare const staticApp: (
  environ: Parameters<Extract<WSGIApplication, (...args: never[]) => unknown>>[0],
  startResponse: Parameters<Extract<WSGIApplication, (...args: never[]) => unknown>>[1],
) => Promise<WSGIBody>

test('a client that goes away has the file closed, before, between and during reads', async () => {
  const served = staticFiles({ root })() as typeof staticApp
  const body = async () =>
    (await served(
      environOf({ target: '/big.bin' }),
      () => async () => {},
    )) as AsyncIterable<Uint8Array> & {
      close(): unknown
    }
  const unread = await body()
  await unread.close()
  await unread.close()
  const half = await body()
  const iterator = half[Symbol.asyncIterator]()
  await iterator.next()
  await half.close()
  expect((await iterator.next()).done).toBe(true)
  const reading = await body()
  const pieces = reading[Symbol.asyncIterator]()
  const under = pieces.next()
  await reading.close()
  await under
  await untilClosed()
})

test('a FIFO is no file, and nobody waits for its writer', async () => {
  expect((await get('/fifo')).status).toBe('404 Not Found')
})

test('a file that may not be read is 404, and the log says why', async () => {
  put('locked.txt', SECRET)
  chmodSync(join(root, 'locked.txt'), 0)
  const said: string[] = []
  const errors = { write: (text: string) => void said.push(text), writelines() {}, flush() {} }
  const served = staticFiles({ root })()
  // Root may read everything.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  const answer = await callForAnswer(served, { target: '/locked.txt', errors })
  if (isRoot) process.seteuid?.(0)
  expect(answer.status).toBe('404 Not Found')
  expect(said.join('')).toMatch(/locked\.txt" may not be read \(EACCES\)/)
})

test('with followSymlinks, links that stay in the root are followed, and no others', async () => {
  const options = { followSymlinks: true }
  expect((await get('/inside.html', {}, options)).body).toBe('<h1>page</h1>')
  expect((await get('/inside/file.txt', {}, options)).body).toBe('file')
  expect((await get('/inside.html')).status).toBe('404 Not Found')
  expect((await get('/inside/file.txt')).status).toBe('404 Not Found')
  // Out and in again: where the file lies is what counts.
  expect((await get('/up/root/page.html', {}, options)).body).toBe('<h1>page</h1>')
  expect((await get('/up/root/page.html')).status).toBe('404 Not Found')
})

test('dotfiles are ignored, denied or allowed', async () => {
  for (const target of ['/.env', '/.git/config', '/sub/.hidden/x.txt']) {
    expect((await get(target)).status).toBe('404 Not Found')
    expect((await get(target, {}, { dotfiles: 'deny' })).status).toBe('403 Forbidden')
    expect((await get(target, {}, { dotfiles: 'allow' })).body).toBe(SECRET)
  }
})

/**
 * Targets as they stand in a request, percent-encoded; PATH_INFO is what is left when they are
 * decoded once.
 */
const ATTACKS = [
  '/../secret.txt',
  '/..',
  '/../',
  '/../../../../../../etc/passwd',
  '/./../secret.txt',
  '/./page.html',
  '/docs/../../secret.txt',
  '/docs/../page.html',
  '/bare/..',
  '/%2e%2e/secret.txt',
  '/%2E%2E/secret.txt',
  '/.%2e/secret.txt',
  '/%2e./secret.txt',
  '/%2e%2e%2fsecret.txt',
  '/..%2fsecret.txt',
  '/..%2f..%2f..%2f..%2fetc%2fpasswd',
  '/%2e%2e%5csecret.txt',
  '/..%5csecret.txt',
  '/..\\secret.txt',
  '/\\..\\secret.txt',
  '/docs\\..\\..\\secret.txt',
  '/%5c%5cserver%5cshare%5csecret.txt',
  '/%252e%252e/secret.txt',
  '/%252e%252e%252fsecret.txt',
  '/..%252fsecret.txt',
  '/..%00/secret.txt',
  '/secret.txt%00',
  '/page.html%00.txt',
  '/page.html%00',
  '/%00',
  '/..%c0%afsecret.txt',
  '/%c0%ae%c0%ae/secret.txt',
  '/%c0%ae%c0%ae%c0%afsecret.txt',
  '/%e0%80%ae%e0%80%ae/secret.txt',
  '/%f0%80%80%ae./secret.txt',
  '/%uff0e%uff0e/secret.txt',
  '/%ef%bc%8e%ef%bc%8e/secret.txt',
  '/..%ef%bc%8fsecret.txt',
  '/..%e2%88%95secret.txt',
  '/%ff%fe/secret.txt',
  '/.../secret.txt',
  '/..../secret.txt',
  '/.. /secret.txt',
  '/..%20/secret.txt',
  '/%20../secret.txt',
  '/..;/secret.txt',
  '/..%0a/secret.txt',
  '/..%0d%0a/secret.txt',
  '/..%09/secret.txt',
  '/.%00./secret.txt',
  '//secret.txt',
  '///etc/passwd',
  '//../secret.txt',
  '/docs//../../secret.txt',
  '/docs//index.html',
  '/%2fetc/passwd',
  '/%2f%2fetc%2fpasswd',
  '/C:/secret.txt',
  '/C:%5csecret.txt',
  '/c:secret.txt',
  '/file:///etc/passwd',
  '/page.html::$DATA',
  '/page.html:stream',
  '/.env::$DATA',
  '/page.html.',
  '/page.html%20',
  '/page.html...',
  '/.env.',
  '/.env%20',
  '/.git./config',
  '/CON',
  '/nul',
  '/NUL.txt',
  '/aux.html',
  '/docs/com1',
  '/COM%C2%B9.txt',
  '/LPT9.page.html',
  '/CONIN$',
  '/link.txt',
  '/relative-link.txt',
  '/up/secret.txt',
  '/up/',
  '/slash/etc/passwd',
  '/sibling/secret.txt',
  '/loop',
  '/loop/x',
  '/zero',
  '/fifo',
  '/.env',
  '/%2eenv',
  '/.git/config',
  '/.git/',
  '/sub/.hidden/x.txt',
  '/../root-sibling/secret.txt',
  '-sibling/secret.txt',
  '../secret.txt',
  'secret.txt',
  'page.html',
  '*',
  '/page.html/',
  '/page.html/.',
  '/page.html/../page.html',
  '/page.html%2f..%2f..%2fsecret.txt',
  `/${'../'.repeat(500)}etc/passwd`,
  `/${'a/'.repeat(3000)}x`,
  `/${'x'.repeat(5000)}`,
  '/~root/secret.txt',
  '/~/.ssh/id_rsa',
  '/proc/self/environ',
  '/dev/fd/0',
]

test.each(ATTACKS)('no byte comes from outside for %s', async (target) => {
  for (const followSymlinks of [false, true]) {
    for (const request of [
      { target },
      { environ: { PATH_INFO: target } },
      { target: `/s${target}` },
    ]) {
      const options = {
        followSymlinks,
        ...(request.target?.startsWith('/s') ? { prefix: '/s' } : {}),
      }
      const answer = await ask(request, options)
      expect(answer.body).toBe('Not Found\n')
      expect(answer.status).toBe('404 Not Found')
    }
  }
  await untilClosed()
})

test('whatever the path is, nothing comes from outside', async () => {
  const piece = fc.constantFrom(
    '/', '//', '\\', '.', '..', '...', '%2e', '%2f', '%5c', '%00', '%c0%af', '%25', ' ', ':', ';', '~', '$',
    'up', 'root', 'slash', 'etc', 'passwd', 'secret.txt', 'link.txt', 'sibling', 'inside', 'docs', '.env',
    '.git', 'config', 'CON', '\u00c3\u00a9', '\u00ff',
  ) // biome-ignore format: one list
  const path = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.boolean(),
      fc.boolean(),
      async (PATH_INFO, decode, followSymlinks) => {
        const view = Buffer.from(PATH_INFO).toString('latin1')
        const request = decode ? { target: view } : { environ: { PATH_INFO: view } }
        const answer = await ask(request, { followSymlinks })
        expect(answer.error).toBeUndefined()
        expect(answer.body).not.toContain('SECRET')
        expect(answer.body).not.toContain('root:')
      },
    ),
    { numRuns: 400 },
  )
  await untilClosed()
})

test('what a path is read as leads one step down at a time', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const path = servedPath(`/${Buffer.from(text).toString('latin1')}`)
      for (const name of path?.names ?? []) {
        expect(name).not.toMatch(/[/\\\0:]/)
        expect(['', '.', '..']).not.toContain(name)
      }
      if (path !== null)
        expect(
          `/${path.names.join('/')}${path.directory && path.names.length > 0 ? '/' : ''}`,
        ).toBe(`/${text}`)
    }),
  )
})

test('a link that takes the place of a file in time gives nothing from outside', async () => {
  put('racing.txt', 'inside')
  const served = staticFiles({ root, followSymlinks: true })()
  const file = join(root, 'racing.txt')
  const link = join(base, 'racing-link')
  const plain = join(base, 'racing-plain')
  let swapping = true
  const swaps = (async () => {
    while (swapping) {
      symlinkSync(join(base, 'secret.txt'), link)
      renameSync(link, file)
      await new Promise(setImmediate)
      writeFileSync(plain, 'inside')
      renameSync(plain, file)
      await new Promise(setImmediate)
    }
  })()
  const bodies = new Set<string>()
  for (let i = 0; i < 300; i++)
    bodies.add((await callForAnswer(served, { target: '/racing.txt' })).body)
  swapping = false
  await swaps
  expect(bodies).not.toContain(SECRET)
  expect(bodies).toContain('inside')
})

test('a second name of a file (a hard link) is a file of the root', async () => {
  linkSync(join(root, 'page.html'), join(root, 'hard.html'))
  expect((await get('/hard.html')).body).toBe('<h1>page</h1>')
})

test.each([
  [{ root: '' }, 'staticFiles: root must be the path of a directory, not ""'],
  [
    { root: '/nowhere/at/all' },
    /^staticFiles: root "\/nowhere\/at\/all" cannot be served \(ENOENT/,
  ],
  [{ root: '/dev/null' }, /cannot be served/],
  [
    { prefix: 'static' },
    'staticFiles: prefix "static" must begin with a slash and not end with one, as in "/static"',
  ],
  [{ prefix: '/static/' }, /prefix "\/static\/"/],
  [{ index: '../x' }, 'staticFiles: index "../x" must be the name of a file, or false'],
  [{ fallback: '../x' }, /fallback "..\/x" must be the path of a file below the root/],
  [{ maxAge: -1 }, 'staticFiles: maxAge must be a whole number of seconds, 0 or more, not -1'],
  [{ maxAge: 1, cacheControl: 'x' }, /give one of them/],
  [
    { precompressed: ['deflate'] },
    /precompressed must be a list of 'br', 'zstd' and 'gzip', without "deflate"/,
  ],
  [{ dotfiles: 'show' }, /dotfiles must be 'ignore', 'deny' or 'allow', not "show"/],
  [{ immutable: '/assets' }, /immutable must be a regular expression/],
])('the options %j are refused at set-up', (options, message) => {
  let error: (Error & { code?: unknown }) | undefined
  try {
    staticFiles({ root, ...options } as StaticFilesOptions)
  } catch (caught) {
    error = caught as Error
  }
  expect(error).toBeInstanceOf(TypeError)
  expect(error?.code).toBe('bad-option')
  expect(error?.message).toMatch(message)
})
