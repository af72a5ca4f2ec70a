import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { patternedBytes } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { Example, exampleNames, examplesFolder } from '../support/example.ts'
import { hasPython, testPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'
import { Visitor } from '../support/visitor.ts'
import { waitFor } from '../support/wait-for.ts'

// Each project of examples/, in a folder of its own: all commands of its README, which run its
// tests and start it, and then what a user would do with it.

// Django 5.2 and pytest 9 need 3.10.
const python = hasPython() && !testPython().version.startsWith('3.9.')
const chromium = findChromium()
let browser: Browser
beforeAll(async () => {
  if (chromium === null) return
  const launched = await launchChromium(chromium)
  browser = launched.browser
  return launched.close
})

/** Opens a page; the test fails if it logs an error other than these. */
async function openPage(url: string, expected?: RegExp): Promise<Page> {
  const context = await browser.newContext()
  const errors: string[] = []
  onTestFinished(async () => {
    await context.close()
    expect(errors.filter((error) => !expected?.test(error))).toEqual([])
  })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
      errors.push(message.text())
  })
  await page.goto(url)
  return page
}

interface Followed {
  readonly example: Example
  readonly server: RunningServer
  /** Somebody new. */
  visitor(): Visitor
}

/** Follows the README of an example, and has its server until the end of the group. */
function following(name: string): Followed {
  const followed = { visitor: () => new Visitor(followed.server.url) } as {
    example: Example
    server: RunningServer
    visitor(): Visitor
  }
  beforeAll(async () => {
    followed.example = await Example.open(name)
    followed.server = await followed.example.follow()
  }, 300_000)
  afterAll(async () => {
    await followed.server?.stop()
    followed.example?.remove()
  })
  return followed
}

describe.skipIf(!python)('flask', () => {
  const flask = following('flask')

  test('somebody writes into the guestbook, which escapes it', async () => {
    const visitor = flask.visitor()
    const form = { name: 'Ada', message: '<b>Hello</b>' }
    expect((await visitor.post('/', form)).status).toBe(400)
    const csrf_token = await visitor.field('/', 'csrf_token')
    expect((await visitor.post('/', { ...form, csrf_token })).status).toBe(303)
    expect(await flask.visitor().text('/')).toContain('<p>&lt;b&gt;Hello&lt;/b&gt;</p>')
  })

  test('the server has its settings: style sheets, headers, and a limit for bodies', async () => {
    const style = await flask.visitor().get('/static/style.css')
    expect(style.headers.get('X-Content-Type-Options')).toBe('nosniff')
    // Flask would name the file.
    expect(style.headers.has('Content-Disposition')).toBe(false)
    expect((await flask.visitor().post('/', { message: 'x'.repeat(70_000) })).status).toBe(413)
  })
})

describe.skipIf(!python)('django', () => {
  const django = following('django')

  test('the librarian logs in, adds a book, and logs out', async () => {
    const librarian = django.visitor()
    const add = '/admin/books/book/add/'
    expect((await librarian.get(add)).headers.get('Location')).toBe(`/admin/login/?next=${add}`)
    await logInToAdmin(librarian, '/admin', 'librarian', django.example)
    const book = {
      csrfmiddlewaretoken: await librarian.field(add, 'csrfmiddlewaretoken'),
      title: 'Emma',
      author: 'Jane Austen',
      lent_to: 'Ada',
    }
    expect((await librarian.post(add, book)).status).toBe(302)
    expect(await django.visitor().text('/?q=austen')).toContain('Emma by Jane Austen (lent)')

    const token = await librarian.field('/admin/', 'csrfmiddlewaretoken')
    await librarian.post('/admin/logout/', { csrfmiddlewaretoken: token })
    expect((await librarian.get('/admin/')).status).toBe(302)
  })

  test('a style sheet has a name for its content, and is sent without Django', async () => {
    const path = /href="(\/static\/books\/style\.\w+\.css)"/.exec(await django.visitor().text('/'))
    const style = await django.visitor().get(path![1]!)
    expect(style.headers.get('Cache-Control')).toContain('immutable')
  })
})

