import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runCommandHere, startServer } from '../support/server.ts'

// Files that the server sends by itself, with the real command. The rules of paths, ranges and
// conditions have their table in tests/support/static-file-cases.ts.

const PYTHON = `
import os

def app(environ, start_response):
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain"), ("X-Path", path)]
    if path.startswith("/send/"):
        headers.append(("X-Sendfile", os.environ["FILES"] + path[5:]))
    elif path.startswith("/redirect/"):
        headers.append(("X-Accel-Redirect", "/protected" + path[9:]))
    elif path != "/here":
        start_response("404 Not Found", headers)
        return [b"no page of the application"]
    if environ["QUERY_STRING"] == "as-flask":
        headers.append(("Content-Length", "6"))
        start_response("200 OK", headers)
        return []
    start_response("200 OK", headers)
    return [b"from worker %d" % os.getpid()]
`
const BIG = 64 * 1024 * 1024

let directory: ReturnType<typeof temporaryDirectory>
let files: string
beforeAll(() => {
  directory = temporaryDirectory()
  files = join(directory.path, 'private')
  const site = join(directory.path, 'site')
  const put = (path: string, content: string) => {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
    utimesSync(path, 1e9, 1e9)
  }
  put(join(site, 'index.html'), '<h1>front</h1>')
  put(join(site, 'assets/index-B4x9kZ2q.js'), 'let a')
  put(join(site, 'assets/index-B4x9kZ2q.js.gz'), 'compressed')
  put(join(directory.path, 'static/site.css'), 'a{}')
  put(join(files, 'bill.pdf'), 'a bill')
  put(join(directory.path, 'served.py'), PYTHON)
})
afterAll(() => directory.remove())

const start = (app: string, ...args: string[]) =>
  startServer({ app, args, cwd: directory.path, env: { FILES: files } })

describe.skipIf(!hasPython())('in front of a Python application', () => {
  let server: RunningServer
  beforeAll(async () => {
    const settings = {
      static: { '/': './site', '/static/': 'static' },
      spa: true,
      sendfile_root: [files],
      accel_redirect: ['/protected=private'],
      root_path: '/shop',
      access_logfile: '-',
      access_log_format: '"%(r)s" %(s)s %(B)s',
    }
    writeFileSync(join(directory.path, 'settings.json'), JSON.stringify(settings))
    server = await start('served:app', '--config', 'settings.json', '--workers', '1')
  })
  afterAll(() => server?.stop())
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}${path}`, { headers })

  test('files, pages of the application and pages of the front end live side by side', async () => {
    const html = { Accept: 'text/html' }
    expect(await (await get('/static/site.css')).text()).toBe('a{}')
    expect(await (await get('/shop/static/site.css')).text()).toBe('a{}')
    expect(await (await get('/')).text()).toBe('<h1>front</h1>')
    expect(await (await get('/here', html)).text()).toMatch(/^from worker/)
    const page = await get('/orders/17', html)
    expect([page.status, await page.text()]).toEqual([200, '<h1>front</h1>'])
    const missing = await get('/missing.js', html)
    expect([missing.status, await missing.text()]).toEqual([404, 'no page of the application'])
    expect((await get('/orders/17', { Accept: '*/*' })).status).toBe(404)
    const hashed = await RawConnection.open(server)
    const script = await hashed.request(
      'GET /assets/index-B4x9kZ2q.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n',
    )
    expect(script.text).toBe('compressed')
    expect(script.header('Content-Encoding')).toBe('gzip')
    expect(script.header('Cache-Control')).toBe('public, max-age=31536000, immutable')
    await server.waitForLog(/"GET \/static\/site\.css HTTP\/1\.1" 200 3\n/)
    await server.waitForLog(/"GET \/orders\/17 HTTP\/1\.1" 200 14\n/)
  })

  test('the application has files sent, and no others', async () => {
    for (const path of ['/send/bill.pdf', '/redirect/bill.pdf']) {
      const answer = await get(path)
      expect([answer.status, await answer.text()]).toEqual([200, 'a bill'])
      expect(answer.headers.get('X-Path')).toBe(path)
      expect(answer.headers.get('X-Sendfile') ?? answer.headers.get('X-Accel-Redirect')).toBeNull()
      const part = await get(path, { Range: 'bytes=2-' })
      expect([part.status, await part.text()]).toEqual([206, 'bill'])
    }
    // Flask's send_file() declares the length of the file and leaves the body out.
    expect(await (await get('/send/bill.pdf?as-flask')).text()).toBe('a bill')
    expect(await (await get('/redirect/bill.pdf?as-flask')).text()).toBe('a bill')
    // Clients such as fetch leave the dots out.
    const raw = await RawConnection.open(server)
    const outside = await raw.request('GET /send/../served.py HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(outside.status).toBe(500)
    await server.waitForLog(/\[ERROR\] X-Sendfile in the answer to .*served\.py/)
    expect(server.log()).not.toContain('incomplete')
    expect((await get('/redirect/none.pdf')).status).toBe(404)
    // It is a path of the server, not of clients.
    expect((await get('/protected/bill.pdf')).status).toBe(404)
  })

  test('a file that becomes shorter while it is sent ends the connection', async () => {
    const path = join(files, 'shrinking.bin')
    writeFileSync(path, '')
    truncateSync(path, BIG)
    const connection = await RawConnection.open(server)
    await connection.send('GET /send/shrinking.bin HTTP/1.1\r\nHost: a\r\n\r\n')
    const first = await connection.readSome(100)
    truncateSync(path, 1000)
    const { rest } = await connection.readToEnd()
    expect(first.length + rest.length).toBeLessThan(BIG)
    await server.waitForLog(/Cannot send .*shrinking\.bin: it has become shorter/)
  })
})

test.each([
  [['--static', '/s=nowhere'], /--static: expected an existing folder, not .*nowhere/],
  [['--static', './site'], /--static: expected PATH=FOLDER such as \/static=\.\/static/],
  [['--static', 'static=site'], /--static: expected a path that begins with a slash/],
  [['--static', '/a/../b=site'], /--static: expected a path that begins with a slash/],
  [['--static-immutable', '('], /--static-immutable: expected auto, or a regular expression/],
  [['--sendfile-root', 'nowhere'], /--sendfile-root: expected an existing folder, not .*nowhere/],
  [['--accel-redirect', '/p=served.py'], /--accel-redirect: expected an existing folder/],
])('%j is refused in one line', async (args, message) => {
  const { code, stderr } = await runCommandHere([...args, 'served:app'], { cwd: directory.path })
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
