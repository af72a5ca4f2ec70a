import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { brotliDecompressSync, createBrotliDecompress, createGunzip, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  appsDirectory,
  djangoDirectory,
  patternedBytes,
  temporaryDirectory,
} from '../support/applications.ts'
import { Browser } from '../support/browser.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'
import { descendantsOf, isAlive, residentMemory, waitUntilGone } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// One process with four applications (tests/apps/one-process/app.ts): Flask at /api, Django at
// /admin, Express at /legacy, TypeScript at /, within requestId, errorHandler and compress. Once by
// the command with one worker, once by makeServer in a program.

const directory = join(appsDirectory, 'one-process')
const data = temporaryDirectory()
const password = 'a good horse'
const environment = { TEST_DATA: data.path, PYTHONDONTWRITEBYTECODE: '1' }

const SET_UP = `
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
call_command("createsuperuser", interactive=False, username="ann", email="ann@example.org", verbosity=0)
`

interface Mounted {
  name: string
  mount: string
  /** Below which its routes are. */
  base: string
  python: boolean
}

const applications: Mounted[] = [
  { name: 'Flask', mount: '/api', base: '/api', python: true },
  { name: 'Django', mount: '/admin', base: '/admin/reports', python: true },
  { name: 'Express', mount: '/legacy', base: '/legacy', python: false },
  { name: 'TypeScript', mount: '', base: '', python: false },
]

// The release tier runs this file too (vitest.config.ts): by a program as well as by the command,
// and 100 MB through every application. In npm test one application has them.
const thorough = process.env.MONOCEROS_TEST_TIER === 'release'
const byCommand = { how: 'the command', start: startByCommand }
const servers = thorough
  ? [byCommand, { how: 'makeServer in a program', start: startProgram }]
  : [byCommand]

function startByCommand(): Promise<RunningServer> {
  return startServer({
    app: './app.ts:app',
    args: ['--workers', '1'],
    cwd: directory,
    env: environment,
  })
}

function startProgram(): Promise<RunningServer> {
  const { VITEST: _, NODE_ENV: __, NODE_OPTIONS: ___, ...inherited } = process.env
  return runServer({
    command: process.execPath,
    args: ['serve.mjs'],
    cwd: directory,
    env: { ...inherited, ...environment, VIRTUAL_ENV: testPython().prefix },
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at \S+\n/.test(log),
    isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
  })
}

/** A response with its body as it came: nothing is decompressed. */
interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

const agent = new Agent({ keepAlive: true })
afterAll(() => agent.destroy())

interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: Buffer | string
}

/** Sends a request and gives its response as soon as its head is there. */
function open(server: RunningServer, path: string, asked: Asked = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = asked
    const sent = request(server.url + path, { method, headers, agent })
    sent
      .once('response', resolve)
      .once('error', (error: NodeJS.ErrnoException) => {
        // The server has closed a connection that was kept, as the request set out: again.
        if (sent.reusedSocket && error.code === 'ECONNRESET')
          open(server, path, asked).then(resolve, reject)
        else reject(error)
      })
      .end(body)
  })
}

async function ask(server: RunningServer, path: string, asked: Asked = {}): Promise<Answer> {
  const response = await open(server, path, asked)
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }
}

/** Django answers no host but those it knows. */
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

interface Facts {
  application: string
  mount: string
  path: string
  query: string | null
  requestId: string
  pid: number
}

async function factsOf(server: RunningServer, { base }: Mounted, query = ''): Promise<Facts> {
  return JSON.parse((await ask(server, `${base}/facts${query}`)).body.toString()) as Facts
}

let keys = 0
const newKey = () => `key-${process.pid}-${++keys}`
const say = (key: string) => writeFileSync(join(data.path, `${key}.go`), '')
/** How often the applications have noted something. */
function noted(event: string): number {
  const file = join(data.path, 'events')
  if (!existsSync(file)) return 0
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line === event).length
}

/** Says whether a stream has given this text so far. */
function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.on('data', (piece: Buffer) => (text += piece.toString()))
  return () => text
}

/** The value of the hidden field that Django's forms carry. */
function csrfToken(page: string): string {
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page)?.[1]
  if (!token) throw new Error(`no CSRF token in ${page}`)
  return token
}

