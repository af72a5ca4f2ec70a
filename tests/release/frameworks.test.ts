import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { overHttp2 } from '../pep3333/over-http2.ts'
import {
  appsDirectory,
  djangoDirectory,
  patternedBytes,
  temporaryDirectory,
  writePatternedFile,
} from '../support/applications.ts'
import { Browser } from '../support/browser.ts'
import { csrfToken } from '../support/csrf-token.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { hasPython, sitePackages, testPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'

// MONOCEROS_TEST_AGAINST=gunicorn proves that it is the applications that are right.
const start = process.env.MONOCEROS_TEST_AGAINST === 'gunicorn' ? startGunicorn : startServer

interface Framework {
  name: string
  app: string
  cwd: string
  /** Part of the page for an unknown path. */
  notFound: RegExp
  /** Has tests of its own beside those that are put to all. */
  large?: true
  /**
   * Pyramid lets an unhandled exception out to the server; the others answer it and log it
   * themselves.
   */
  boomPage: RegExp
}

const frameworks: Framework[] = [
  {
    name: 'Flask',
    large: true,
    app: 'flask_app:app',
    cwd: appsDirectory,
    notFound: /Not Found/,
    boomPage: /Internal Server Error/,
  },
  {
    name: 'Django',
    large: true,
    app: 'mysite.wsgi',
    cwd: djangoDirectory,
    notFound: /Not Found/,
    boomPage: /Server Error/,
  },
  {
    name: 'Bottle',
    app: 'bottle_app:app',
    cwd: appsDirectory,
    notFound: /Bottle finds nothing at \/missing/,
    boomPage: /500/,
  },
  {
    name: 'Falcon',
    app: 'falcon_app:app',
    cwd: appsDirectory,
    notFound: /404 Not Found/,
    boomPage: /500 Internal Server Error/,
  },
  {
    name: 'Pyramid',
    app: 'pyramid_app:main()',
    cwd: appsDirectory,
    notFound: /Pyramid finds nothing at \/missing/,
    boomPage: /Internal Server Error/,
  },
]

const setUps = [
  { how: '1 worker', embedded: false, args: ['--workers', '1'] },
  { how: '2 workers', embedded: false, args: ['--workers', '2'] },
  { how: '1 worker of 4 threads', embedded: false, args: ['--workers', '1', '--threads', '4'] },
  // Through a translator: their clients speak HTTP/1.1.
  { how: '1 worker over HTTP/2', embedded: false, args: ['--workers', '1', '--h2c'] },
  // It has no threads.
  { how: '1 embedded worker', embedded: true, args: ['--runtime', 'pyodide', '--workers', '1'] },
  { how: '2 embedded workers', embedded: true, args: ['--runtime', 'pyodide', '--workers', '2'] },
].filter(({ embedded, args, how }) => {
  if (process.env.MONOCEROS_TEST_TLS === '1') return how === '1 worker'
  if (start === startGunicorn && args.includes('--h2c')) return false
  return !embedded || hasPackagesForEmbedded()
})

/**
 * The embedded Python is 3.14, and runs the packages of the one that the suite has: Django 4.2,
 * which Python 3.9 has, is too old for it.
 */
function hasPackagesForEmbedded(): boolean {
  if (start === startGunicorn || !hasPython()) return false
  return !/^3\.9\b/.test(testPython().version)
}