/** As a user with the password that the README has made. */
async function logInToAdmin(
  visitor: Visitor,
  admin: string,
  username: string,
  example: Example,
): Promise<void> {
  const csrfmiddlewaretoken = await visitor.field(`${admin}/login/`, 'csrfmiddlewaretoken')
  const form = { csrfmiddlewaretoken, username, next: `${admin}/` }
  const wrong = await visitor.post(`${admin}/login/`, { ...form, password: 'wrong' })
  expect([wrong.status, await wrong.text()]).toEqual([200, expect.stringContaining('errornote')])
  const password = example.variables.DJANGO_SUPERUSER_PASSWORD!
  const entered = await visitor.post(`${admin}/login/`, { ...form, password })
  expect(entered.headers.get('Location')).toBe(`${admin}/`)
}

describe('hono-api', () => {
  const hono = following('hono-api')

  test('tasks are kept, and what is wrong is refused in JSON', async () => {
    const headers = {
      Authorization: `Bearer ${hono.example.variables.API_TOKEN}`,
      'Content-Type': 'application/json',
    }
    const tasks = `${hono.server.url}/api/tasks`
    const kept = JSON.parse(readFileSync(join(hono.example.path, 'tasks.json'), 'utf8'))
    const response = await fetch(tasks, { headers })
    expect(await response.json()).toEqual(kept)
    expect(kept).toEqual([{ id: expect.any(String), title: 'Learn WSGI', done: false }])
    const wrong = await fetch(tasks, { method: 'POST', headers, body: '{"title": ""}' })
    expect([wrong.status, wrong.headers.get('Content-Type')]).toEqual([400, 'application/json'])
    const large = await fetch(tasks, { method: 'POST', headers, body: 'x'.repeat(70_000) })
    expect(large.status).toBe(413)
  })
})