describe.skipIf(!hasPython())('one process', () => {
  beforeAll(() => {
    execFileSync(testPython().executable, ['-c', SET_UP], {
      cwd: directory,
      env: {
        ...process.env,
        ...environment,
        PYTHONPATH: `${directory}:${djangoDirectory}`,
        DJANGO_SETTINGS_MODULE: 'back_office.settings',
        DJANGO_SUPERUSER_PASSWORD: password,
      },
      stdio: 'pipe',
    })
  })
  afterAll(data.remove)

  describe.each(servers)('by $how', ({ how, start }) => {
    let server: RunningServer
    beforeAll(async () => {
      server = await start()
      // Python is started by the first request.
      await Promise.all(applications.map((application) => factsOf(server, application)))
      // What Node keeps for streams it has from the first on.
      await echo(server, '/api/echo', { framing: 'length', reading: 'at once', size: 16_000_000 })
    })
    afterAll(() => server?.stop())

    describe.each(applications)('$name', (application) => {
      const { name, mount, base, python } = application

      test('knows where it is mounted, and its links lead to itself', async () => {
        expect(await factsOf(server, application, '?name=Zo%C3%AB')).toMatchObject({
          application: name,
          mount,
          path: name === 'Django' ? '/reports/facts' : '/facts',
          query: 'Zoë',
        })
        const page = (await ask(server, `${base}/`)).body.toString()
        expect(page).toContain(`<title>${name}</title>`)
        const [form, facts] = [...page.matchAll(/href="([^"]+)"/g)].map((match) => match[1])
        expect(form).toBe(`${base}/form`)
        expect(facts).toBe(`${server.url}${base}/facts`)
        expect((await ask(server, form!)).body.toString()).toMatch(/<form method="post">/)
        expect((await (await fetch(facts!)).json()) as Facts).toMatchObject({ application: name })
      })

      test('sees the request id that its client gets, and not one of the client’s making', async () => {
        const { headers, body } = await ask(server, `${base}/facts`, {
          headers: { 'X-Request-ID': 'forged' },
        })
        const { requestId } = JSON.parse(body.toString()) as Facts
        expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
        expect(headers['x-request-id']).toBe(requestId)
      })

      test('a form is answered by a redirect under the mount, with a cookie for the mount alone', async () => {
        const browser = new Browser(server.url)
        const form = await (await browser.get(`${base}/form`)).text()
        const fields = new URLSearchParams({ name: 'Zoë & Ann' })
        if (name === 'Django') fields.set('csrfmiddlewaretoken', csrfToken(form))
        const posted = await browser.post(`${base}/form`, fields)
        expect(posted.status).toBe(303)
        expect(posted.headers.get('location')).toBe(`${base}/greeting`)
        expect(posted.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
        const [cookie = ''] = posted.headers.getSetCookie()
        expect(cookie).toMatch(new RegExp(`; Path=${mount || '/'}(;|$)`, 'i'))
        expect(await (await browser.get(`${base}/greeting`)).text()).toBe(
          `${name} greets Zoë & Ann`,
        )
      })

      test('an upload arrives whole', async () => {
        const bytes = patternedBytes(3_000_001)
        const form = new FormData()
        form.set('file', new Blob([new Uint8Array(bytes)]), 'picture.png')
        const response = await fetch(`${server.url}${base}/upload`, {
          method: 'POST',
          body: python ? form : new Uint8Array(bytes),
        })
        expect(await response.json()).toEqual({
          filename: python ? 'picture.png' : null,
          size: bytes.length,
          sha256: createHash('sha256').update(bytes).digest('hex'),
        })
      })

      test('what it throws is a 500 in the form the client wants, and in the log with its stack', async () => {
        const from = server.log().length
        const plain = await ask(server, `${base}/boom?text`)
        expect(plain.status).toBe(500)
        expect(plain.headers['content-type']).toMatch(/^text\/plain/)
        expect(plain.body.toString()).not.toMatch(/boom|Traceback/)
        const json = await ask(server, `${base}/boom?json`, {
          headers: { Accept: 'application/json' },
        })
        expect(json.status).toBe(500)
        expect(JSON.parse(json.body.toString())).toEqual({
          status: 500,
          error: 'Internal Server Error',
        })
        expect(json.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
        await server.waitForLog(new RegExp(`while answering GET ${base}/boom\\?text HTTP/1\\.1`), {
          from,
        })
        // The id that the client has leads to it.
        const id = json.headers['x-request-id']
        await server.waitForLog(
          new RegExp(`while answering GET ${base}/boom\\?json HTTP/1\\.1, request ${id}\n`),
          { from },
        )
        const [line, file] = python
          ? [`RuntimeError: boom in ${name}`, name === 'Flask' ? 'api.py' : 'reports.py']
          : [`Error: boom in ${name}`, name === 'Express' ? 'legacy.ts' : 'site.ts']
        await server.waitForLog(new RegExp(line), { from })
        if (python) await server.waitForLog(/Traceback \(most recent call last\):/, { from })
        await server.waitForLog(new RegExp(`${file}[:"]`), { from })
        expect((await ask(server, `${base}/facts`)).status).toBe(200)
      })

      test('what it throws in the middle of its response breaks that off, and is in the log', async () => {
        const from = server.log().length
        const connection = await RawConnection.open(server)
        const response = await connection.request(get(`${base}/boom-later`))
        expect(response).toMatchObject({ status: 200, complete: false })
        await server.waitForLog(new RegExp(`late boom in ${name}`), { from })
        expect((await ask(server, `${base}/facts`)).status).toBe(200)
      })

      test('has its own page for a path that is not there', async () => {
        const missing = await ask(server, `${name === 'TypeScript' ? '' : mount}/missing`)
        // The admin hides what it has from those who have not logged in.
        if (name === 'Django') {
          expect(missing.status).toBe(302)
          expect(missing.headers.location).toBe('/admin/login/?next=/admin/missing')
          expect((await ask(server, `${base}/missing/`)).status).toBe(302)
          return
        }
        expect(missing.status).toBe(404)
        const pages: Record<string, RegExp> = {
          Flask: /The requested URL was not found on the server/,
          Express: /^Not Found\n$/,
          TypeScript: /^TypeScript has no \/missing\n$/,
        }
        expect(missing.body.toString()).toMatch(pages[name]!)
      })

      test.each([
        ['gzip', gunzipSync],
        ['br', brotliDecompressSync],
      ] as const)(
        'a page is compressed for a client that takes %s',
        async (encoding, decompress) => {
          const plain = await ask(server, `${base}/`)
          const small = await ask(server, `${base}/`, { headers: { 'Accept-Encoding': encoding } })
          expect(plain.headers['content-encoding']).toBeUndefined()
          expect(small.headers['content-encoding']).toBe(encoding)
          expect(plain.headers.vary).toMatch(/Accept-Encoding/)
          expect(small.headers.vary).toMatch(/Accept-Encoding/)
          expect(small.headers['content-length']).toBe(String(small.body.length))
          expect(small.body.length).toBeLessThan(plain.body.length / 3)
          expect(decompress(small.body).equals(plain.body)).toBe(true)
        },
      )

      test('what is small or no text is not compressed', async () => {
        const headers = { 'Accept-Encoding': 'gzip' }
        expect(
          (await ask(server, `${base}/greeting`, { headers })).headers['content-encoding'],
        ).toBeUndefined()
        const body = 'compressible '.repeat(1000)
        const echo = await ask(server, `${base}/echo`, { method: 'POST', headers, body })
        expect(echo.headers['content-encoding']).toBeUndefined()
        expect(echo.body.toString()).toBe(body)
      })

      test.each(['identity', 'gzip'])(
        'HEAD has the headers of GET (%s) and no body',
        async (encoding) => {
          const connection = await RawConnection.open(server)
          const head = (method: string) =>
            `${method} ${base}/ HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${encoding}\r\n\r\n`
          const got = await connection.request(head('GET'))
          const headed = await connection.request(head('HEAD'), 'HEAD')
          // Were there a body, this would read it for a response.
          const again = await connection.request(head('GET'))
          expect([got.status, headed.status, again.status]).toEqual([200, 200, 200])
          expect(again.body.equals(got.body)).toBe(true)
          const passing = /^(date|x-request-id|transfer-encoding)$/i
          const steady = (response: typeof got) =>
            response.headers
              .filter(([name]) => !passing.test(name))
              .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
              .sort()
          // The length of what is compressed is not known without its body (RFC 9110 §9.3.2).
          const known =
            encoding === 'identity'
              ? () => true
              : (line: string) => !line.startsWith('content-length')
          expect(steady(headed).filter(known)).toEqual(steady(got).filter(known))
        },
      )

      test('events arrive one by one, uncompressed', async () => {
        const key = newKey()
        const response = await open(server, `${base}/stream?key=${key}&type=text/event-stream`, {
          headers: { 'Accept-Encoding': 'gzip, br', Accept: 'text/event-stream' },
        })
        expect(response.headers['content-encoding']).toBeUndefined()
        const text = textOf(response)
        await waitFor('the first event', () => text() === 'data: one\n\n')
        say(key)
        await waitFor('the second', () => text() === 'data: one\n\ndata: two\n\n')
        await waitFor('the end', () => response.complete)
      })

      test.each([
        ['gzip', createGunzip],
        ['br', createBrotliDecompress],
      ] as const)(
        'a streamed text arrives piece by piece, compressed by %s',
        async (encoding, decompressor) => {
          const key = newKey()
          const response = await open(server, `${base}/stream?key=${key}&type=text/plain`, {
            headers: { 'Accept-Encoding': encoding },
          })
          expect(response.headers['content-encoding']).toBe(encoding)
          const text = textOf(response.pipe(decompressor()))
          await waitFor('the first piece', () => text() === 'data: one\n\n')
          say(key)
          await waitFor('the second', () => text() === 'data: one\n\ndata: two\n\n')
          await waitFor('the end', () => response.complete)
        },
      )

      test('a client that leaves has the body closed, once', async () => {
        const key = newKey()
        const connection = await RawConnection.open(server)
        await connection.send(get(`${base}/endless?key=${key}`))
        expect((await connection.readResponse('GET', { bodyless: true })).status).toBe(200)
        await connection.readSome()
        expect(noted(`closed ${key}`)).toBe(0)
        connection.close()
        await waitFor('the body to be closed', () => noted(`closed ${key}`) > 0)
        // By then everything that could close it again has had its turn.
        await factsOf(server, application)
        expect(noted(`closed ${key}`)).toBe(1)
      })

      test('an upload that breaks off does no harm', async () => {
        const connection = await RawConnection.open(server)
        const head = 'Content-Type: application/octet-stream\r\nContent-Length: 9000000'
        await connection.send(`POST ${base}/echo HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n`)
        await connection.send(patternedBytes(1_000_000))
        connection.reset()
        expect((await ask(server, `${base}/facts`)).status).toBe(200)
      })

      if (how === 'the command') {
        const large = test.runIf(thorough || name === 'Flask')
        large(
          '100 MB go in and come out again in flat memory, also while the client does not read',
          async () => {
            const growth = await memoryGrowth(server, async () => {
              const unread = await echo(server, `${base}/echo`, {
                framing: 'length',
                reading: 'late',
                size,
              })
              // Django's are read first, into a file (requestBuffering).
              if (name !== 'Django') expect(unread).toBeLessThan(size / 2)
            })
            console.log(`${how}, ${name}, 100 MB both ways: ${described(growth)}`)
            for (const { bytes } of growth) expect(bytes).toBeLessThan(allowance)
          },
        )

        // One of Python's, one that gives its pieces without a promise.
        test.runIf(name === 'Flask' || (thorough && name === 'TypeScript'))(
          '100 MB are compressed in flat memory',
          async () => {
            const growth = await memoryGrowth(server, () =>
              exportCompressed(server, `${base}/export`),
            )
            console.log(`${how}, ${name}, 100 MB compressed: ${described(growth)}`)
            for (const { bytes } of growth) expect(bytes).toBeLessThan(allowance)
          },
        )
      } else {
        test('100 MB go in by chunks and come out again in flat memory', async () => {
          const growth = await memoryGrowth(server, async () => {
            await echo(server, `${base}/echo`, { framing: 'chunks', reading: 'at once', size })
          })
          console.log(`${how}, ${name}, 100 MB both ways: ${described(growth)}`)
          for (const { bytes } of growth) expect(bytes).toBeLessThan(allowance)
        })
      }
    })

    test('all four answer many clients at once, each its own, each with an id of its own', async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, number) => {
          const application = applications[number % 4]!
          const facts = await factsOf(server, application, `?name=n${number}`)
          expect(facts).toMatchObject({ application: application.name, query: `n${number}` })
          return facts
        }),
      )
      expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(200)
      const pids = (name: string) =>
        new Set(answers.filter(({ application }) => application === name).map(({ pid }) => pid))
      expect(pids('Express')).toEqual(pids('TypeScript'))
      expect(new Set([...pids('Flask'), ...pids('Django'), ...pids('Express')]).size).toBe(3)
    })

    test('a mount without its slash, with one too many, encoded, and a longer name', async () => {
      const api = await ask(server, '/api')
      expect(api).toMatchObject({ status: 308, headers: { location: `${server.url}/api/` } })
      expect((await ask(server, '/legacy')).body.toString()).toContain('<title>Express</title>')
      expect((await ask(server, '/admin')).headers.location).toBe('/admin/login/?next=/admin/')
      expect((await ask(server, '/%61pi/facts')).body.toString()).toContain('Flask')
      for (const path of ['/apis', '/api.json', '/legacyx/', '/Admin/', '//api/facts'])
        expect((await ask(server, path)).body.toString()).toBe(`TypeScript has no ${path}\n`)
    })

    describe('the admin', () => {
      test('refuses, lets in, adds, finds and deletes, and logs out, all under the mount', async () => {
        const browser = new Browser(server.url)
        const refused = await browser.get('/admin/')
        expect(refused.status).toBe(302)
        expect(refused.headers.get('location')).toBe('/admin/login/?next=/admin/')

        const login = '/admin/login/?next=/admin/'
        const token = csrfToken(await (await browser.get(login)).text())
        const credentials = { username: 'ann', password, csrfmiddlewaretoken: token }
        const forged = await browser.post(login, new URLSearchParams({ username: 'ann', password }))
        expect(forged.status).toBe(403)
        const wrong = await browser.post(
          login,
          new URLSearchParams({ ...credentials, password: 'wrong' }),
        )
        expect(await wrong.text()).toMatch(/Please enter the correct username and password/)
        const right = await browser.post(login, new URLSearchParams(credentials))
        expect(right.status).toBe(302)
        expect(right.headers.get('location')).toBe('/admin/')
        expect(right.headers.getSetCookie().join('\n')).toMatch(/^sessionid=.*; Path=\/admin/m)

        const index = await (await browser.get('/admin/')).text()
        expect(index).toMatch(/Site administration/)
        const links = [...index.matchAll(/(?:href|action|src)="(\/[^"]*)"/g)].map(
          (match) => match[1],
        )
        expect(links).toContain('/admin/notes/note/add/')
        expect(links.filter((link) => !/^\/admin(\/|$)/.test(link!))).toEqual([])

        const title = `Under a mount, by ${how}`
        const form = new FormData()
        form.set(
          'csrfmiddlewaretoken',
          csrfToken(await (await browser.get('/admin/notes/note/add/')).text()),
        )
        form.set('title', title)
        form.set('text', 'written in the admin')
        const added = await browser.post('/admin/notes/note/add/', form)
        expect(added.status).toBe(302)
        expect(added.headers.get('location')).toBe('/admin/notes/note/')
        const list = await (
          await browser.get(`/admin/notes/note/?q=${encodeURIComponent(title)}`)
        ).text()
        const change = /\/admin\/notes\/note\/(\d+)\/change\//.exec(list)?.[1]
        expect(change).toBeDefined()
        const deletePage = await (await browser.get(`/admin/notes/note/${change}/delete/`)).text()
        const deleted = await browser.post(
          `/admin/notes/note/${change}/delete/`,
          new URLSearchParams({ post: 'yes', csrfmiddlewaretoken: csrfToken(deletePage) }),
        )
        expect(deleted.headers.get('location')).toBe('/admin/notes/note/')

        const out = new URLSearchParams({ csrfmiddlewaretoken: csrfToken(deletePage) })
        expect((await browser.post('/admin/logout/', out)).status).toBe(200)
        expect((await browser.get('/admin/')).status).toBe(302)
      })

      test('has its static files: cached, and compressed once', async () => {
        const login = (await ask(server, '/admin/login/')).body.toString()
        const path =
          /href="(\/admin\/static\/admin\/css\/base\.[0-9a-f]+\.css)"/.exec(login)?.[1] ?? ''
        const plain = await ask(server, path)
        expect(plain.status).toBe(200)
        expect(plain.headers['content-type']).toMatch(/^text\/css/)
        expect(plain.headers['cache-control']).toMatch(/immutable/)
        const small = await ask(server, path, { headers: { 'Accept-Encoding': 'gzip, br' } })
        // As WhiteNoise has it on disk: what is compressed already is left alone.
        expect(small.headers['content-encoding']).toBe('gzip')
        expect(gunzipSync(small.body).equals(plain.body)).toBe(true)
        const since = { 'If-Modified-Since': plain.headers['last-modified']! }
        expect(await ask(server, path, { headers: since })).toMatchObject({
          status: 304,
          body: Buffer.alloc(0),
        })
      })
    })

    test('the log has the errors that were made on purpose, and no others', () => {
      const complaints = server
        .log()
        .split('\n')
        .filter((line) =>
          /\[ERROR\]|\bError while|the application failed|\b[Uu]ncaught\b|Unhandled/.test(line),
        )
      expect(complaints.length).toBeGreaterThan(0)
      expect(complaints.filter((line) => !/\/boom/.test(line))).toEqual([])
    })

    test('TERM: what runs is finished, and no process is left', async () => {
      const [flask, django] = await Promise.all(
        applications.slice(0, 2).map((application) => factsOf(server, application)),
      )
      const key = newKey()
      const response = await open(server, `/api/stream?key=${key}&type=text/event-stream`)
      const text = textOf(response)
      await waitFor('the first event', () => text() === 'data: one\n\n')
      server.signal('SIGTERM')
      await waitFor('the server to accept no more', () =>
        ask(server, '/facts').then(
          ({ status }) => status === 503,
          () => true,
        ),
      )
      say(key)
      await waitFor('the second event', () => text() === 'data: one\n\ndata: two\n\n')
      expect(await within('the end', 10_000, server.exited)).toEqual({ code: 0, signal: null })
      expect([flask, django].map(({ pid }) => isAlive(pid))).toEqual([false, false])
    })
  })

  test('KILL leaves no Python', async () => {
    const started = await Promise.all(servers.map(({ start }) => start()))
    for (const server of started) {
      const all = await Promise.all(applications.map((application) => factsOf(server, application)))
      const children = descendantsOf(server.pid)
      for (const { pid } of all) expect([server.pid, ...children]).toContain(pid)
      expect(server.workers().length).toBe(2)
      server.signal('SIGKILL')
      for (const pid of children) await waitUntilGone(pid)
    }
  })
})