describe.skipIf(!hasPython())('frameworks', () => {
  const data = temporaryDirectory()
  afterAll(data.remove)
  let download: Buffer
  const env = { TEST_DATA: data.path }
  const password = 'a good horse'

  beforeAll(() => {
    download = writePatternedFile(join(data.path, 'download.bin'), 20_000_001)
    const manage = (...args: string[]) =>
      execFileSync(testPython().executable, ['manage.py', ...args], {
        cwd: djangoDirectory,
        env: {
          ...process.env,
          ...env,
          DJANGO_SUPERUSER_PASSWORD: password,
          PYTHONDONTWRITEBYTECODE: '1',
        },
        stdio: 'pipe',
      })
    manage('migrate', '--verbosity', '0')
    manage('collectstatic', '--noinput', '--verbosity', '0')
    manage('createsuperuser', '--noinput', '--username', 'ann', '--email', 'ann@example.org')
  })

  for (const framework of frameworks) {
    // One embedded set-up each, because a start takes a small machine a while; the large ones are
    // worth two workers.
    const chosen = setUps.filter(
      ({ embedded, how }) => !embedded || how.startsWith(framework.large ? '2' : '1'),
    )
    describe.each(chosen)(`${framework.name} with $how`, ({ embedded, args }) => {
      let server: RunningServer
      beforeAll(async () => {
        const started = await start({
          app: framework.app,
          cwd: framework.cwd,
          // The packages of another Python; and it sees nothing of the environment that it is not
          // given.
          args: embedded
            ? [...args, '--pythonpath', sitePackages(), '-e', `TEST_DATA=${data.path}`]
            : args,
          env,
        })
        server = args.includes('--h2c') ? await overHttp2(started) : started
      })
      afterAll(() => server?.stop())
      const get = (path: string, init?: RequestInit) =>
        fetch(server.url + path, { redirect: 'manual', ...init })

      test('the first page', async () => {
        const response = await get('/')
        expect(response.status).toBe(200)
        expect(await response.text()).toBe(`Hello from ${framework.name}`)
      })

      test('a route with a name that is not ASCII', async () => {
        const response = await get(`/greet/${encodeURIComponent('Zoë ✓')}`)
        expect(response.status).toBe(200)
        expect(await response.text()).toBe('Hello, Zoë ✓')
      })

      test('a query and a JSON answer', async () => {
        const response = await get(`/json?name=${encodeURIComponent('Zoë & 100%')}`)
        expect(response.headers.get('content-type')).toMatch(/^application\/json/)
        expect(await response.json()).toEqual({ framework: framework.name, name: 'Zoë & 100%' })
      })

      test('HEAD gives the headers of GET and no body', async () => {
        // Falcon, Bottle and Pyramid answer HEAD only where the route says so; then the status is
        // theirs.
        const [got, head] = [await get('/'), await get('/', { method: 'HEAD' })]
        await got.text()
        expect(await head.text()).toBe('')
        if (head.status === 200 && head.headers.has('content-length')) {
          expect(head.headers.get('content-length')).toBe(got.headers.get('content-length'))
        }
      })

      test('a form', async () => {
        const body = new URLSearchParams({ name: 'Zoë', text: 'a=b&c +d\r\n' })
        const response = await get('/form', { method: 'POST', body })
        expect(response.status).toBe(200)
        expect(await response.json()).toEqual({ name: 'Zoë', text: 'a=b&c +d\r\n' })
      })

      test.each([0, 1, 70_000, 3 * 1024 * 1024 + 1])('an upload of %i bytes', async (size) => {
        const bytes = patternedBytes(size)
        const body = new FormData()
        body.set('file', new Blob([new Uint8Array(bytes)]), 'picture.png')
        const response = await get('/upload', { method: 'POST', body })
        expect(response.status).toBe(200)
        expect(await response.json()).toEqual({
          filename: 'picture.png',
          size,
          sha256: createHash('sha256').update(bytes).digest('hex'),
        })
      })

      test('a download', async () => {
        const response = await get('/download')
        expect(response.status).toBe(200)
        expect(response.headers.get('content-disposition')).toMatch(
          /^attachment; filename="?download\.bin"?$/,
        )
        expect(response.headers.get('content-length')).toBe(String(download.length))
        expect(Buffer.from(await response.arrayBuffer()).equals(download)).toBe(true)
      })

      test('streams, several at once, each its own', async () => {
        const bodies = await Promise.all(
          [1, 2, 3, 4, 5, 6].map(async (number) => (await get(`/stream?n=${number}`)).text()),
        )
        bodies.forEach((body, index) => {
          const lines = Array.from({ length: 100 }, (_, line) => `${line} /stream?n=${index + 1}\n`)
          expect(body).toBe(lines.join(''))
        })
      })

      test('a redirect', async () => {
        const response = await get('/redirect')
        expect(response.status).toBe(302)
        const location = new URL(response.headers.get('location') ?? '', server.url)
        expect(location.href).toBe(`${server.url}/greet/Ann`)
        expect(await (await fetch(location)).text()).toBe('Hello, Ann')
      })

      test('an unknown path', async () => {
        const response = await get('/missing')
        expect(response.status).toBe(404)
        expect(await response.text()).toMatch(framework.notFound)
      })

      test('an exception is a 500 page, its traceback is in the log, and the next request is served', async () => {
        const from = server.log().length
        const response = await get('/boom')
        expect(response.status).toBe(500)
        expect(await response.text()).toMatch(framework.boomPage)
        await server.waitForLog(/Traceback \(most recent call last\)/, { from })
        await server.waitForLog(new RegExp(`RuntimeError: boom in ${framework.name}`), { from })
        expect((await get('/')).status).toBe(200)
      })

      test('many requests at once, each with its own answer', async () => {
        const names = Array.from({ length: 200 }, (_, number) => `name-${number}`)
        const answers = await Promise.all(
          names.map(async (name) => (await get(`/greet/${name}`)).text()),
        )
        expect(answers).toEqual(names.map((name) => `Hello, ${name}`))
      })

      if (framework.name === 'Flask') {
        test('a session lives in its cookie', async () => {
          const browser = new Browser(server.url)
          expect((await browser.get('/whoami')).status).toBe(401)
          const login = await browser.post('/login', new URLSearchParams({ user: 'Zoë' }))
          expect(login.status).toBe(302)
          expect(login.headers.get('location')).toBe('/whoami')
          expect(await (await browser.get('/whoami')).text()).toBe('Zoë')
          expect((await browser.post('/logout', new URLSearchParams())).status).toBe(204)
          expect((await browser.get('/whoami')).status).toBe(401)
        })

        test('a blueprint, an error handler, and a URL with scheme and host', async () => {
          expect(await (await get('/members/Ann')).text()).toBe('Ann of members')
          const teapot = await get('/teapot')
          expect(teapot.status).toBe(418)
          expect(await teapot.json()).toEqual({ error: 'short and stout' })
          expect(await (await get('/absolute')).text()).toBe(`${server.url}/greet/Zo%C3%AB`)
        })

        test('asynchronous views, several at once', async () => {
          const names = Array.from({ length: 8 }, (_, number) => `name-${number}`)
          const answers = await Promise.all(
            names.map(async (name) => (await get(`/async/${name}`)).json()),
          )
          expect(answers).toEqual(
            names.map((name) => {
              const path = `/async/${name}`
              return [`${name} at ${path}, ${path}`, `second at ${path}, ${path}`]
            }),
          )
          const from = server.log().length
          expect((await get('/async-boom')).status).toBe(500)
          await server.waitForLog(/RuntimeError: async boom in Flask/, { from })
        })

        test('conditional and partial downloads', async () => {
          const first = await get('/download')
          await first.arrayBuffer()
          const etag = first.headers.get('etag') ?? ''
          const unchanged = await get('/download', { headers: { 'If-None-Match': etag } })
          expect(unchanged.status).toBe(304)
          expect(await unchanged.text()).toBe('')
          const part = await get('/download', { headers: { Range: 'bytes=1000-70999' } })
          expect(part.status).toBe(206)
          expect(part.headers.get('content-range')).toBe(`bytes 1000-70999/${download.length}`)
          expect(
            Buffer.from(await part.arrayBuffer()).equals(download.subarray(1000, 71_000)),
          ).toBe(true)
          expect(await (await get('/download-memory')).text()).toBe('from memory')
        })

        // Gunicorn resets the connection before the answer is read.
        test.skipIf(start === startGunicorn)(
          "an upload over the application's own limit is its 413",
          async () => {
            const body = new FormData()
            body.set('file', new Blob([new Uint8Array(9 * 1024 * 1024)]), 'big.bin')
            expect((await get('/upload', { method: 'POST', body })).status).toBe(413)
            expect((await get('/')).status).toBe(200)
          },
        )
      }

      if (framework.name === 'Django') {
        test('the admin: refused without log-in, then a note is made, found and deleted', async () => {
          const browser = new Browser(server.url)
          const refused = await browser.get('/admin/')
          expect(refused.status).toBe(302)
          expect(refused.headers.get('location')).toBe('/admin/login/?next=/admin/')

          const loginPage = await browser.get('/admin/login/?next=/admin/')
          const token = csrfToken(await loginPage.text())
          const wrong = await browser.post(
            '/admin/login/?next=/admin/',
            new URLSearchParams({ username: 'ann', password: 'wrong', csrfmiddlewaretoken: token }),
          )
          expect(await wrong.text()).toMatch(/Please enter the correct username and password/)
          const login = await browser.post(
            '/admin/login/?next=/admin/',
            new URLSearchParams({ username: 'ann', password, csrfmiddlewaretoken: token }),
          )
          expect(login.status).toBe(302)
          expect(login.headers.get('location')).toBe('/admin/')
          expect(await (await browser.get('/admin/')).text()).toMatch(/Site administration/)

          const title = `From the admin, ${args.join(' ')}`
          const addPage = await (await browser.get('/admin/notes/note/add/')).text()
          const form = new FormData()
          form.set('csrfmiddlewaretoken', csrfToken(addPage))
          form.set('title', title)
          form.set('text', 'written in the admin')
          const added = await browser.post('/admin/notes/note/add/', form)
          expect(added.status).toBe(302)
          const list = await (
            await browser.get(`/admin/notes/note/?q=${encodeURIComponent(title)}`)
          ).text()
          expect(list).toContain(`The note “<a href=`)
          const pk = /\/admin\/notes\/note\/(\d+)\/change\//.exec(list)?.[1]
          const deletePage = await (await browser.get(`/admin/notes/note/${pk}/delete/`)).text()
          const deleted = await browser.post(
            `/admin/notes/note/${pk}/delete/`,
            new URLSearchParams({ post: 'yes', csrfmiddlewaretoken: csrfToken(deletePage) }),
          )
          expect(deleted.status).toBe(302)
          expect(await (await browser.get('/notes/')).text()).not.toContain(title)
        })

        test('an asynchronous view with queries, and a transaction of its own thread', async () => {
          const name = `Async ${args.join(' ')}`
          expect(await (await get(`/async/${encodeURIComponent(name)}`)).json()).toEqual({
            titles: [`${name} renamed`],
            left: 0,
          })
        })

        test('static files through whitenoise: plain, compressed, cached', async () => {
          const page = await (await get('/notes/')).text()
          const path = /href="(\/static\/notes\/notes\.[0-9a-f]+\.css)"/.exec(page)?.[1] ?? ''
          const style = await get(path)
          expect(style.status).toBe(200)
          expect(style.headers.get('content-type')).toMatch(/^text\/css/)
          expect(style.headers.get('cache-control')).toMatch(/immutable/)
          expect(await style.text()).toBe('li {\n  margin: 0.5rem 0;\n}\n')
          const since = style.headers.get('last-modified') ?? ''
          expect((await get(path, { headers: { 'If-Modified-Since': since } })).status).toBe(304)

          const admin = await (await get('/admin/login/')).text()
          const adminStyle =
            /href="(\/static\/admin\/css\/base\.[0-9a-f]+\.css)"/.exec(admin)?.[1] ?? ''
          const compressed = await get(adminStyle, { headers: { 'Accept-Encoding': 'gzip' } })
          expect(compressed.headers.get('content-encoding')).toBe('gzip')
          expect(await compressed.text()).toMatch(/DJANGO Admin styles/)
        })

        test('a form POST needs its CSRF token', async () => {
          const browser = new Browser(server.url)
          const page = await (await browser.get('/notes/new')).text()
          const without = await browser.post('/notes/new', new URLSearchParams({ title: 'forged' }))
          expect(without.status).toBe(403)
          const withToken = await browser.post(
            '/notes/new',
            new URLSearchParams({
              title: 'Genuine',
              text: 'ü',
              csrfmiddlewaretoken: csrfToken(page),
            }),
          )
          expect(withToken.status).toBe(302)
          expect(withToken.headers.get('location')).toBe('/notes/')
          const list = await (await browser.get('/notes/')).text()
          expect(list).toContain('Genuine: ü')
          expect(list).not.toContain('forged')
        })

        test('a file is uploaded and downloaded with Python requests', async () => {
          const size = 3_000_000
          // The translator to HTTP/2 works in this process, which must not wait.
          const python = testPython().executable
          const program = ['-c', uploadAndDownload, server.url, String(size)]
          const { stdout } = await promisify(execFile)(python, program)
          expect(JSON.parse(stdout)).toEqual({
            posted: 302,
            listed: true,
            downloaded: 200,
            size,
            same: true,
          })
        })
      }
    })
  }
})

const uploadAndDownload = `
import json, os, re, sys, requests, urllib3
url, size = sys.argv[1], int(sys.argv[2])
session = requests.Session()
if url.startswith('https'):
    # The certificate of the tests is for other names, and Django wants to know where a form was.
    urllib3.disable_warnings()
    session.verify, session.trust_env, session.headers['Referer'] = False, False, url
token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', session.get(url + '/notes/new').text).group(1)
data = os.urandom(size)
title = 'With a file ' + os.urandom(8).hex()
posted = session.post(url + '/notes/new', data={'title': title, 'csrfmiddlewaretoken': token},
                      files={'attachment': ('data.bin', data)}, allow_redirects=False)
page = session.get(url + '/notes/').text
pk = re.search('data-pk="([0-9]+)">' + title, page)
got = session.get(url + '/notes/' + pk.group(1) + '/attachment', stream=True)
body = got.content
print(json.dumps({'posted': posted.status_code, 'listed': pk is not None, 'downloaded': got.status_code,
                  'size': len(body), 'same': body == data}))
`
