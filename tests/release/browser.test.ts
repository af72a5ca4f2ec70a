import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { FrontEndProject } from '../support/front-end-project.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'
import { hasPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// A Flask application inside Express, Vite's dev server and our own command, as a browser sees it.
// The project is tests/apps/browser, which docs/guides/vite-and-express.md shows.

const chromium = hasPython() ? findChromium() : null

describe.skipIf(chromium === null)('in a browser', () => {
  let project: FrontEndProject
  let browser: Browser
  let closeBrowser: () => Promise<void>

  beforeAll(async () => {
    project = new FrontEndProject()
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
    await project.build()
  })

  afterAll(async () => {
    await closeBrowser?.()
    project?.remove()
  })

  describe('Flask in Express 5', () => {
    const host = started(() => project.startExpress())
    shownInPages(host)

    test('Express goes on to read the bodies of what is its own', async () => {
      const body = new URLSearchParams({ name: 'Ann' })
      const response = await fetch(`${host.url}/echo`, { method: 'POST', body })
      expect(await response.json()).toEqual({ name: 'Ann' })
    })

    test('TERM ends it and its Python while a browser is connected', async () => {
      expect(host.server.workers()).toHaveLength(2)
      expect(await host.server.stop()).toEqual({ code: 0, signal: null })
    })
  })

  describe('Flask beside the built front end, in the command with dispatcher and staticFiles', () => {
    shownInPages(started(() => project.startCommand()))
  })

  describe("Flask in Vite's dev server", () => {
    // Of its own, to be edited: each test goes on with what those before it have left.
    let edited: FrontEndProject
    let greeting = 'Hello from the front end'
    const host = started(() => {
      edited = new FrontEndProject()
      return edited.startVite()
    })
    afterAll(() => edited?.remove())

    shownInPages(host, { ownErrorPages: false })

    test('an edited module is changed in the open page without a reload, before and after Flask is used', async () => {
      const page = await openHot(host)
      const loads = countLoads(page)
      await page.evaluate("window.marker = 'set when the page was opened'")
      expect(await page.textContent('#greeting')).toBe(greeting)

      setGreeting('changed once')
      await page.waitForSelector('text=changed once')

      // Flask is used by this very page, and by another one of the same browser.
      await page.evaluate(
        "fetch('/py/sign', { method: 'POST', body: new URLSearchParams({ name: 'Ann' }) })",
      )
      expect(
        await page.evaluate("fetch('/py/api/visitor').then((response) => response.json())"),
      ).toEqual({
        name: 'Ann',
      })
      const guestbook = await page.context().newPage()
      await guestbook.goto(`${host.url}/py/`)
      await guestbook.click('text=Who has signed?')
      await guestbook.waitForSelector('#name:text("Ann")')

      setGreeting('changed twice')
      await page.waitForSelector('text=changed twice')

      expect(await page.evaluate('window.marker')).toBe('set when the page was opened')
      expect(loads()).toBe(0)
    })

    test('an edited Python file or template reloads the page that is open', async () => {
      const page = await openConnected(host, '/py/')
      let connected = connection(page)
      edited.edit('python/guestbook.py', 'TITLE = "Guestbook"', 'TITLE = "Visitors"')
      await page.waitForSelector('h1:text("Visitors")')
      await connected
      connected = connection(page)
      edited.edit('python/templates/index.html', 'Who has signed?', 'Who was here?')
      await page.waitForSelector('text=Who was here?')
      await connected
      edited.edit('python/templates/index.html', 'Who was here?', 'Who has signed?')
      await page.waitForSelector('text=Who has signed?')
    })

    test('one that cannot be loaded shows its traceback in the overlay, until it is mended', async () => {
      const page = await openConnected(host, '/py/')
      edited.edit('python/guestbook.py', 'TITLE = "Visitors"', 'TITLE = = "Nobody"')
      const overlay = page.locator('vite-error-overlay')
      await overlay.waitFor()
      expect(await overlay.locator('.message').innerText()).toContain('SyntaxError: invalid syntax')
      expect(await overlay.locator('.plugin').innerText()).toContain('guestbook:app')
      expect(await overlay.locator('.file').innerText()).toMatch(/python\/guestbook\.py:\d+:1$/)
      expect(await overlay.locator('.frame').innerText()).toMatch(/> *\d+ \| TITLE = = "Nobody"/)
      // Who comes now, with the old page or for the first time, gets the error too.
      const answer = await fetch(`${host.url}/py/`)
      expect([answer.status, await answer.text()]).toEqual([
        500,
        expect.stringMatching(/TITLE = = "Nobody"[\s\S]*SyntaxError/),
      ])
      edited.edit('python/guestbook.py', 'TITLE = = "Nobody"', 'TITLE = "Guestbook"')
      await page.waitForSelector('h1:text("Guestbook")')
      expect(await overlay.count()).toBe(0)
    })

    test('an error in a request shows it, on the page that has sent it and on that of the error', async () => {
      const front = await openHot(host)
      const page = await openConnected(host, '/py/')
      let connected = connection(page)
      const response = await page.goto(`${host.url}/py/broken`)
      expect(response?.status()).toBe(500)
      await connected
      for (const shown of [front, page]) {
        const overlay = shown.locator('vite-error-overlay')
        await overlay.waitFor()
        expect(await overlay.locator('.message').innerText()).toContain(
          'RuntimeError: broken on purpose',
        )
        const stack = await overlay.locator('.stack').innerText()
        expect(stack).toMatch(/at broken \/.*\/python\/guestbook\.py:\d+:1/)
        expect(stack).not.toMatch(/site-packages|monoceros\//)
      }
      connected = connection(page)
      edited.edit(
        'python/guestbook.py',
        'raise RuntimeError("broken on purpose")',
        'return "mended"',
      )
      await page.waitForSelector('text=mended')
      await connected
      await front.waitForSelector('text=Flask says: nobody has signed')
      expect(await front.locator('vite-error-overlay').count()).toBe(0)
      edited.edit(
        'python/guestbook.py',
        'return "mended"',
        'raise RuntimeError("broken on purpose")',
      )
      await page.locator('vite-error-overlay').waitFor()
    })

    test('what no module takes over reloads the page, and the tests above would see it', async () => {
      const page = await openHot(host)
      const loads = countLoads(page)
      await page.evaluate('window.marker = 1')
      edited.edit('index.html', '</body>', '<p>more</p></body>')
      await page.waitForSelector('text=more')
      expect(await page.evaluate('typeof window.marker')).toBe('undefined')
      // Its text is there before all of it is loaded.
      await waitFor('the page to be loaded', () => loads() > 0)
      expect(loads()).toBe(1)
    })

    test('TERM ends Vite and its Python', async () => {
      // Those that were replaced leave when the new one is there.
      await waitFor('one worker', () => host.server.workers().length === 1)
      // 143 is Vite's own way to say that it was TERM.
      expect(await host.server.stop()).toEqual({ code: 143, signal: null })
    })

    function setGreeting(text: string): void {
      edited.edit('src/greeting.ts', greeting, text)
      greeting = text
    }
  })

  /**
   * Starts a host for the tests of one `describe`; stopped, and seen to leave nothing, behind them.
   */
  function started(start: () => Promise<RunningServer>): Host {
    let server: RunningServer | undefined
    beforeAll(async () => {
      server = await start()
    })
    afterAll(async () => {
      await server?.stop()
    })
    return {
      get server() {
        if (server === undefined) throw new Error('the host has not been started')
        return server
      },
      get url() {
        return this.server.url
      },
    }
  }

  /** What holds for Flask under /py, whatever it is mounted in. */
  function shownInPages(host: Host, { ownErrorPages = true } = {}): void {
    let page: Page

    beforeAll(async () => {
      page = await (await newContext()).newPage()
    })

    // As a browser that has not been here before. Making a new one each time takes longer than the
    // rest of a test.
    beforeEach(() => page.context().clearCookies())

    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail')
        console.error(`--- ${page.url()}\n${await page.content()}\n---`)
    })

    afterAll(() => page?.context().close())

    test('its pages answer, with links that have the mount and lead where they say', async () => {
      const response = await page.goto(`${host.url}/py/`)
      expect(response?.status()).toBe(200)
      expect(await page.title()).toBe('Guestbook')
      expect(await hrefs(page)).toEqual(['/py/signed', `${host.url}/py/`])

      await page.click('text=Who has signed?')
      await page.waitForURL(`${host.url}/py/signed`)
      expect(await page.textContent('#name')).toBe('nobody')
      await page.click('text=Back')
      await page.waitForURL(`${host.url}/py/`)
    })

    test('the mount itself, without a slash behind it, is its first page', async () => {
      await page.goto(`${host.url}/py`)
      expect(await hrefs(page)).toEqual(['/py/signed', `${host.url}/py/`])
      await page.click('text=This page')
      await page.waitForURL(`${host.url}/py/`)
      expect(await page.title()).toBe('Guestbook')
    })

    test('its form posts, redirects, and its session remembers', async () => {
      await page.goto(`${host.url}/py/`)
      await page.fill('input[name=name]', 'Zoë & Łukasz')
      const posted = page.waitForResponse((response) => response.request().method() === 'POST')
      await page.click('button')
      const response = await posted
      expect([response.status(), response.headers().location]).toEqual([302, '/py/signed'])
      await page.waitForURL(`${host.url}/py/signed`)
      expect(await page.textContent('#name')).toBe('Zoë & Łukasz')
      await page.reload()
      expect(await page.textContent('#name')).toBe('Zoë & Łukasz')

      // The front end asks Flask, in the same session; somebody else has another.
      await page.goto(`${host.url}/`)
      await page.waitForSelector('text=Flask says: Zoë & Łukasz has signed')
      await page.context().clearCookies()
      await page.goto(`${host.url}/py/signed`)
      expect(await page.textContent('#name')).toBe('nobody')
    })

    test('its static files load', async () => {
      await page.goto(`${host.url}/py/`)
      expect(await page.getAttribute('link[rel=stylesheet]', 'href')).toBe('/py/static/style.css')
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(
        'rgb(1, 2, 3)',
      )
    })

    test.each([
      { path: '/py/nowhere', status: 404, text: '404 Not Found' },
      ...(ownErrorPages
        ? [{ path: '/py/broken', status: 500, text: '500 Internal Server Error' }]
        : []),
    ])(
      "its own error page answers $path, with a link back to the mount's first page",
      async (wanted) => {
        const response = await page.goto(host.url + wanted.path)
        expect(response?.status()).toBe(wanted.status)
        expect(await page.textContent('#error')).toBe(wanted.text)
        await page.click('text=Back')
        await page.waitForURL(`${host.url}/py/`)
      },
    )

    test('the front end is beside it, and a link leads from there to Flask', async () => {
      await page.goto(`${host.url}/`)
      await page.waitForSelector('text=Flask says: nobody has signed')
      expect(await page.textContent('#greeting')).toBe('Hello from the front end')
      await page.click('text=To the guestbook')
      await page.waitForURL(`${host.url}/py/`)
      expect(await page.title()).toBe('Guestbook')
    })
  }

  /**
   * Resolves when the page, which is about to be loaded, is connected to Vite: what is edited
   * before that, it would not hear of.
   */
  async function connection(page: Page): Promise<void> {
    await page.waitForEvent('console', (message) => message.text() === '[vite] connected.')
  }

  /** A page, once it is connected to Vite. */
  async function openConnected(host: Host, path: string): Promise<Page> {
    const context = await newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    const connected = connection(page)
    await page.goto(host.url + path)
    await connected
    return page
  }

  /** The front end. */
  async function openHot(host: Host): Promise<Page> {
    const page = await openConnected(host, '/')
    await page.waitForSelector('text=Flask says: nobody has signed')
    return page
  }

  /** As a browser that nobody has used before. */
  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext()
    context.setDefaultTimeout(60_000)
    return context
  }
})

test('the guide shows the files as they are tested', () => {
  const files = filesOnPage(blocksOf('docs/guides/vite-and-express.md'))
  expect([...files.keys()]).toEqual(['vite.config.ts', 'server.ts', 'app.ts'])
  for (const [name, text] of files) {
    const file = readFileSync(join(appsDirectory, 'browser', name), 'utf8')
    expect(text, name).toBe(file.replace(/^ *\/\/ biome-ignore .*\n/gm, ''))
  }
})

/** A program that has Flask in it. */
interface Host {
  readonly server: RunningServer
  readonly url: string
}

/** How often the page has been loaded from now on. */
function countLoads(page: Page): () => number {
  let loads = 0
  page.on('load', () => loads++)
  return () => loads
}

async function hrefs(page: Page): Promise<(string | null)[]> {
  const links = await page.locator('a').all()
  return await Promise.all(links.map((link) => link.getAttribute('href')))
}