describe('sse', () => {
  const sse = following('sse')

  const publish = (text: string) =>
    fetch(`${sse.server.url}/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ text }),
    })

  test('a listener that was cut off gets what it has missed', async () => {
    const listen = async (until: string, last = '0') => {
      const leaving = new AbortController()
      const response = await fetch(`${sse.server.url}/events`, {
        headers: { 'Last-Event-ID': last },
        signal: leaving.signal,
      })
      let text = ''
      for await (const piece of response.body!) {
        text += new TextDecoder().decode(piece)
        if (text.includes(until)) break
      }
      leaving.abort()
      return text
    }
    const first = await listen('"Hello"')
    const last = /^id: (\d+)$/m.exec(first)![1]!
    await publish('missed')
    const second = await listen('"missed"', last)
    expect(second).not.toContain('"Hello"')
  })

  test.skipIf(chromium === null)(
    'a page shows messages at once, and connects again after a reload of the server',
    async () => {
      // The stream that the reload cuts.
      const page = await openPage(sse.server.url, /INCOMPLETE_CHUNKED_ENCODING/)
      await page.waitForSelector('#status:text("Connected")')
      await page.fill('input', '<i>from the page</i>')
      await page.click('button')
      await page.waitForSelector('li:text("<i>from the page</i>")')

      const from = sse.server.log().length
      sse.server.signal('SIGHUP')
      // The page's own stream: those of other clients may be logged late, as they only fall silent.
      await sse.server.waitForLog(/GET \/events[^\n]*Chrome[^\n]*\n/, { from })
      // A few only: more would be refused (rate_limit).
      let published = 0
      await waitFor('the page to be told by the new process', async () => {
        if (Date.now() - published > 1000) {
          await publish('after the reload')
          published = Date.now()
        }
        return (await page.locator('li:text("after the reload")').count()) > 0
      })
    },
  )
})

describe.skipIf(!python)('uploads', () => {
  const uploads = following('uploads')

  test('50 MB are uploaded, downloaded in parts, and deleted', async () => {
    const visitor = uploads.visitor()
    const content = patternedBytes(50_000_000)
    const form = new FormData()
    form.set('csrf_token', await visitor.field('/', 'csrf_token'))
    form.set('file', new Blob([content]), '../large.bin')
    expect((await visitor.post('/', form)).status).toBe(303)

    const path = /href="(\/files\/[^"]+)">large\.bin</.exec(await visitor.text('/'))![1]!
    const whole = await visitor.get(path)
    expect(whole.headers.get('Content-Disposition')).toBe('attachment; filename=large.bin')
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(hash(new Uint8Array(await whole.arrayBuffer()))).toBe(hash(content))
    expect(whole.headers.has('X-Sendfile')).toBe(false)
    const part = await visitor.get(path, { Range: 'bytes=49999990-' })
    expect(part.status).toBe(206)
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(49_999_990))).toBe(true)

    const csrf_token = await visitor.field('/', 'csrf_token')
    expect((await visitor.post(`${path}/delete`, { csrf_token })).status).toBe(303)
    expect((await visitor.get(path)).status).toBe(404)
  })

  test('more than 100 MB are refused before they are sent', async () => {
    const response = await fetch(uploads.server.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: new Uint8Array(110_000_000),
    }).catch(() => null)
    // The answer may be lost, because the client goes on sending.
    if (response !== null) expect(response.status).toBe(413)
    await uploads.server.waitForLog(/limit_request_body/)
  })
})

describe.skipIf(!python)('auth', () => {
  const auth = following('auth')

  test('somebody logs in and out in TypeScript, and Flask and the Python login know them', async () => {
    const ada = auth.visitor()
    expect((await ada.get('/flask/')).headers.get('Location')).toBe('/login?next=%2Fflask%2F')
    const form = { name: 'ada', password: auth.example.variables.PASSWORD! }
    expect((await ada.post('/login', { ...form, password: 'wrong' })).status).toBe(403)
    const entered = await ada.post('/login?next=/flask/', form)
    expect(entered.headers.get('Location')).toBe('/flask/')
    expect(await ada.text('/flask/')).toContain('Hello ada, from Flask')
    expect(await ada.text('/')).toContain('Hello ada')

    const inPython = await auth.example.start(`monoceros 'hello:protected()'`)
    const same = await fetch(`${inPython.url}/api/me`, { headers: { Cookie: ada.cookies } })
    expect(await same.json()).toEqual({ user: 'ada' })
    const other = new Visitor(inPython.url)
    await other.post('/login', form)
    const back = await fetch(`${auth.server.url}/flask/api/me`, {
      headers: { Cookie: other.cookies },
    })
    expect(await back.json()).toEqual({ user: 'ada' })

    expect((await ada.post('/logout', {})).headers.get('Location')).toBe('/login')
    expect((await ada.get('/')).headers.get('Location')).toBe('/login?next=%2F')
  })
})

describe('reverse-proxy', () => {
  const proxy = following('reverse-proxy')

  test('what is below the prefix comes from the other server, and the rest from the site', async () => {
    const visitor = proxy.visitor()
    expect(await visitor.text('/others')).toBe('This is the site itself.\n')
    const shown = await visitor.get('/other/a%20b', { 'X-Forwarded-For': '9.9.9.9' })
    const text = await shown.text()
    expect(text).toContain(`HTTP_X_FORWARDED_HOST = '127.0.0.1:${proxy.server.port}'`)
    expect(text).toContain("PATH_INFO = '/other/a b'")
    expect(text).not.toContain('9.9.9.9')
  })

  test('with a server of its own that is not there, it answers 502', async () => {
    const alone = await proxy.example.start('monoceros --env OTHER_SERVER=http://127.0.0.1:1')
    expect((await fetch(`${alone.url}/other/`)).status).toBe(502)
    expect((await fetch(alone.url)).status).toBe(200)
  })
})

describe.skipIf(!python || chromium === null)('flask-in-next', () => {
  const next = following('flask-in-next')

  test('the page adds a note, which Flask keeps', async () => {
    const page = await openPage(next.server.url)
    await page.waitForSelector('li:text("Learn WSGI")')
    await page.fill('input', '<i>Deploy</i>')
    await page.click('button')
    await page.waitForSelector('li:text("<i>Deploy</i>")')
    await page.reload()
    await page.waitForSelector('li:text("<i>Deploy</i>")')
  })
})

describe.skipIf(!python || chromium === null)('django-in-vite', () => {
  const vite = following('django-in-vite')

  test('the built page adds a task, which is done after a reload', async () => {
    await useTasks(vite.server.url, '<i>Deploy</i>')
    expect(await (await fetch(`${vite.server.url}/backend/admin/login/`)).text()).toContain(
      'href="/backend/static/admin/css/base.css"',
    )
    const style = await fetch(`${vite.server.url}/backend/static/admin/css/base.css`)
    expect(style.status).toBe(200)
  })

  test('so does the page while it is developed, and an edited view is loaded again', async () => {
    const dev = await vite.example.start('npm run dev')
    await useTasks(dev.url, 'Develop')
    const style = await fetch(`${dev.url}/backend/static/admin/css/base.css`)
    expect(style.status).toBe(200)
    vite.example.edit('backend/tasks/views.py', '"tasks": [', '"edited": True, "tasks": [')
    await waitFor('the edited view', async () => {
      return (await (await fetch(`${dev.url}/backend/api/tasks/`)).text()).includes('"edited"')
    })
  })

  async function useTasks(url: string, title: string): Promise<void> {
    const page = await openPage(url)
    await page.fill('input[name=title]', title)
    await page.click('button')
    const box = page.locator('li', { hasText: title }).locator('input')
    const saved = page.waitForResponse((response) => response.request().method() === 'PATCH')
    await box.check()
    expect((await saved).status()).toBe(200)
    await page.reload()
    await box.waitFor()
    expect(await box.isChecked()).toBe(true)
  }
})

describe.skipIf(!python || chromium === null)('four-apps', () => {
  const four = following('four-apps')

  test('a page asks Hono, an order goes to Flask, and Django counts it', async () => {
    const page = await openPage(four.server.url)
    await page.waitForSelector('#postage:text("11.40 €")')
    await page.click('text=The shop')
    await page.check('text=Coffee')
    await page.click('button')
    await page.waitForSelector('text=You have ordered: Coffee')
    await page.click('text=Home')
    await page.click('text=the office')
    expect(await page.innerText('tr')).toMatch(/Coffee\s+1/)
  })
})

describe('the examples', () => {
  const groups = readFileSync(join(repository, 'tests/release/examples.test.ts'), 'utf8')

  test.each(exampleNames())('%s is used here', (name) => {
    expect(groups).toContain(`following('${name}')`)
  })

  test('the index lists them', () => {
    const index = readFileSync(join(examplesFolder, 'README.md'), 'utf8')
    const listed = [...index.matchAll(/^\| \[`([\w-]+)\/`\]/gm)].map(([, name]) => name!)
    expect(listed.sort()).toEqual(exampleNames())
    expect(listed.length).toBe(10)
  })

  // They are installed together, from one lock file.
  const manifests = exampleNames()
    .map((name) => join(examplesFolder, name, 'package.json'))
    .filter((path) => existsSync(path))

  test.each(manifests)('%s has the versions that are installed here', (path) => {
    const installed = readJson(join(repository, 'tests/node-projects/examples/package.json'))
    const { dependencies, devDependencies } = readJson(path)
    const { monoceros, ...others } = { ...dependencies, ...devDependencies }
    const { version } = readJson(join(repository, 'package.json'))
    expect(monoceros).toBe(`file:../../dist-npm/monoceros-${version}.tgz`)
    expect(installed.dependencies).toMatchObject(others)
  })
})

function readJson(path: string) {
  return JSON.parse(readFileSync(path, 'utf8'))
}