test('the guide shows what is tested', () => {
  const shown = filesOnPage(blocksOf('docs/guides/mounting.md'))
  const served = readFileSync(join(directory, 'app.ts'), 'utf8')
  // It says in comments of its own what the page says around it.
  const code = (text: string | undefined) =>
    text
      ?.replace(/^ *\/[/*].*\n/gm, '')
      .replace(/\n{2,}/g, '\n')
      .trim()
  expect(code(shown.get('app.ts'))).toBe(code(served))
  const settings = readFileSync(join(directory, 'back_office', 'settings.py'), 'utf8')
  const lines = (text: string | undefined) =>
    text?.split('\n').filter((line) => /^[A-Z_]+ = /.test(line))
  const used = lines(settings)!.filter((line) => !/^(ROOT_URLCONF|WSGI_APPLICATION)/.test(line))
  expect(lines(shown.get('back_office/settings.py'))).toEqual(used)
})

/**
 * What a process may grow by: windows, buffers, and a garbage collector that takes its time; far
 * from 100 MB.
 */
const allowance = 48 * 1024 * 1024
const size = 100 * 1000 * 1000

interface Growth {
  who: string
  bytes: number
}

/** Watches the Node process and both Pythons while `work` is done. */
async function memoryGrowth(server: RunningServer, work: () => Promise<void>): Promise<Growth[]> {
  const watched = await Promise.all(
    [applications[0]!, applications[1]!, applications[3]!].map(async (application) => {
      const { pid } = await factsOf(server, application)
      return {
        who: application.name === 'TypeScript' ? 'Node' : application.name,
        pid,
        before: residentMemory(pid),
        peak: 0,
      }
    }),
  )
  const look = () => {
    for (const each of watched) each.peak = Math.max(each.peak, residentMemory(each.pid))
  }
  const timer = setInterval(look, 20)
  try {
    await work()
  } finally {
    look()
    clearInterval(timer)
  }
  for (const { pid, before } of watched) {
    expect(before).toBeGreaterThan(0)
    expect(isAlive(pid)).toBe(true)
  }
  return watched.map(({ who, before, peak }) => ({ who, bytes: peak - before }))
}

const described = (growth: Growth[]) =>
  growth.map(({ who, bytes }) => `${who} +${(bytes / 1024 / 1024).toFixed(1)} MiB`).join(', ')

/**
 * Not a multiple of anything a buffer is as long as: a piece that is lost, doubled or out of place
 * shows.
 */
const block = patternedBytes(1_000_003)

interface Echoed {
  framing: 'length' | 'chunks'
  /** `late`: only when the server takes no more. */
  reading: 'at once' | 'late'
  size: number
}

/**
 * Sends that much as fast as it is taken, and sees the same come back.
 *
 * @returns how much had been sent when reading began
 */
async function echo(
  server: RunningServer,
  path: string,
  { framing, reading, size }: Echoed,
): Promise<number> {
  const upload = request(server.url + path, {
    method: 'POST',
    agent,
    headers: {
      'Accept-Encoding': 'gzip',
      'Content-Type': 'application/octet-stream',
      ...(framing === 'length'
        ? { 'Content-Length': String(size) }
        : { 'Transfer-Encoding': 'chunked' }),
    },
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    upload.once('response', resolve).once('error', reject)
  })
  let sent = 0
  const sending = (async () => {
    while (sent < size) {
      const piece = block.subarray(0, size - sent)
      sent += piece.length
      if (!upload.write(piece)) await new Promise((resolve) => upload.once('drain', resolve))
    }
    upload.end()
  })()
  const response = await answered
  expect(response.statusCode).toBe(200)
  expect(response.headers['content-encoding']).toBeUndefined()
  if (reading === 'late')
    await waitFor(
      'the server to take no more',
      standstill(() => sent),
    )
  const unread = sent
  expect(await sameAs(response, block)).toBe(size)
  await sending
  return unread
}

/** Is true when a number has not changed for some forty looks. */
function standstill(number: () => number): () => boolean {
  let last = -1
  let times = 0
  return () => {
    times = number() === last ? times + 1 : 0
    last = number()
    return times > 40
  }
}

/** Downloads 100 MB of text that the server compresses on the way. */
async function exportCompressed(server: RunningServer, path: string): Promise<void> {
  const response = await open(server, `${path}?size=${size}`, {
    headers: { 'Accept-Encoding': 'gzip' },
  })
  expect(response.headers['content-encoding']).toBe('gzip')
  const line = Buffer.from('name;price;in stock\r\n'.repeat(3000))
  expect(await sameAs(response.pipe(createGunzip()), line)).toBe(size)
}

/**
 * Reads to the end, keeping nothing. @returns the length of what came, which is `pattern` again and
 * again
 */
async function sameAs(stream: AsyncIterable<unknown>, pattern: Buffer): Promise<number> {
  let received = 0
  for await (const piece of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < piece.length; ) {
      const place = (received + at) % pattern.length
      const length = Math.min(piece.length - at, pattern.length - place)
      if (piece.compare(pattern, place, place + length, at, at + length) !== 0)
        throw new Error(`other bytes than were sent, from ${received + at} on`)
      at += length
    }
    received += piece.length
  }
  return received
}
