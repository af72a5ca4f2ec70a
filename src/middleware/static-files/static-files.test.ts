import { chmodSync, linkSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import {
  ATTACKS,
  BIG,
  PATHS,
  SECRET,
  StaticFolder,
  testStaticFiles,
} from '../../../tests/support/static-file-cases.ts'
import { servedPath } from '../../files/served-path.ts'
import type { WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { type StaticFilesOptions, staticFiles } from './static-files.ts'

let folder: StaticFolder
let base: string
let root: string

beforeAll(() => {
  folder = new StaticFolder()
  ;({ base, root } = folder)
})

afterAll(() => folder.remove())

const put: StaticFolder['put'] = (...args) => folder.put(...args)

testStaticFiles({ folder: () => folder, ask, settled: untilClosed })

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

async function untilClosed(): Promise<void> {
  await expect.poll(() => folder.openFiles(), { interval: 5 }).toEqual([])
}

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

test('precompressed: [] serves no compressed versions', async () => {
  const off = await get('/app.js', { 'Accept-Encoding': 'br' }, { precompressed: [] })
  expect([off.body, off.header('Vary')]).toEqual(['plain', undefined])
})

test('a large file comes in pieces', async () => {
  expect((await get('/big.bin')).pieces.length).toBeGreaterThan(2)
  await untilClosed()
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

test('whatever PATH_INFO is, nothing comes from outside', async () => {
  await fc.assert(
    fc.asyncProperty(
      PATHS,
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
