import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'

export const SECRET = 'SECRET, from outside the root or hidden in it'
const OLD = new Date('2024-02-03T04:05:06Z')
export const BIG = Buffer.alloc(700_001, 'abcdefghij')

/** A line of /etc/passwd. */
const PASSWD = /root:[^:]*:0:0:/

/** A folder with files of all kinds, and secrets beside it. */
export class StaticFolder {
  /** What is outside of the root. */
  readonly base = mkdtempSync(join(tmpdir(), 'monoceros-static-'))
  readonly root = join(this.base, 'root')

  constructor() {
    const { base, root } = this
    const put = this.put.bind(this)
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
  }

  /** Writes a file that is old enough to have a strong tag. */
  put(path: string, content: string | Uint8Array, at = OLD): void {
    const full = join(this.root, path)
    mkdirSync(join(full, '..'), { recursive: true })
    writeFileSync(full, content)
    utimesSync(full, at, at)
  }

  /** Descriptors of this process that lead to it. */
  openFiles(): string[] {
    const open: string[] = []
    for (const fd of readdirSync('/proc/self/fd')) {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`)
        if (path.startsWith(this.base)) open.push(path)
      } catch {
        // That of the listing itself.
      }
    }
    return open
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true })
  }
}

/** An answer, however it was got. */
export interface FileAnswer {
  /** Number and phrase: `200 OK`. */
  readonly status: string
  /** Without `Date`. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** One character a byte. */
  readonly body: string
  readonly complete: boolean
  header(name: string): string | undefined
}

export interface FileRequest {
  readonly method?: string
  readonly target: string
  readonly headers?: [name: string, value: string][]
}

/** What serves the folder: a middleware, or a handler of the server. */
export interface FileServer {
  folder(): StaticFolder
  ask(request: FileRequest): Promise<FileAnswer>
  /** Resolves when the files of answers are closed, if they are not kept open. */
  settled(): Promise<void>
}

/**
 * Targets as they stand in a request, percent-encoded; PATH_INFO is what is left when they are
 * decoded once.
 */
export const ATTACKS = [
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

/**
 * Registers the tests of what is the same wherever files are served: types, compressed versions,
 * conditions, ranges, and paths that lead nowhere.
 */
export function testStaticFiles(server: FileServer): void {
  const folder = () => server.folder()
  const get = (target: string, headers: Record<string, string> = {}) =>
    server.ask({ target, headers: Object.entries(headers) })

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
    expect(answer.body).toBe(BIG.toString('latin1'))
    await server.settled()
  })

  test('HEAD has the headers of GET and no body', async () => {
    const got = await get('/big.bin')
    const head = await server.ask({ method: 'HEAD', target: '/big.bin' })
    expect(head.headers).toEqual(got.headers)
    expect(head.body).toBe('')
    await server.settled()
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
    await server.settled()
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
    await server.settled()
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
    await server.settled()
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
    await server.settled()
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
    expect(answer.header('Content-Range')).toBe(
      target === '/empty.txt' ? 'bytes */0' : 'bytes */10',
    )
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
    `bytes=${'0-,'.repeat(1000)}`,
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
    await server.settled()
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
    await server.settled()
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
    const head = await server.ask({
      method: 'HEAD',
      target: '/digits.txt',
      headers: [['Range', 'bytes=0-0']],
    })
    expect([head.status, head.header('Content-Length')]).toEqual(['200 OK', '10'])
  })

  test('the ETag of a file that was just written is weak, and that of another state is another', async () => {
    folder().put('fresh.txt', 'one', new Date())
    const fresh = await get('/fresh.txt')
    expect(fresh.header('ETag')).toMatch(/^W\//)
    const range = { Range: 'bytes=0-0', 'If-Range': fresh.header('ETag')! }
    expect((await get('/fresh.txt', range)).status).toBe('200 OK')
    // The same size and time, as reproducible builds make them; another file.
    folder().put('new.txt', 'AAA')
    folder().put('fresh.txt', 'BBB')
    const before = (await get('/fresh.txt')).header('ETag')
    renameSync(join(folder().root, 'new.txt'), join(folder().root, 'fresh.txt'))
    // A server may take a second to notice.
    await expect
      .poll(async () => (await get('/fresh.txt')).header('ETag'), { timeout: 10_000 })
      .not.toBe(before)
    folder().put('future.txt', 'x', new Date(Date.now() + 86_400_000))
    const future = await get('/future.txt')
    expect(Date.parse(future.header('Last-Modified')!)).toBeLessThanOrEqual(Date.now())
  })

  test('a FIFO is no file, and nobody waits for its writer', async () => {
    expect((await get('/fifo')).status).toBe('404 Not Found')
  })

  test.each(ATTACKS)('nothing is served for %s', async (target) => {
    const answer = await get(target)
    expect(answer.body).not.toContain('SECRET')
    expect(answer.body).not.toMatch(PASSWD)
    expect(answer.status).toMatch(/^4(?:0[04]|14) /)
    await server.settled()
  })

  test('whatever the path is, nothing comes from outside', async () => {
    await fc.assert(
      fc.asyncProperty(PATHS, async (path) => {
        const answer = await get(Buffer.from(path).toString('latin1'))
        expect(answer.status).toMatch(/^(?:200|301|400|404) /)
        expect(answer.body).not.toContain('SECRET')
        expect(answer.body).not.toMatch(PASSWD)
      }),
      { numRuns: 200 },
    )
    await server.settled()
  })
}

/** Paths of pieces that are dangerous somewhere. */
export const PATHS = fc.oneof(
  fc
    .array(
      // biome-ignore format: one list
      fc.constantFrom(
        '/', '//', '\\', '.', '..', '...', '%2e', '%2f', '%5c', '%00', '%c0%af', '%25', ' ', ':',
        ';', '~', '$', 'up', 'root', 'slash', 'etc', 'passwd', 'secret.txt', 'link.txt', 'sibling',
        'inside', 'docs', '.env', '.git', 'config', 'CON', '\u00c3\u00a9', '\u00ff',
      ),
      { maxLength: 12 },
    )
    .map((pieces) => `/${pieces.join('')}`),
  fc.string(),
)
