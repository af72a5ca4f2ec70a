import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { findChromium, launchChromium } from './support/chromium.ts'
import { FrontEndProject } from './support/front-end-project.ts'
import { hasPython } from './support/python.ts'
import type { RunningServer } from './support/running-server.ts'
import { waitFor } from './support/wait-for.ts'

// A Flask application inside Express, Vite's dev server and our own command, as a browser sees it. The project is tests/apps/browser, which docs/guides/vite-and-express.md shows.

const chromium = hasPython() ? findChromium() : null

describe.skipIf(chromium === null)('in a browser', () => {
  let project: FrontEndProject
  let browser: Browser
  let closeBrowser: () => Promise<void>

  beforeAll(async () => {
    project = new FrontEndProject()
    const [launched] = await Promise.all([launchChromium(chromium!), project.build()])
    browser = launched.browser
    closeBrowser = launched.close
  })

  afterAll(async () => {
    await closeBrowser?.()
    project?.remove()
  })

  describe.each([
    { host: 'Express 5', start: () => project.startExpress() },
    { host: "Vite's dev server", start: () => project.startVite() },
    { host: 'the command, with dispatcher and staticFiles', start: () => project.startCommand() },
  ])('Flask under /py in $host', ({ start }) => {
    let server: RunningServer

    beforeAll(async () => {
      server = await start()
    })

    test('its pages answer, with links that have the mount and lead where they say', async () => {
      const page = await open(`${server.url}/py/`)
      expect(await page.title()).toBe('Guestbook')
      expect(await hrefs(page)).toEqual(['/py/signed', `${server.url}/py/`])

      await page.click('text=Who has signed?')
      await page.waitForURL(`${server.url}/py/signed`)
      expect(await page.textContent('#name')).toBe('nobody')
      await page.click('text=Back')
      await page.waitForURL(`${server.url}/py/`)
      await page.click('text=This page')
      expect(await page.textContent('h1')).toBe('Guestbook')
      expect(page.url()).toBe(`${server.url}/py/`)
    })

    test('the mount itself, without a slash behind it, is its first page', async () => {
      const page = await open(`${server.url}/py`)
      await page.click('text=Who has signed?')
      await page.waitForURL(`${server.url}/py/signed`)
    })

    test('its form posts, redirects, and its session remembers', async () => {
      const page = await open(`${server.url}/py/`)
      await page.fill('input[name=name]', 'Zoë & Łukasz')
      const posted = page.waitForResponse((response) => response.request().method() === 'POST')
      await page.click('button')
      const response = await posted
      expect([response.status(), response.headers().location]).toEqual([302, '/py/signed'])
      await page.waitForURL(`${server.url}/py/signed`)
      expect(await page.textContent('#name')).toBe('Zoë & Łukasz')

      await page.reload()
      expect(await page.textContent('#name')).toBe('Zoë & Łukasz')
      // The front end asks Flask for itself, with the same session.
      await page.goto(`${server.url}/`)
      await page.waitForSelector('text=Flask says: Zoë & Łukasz has signed')
      // Somebody else's browser has a session of its own.
      const other = await open(`${server.url}/py/signed`)
      expect(await other.textContent('#name')).toBe('nobody')
    })

    test('its static files load', async () => {
      const page = await open(`${server.url}/py/`)
      expect(await page.getAttribute('link[rel=stylesheet]', 'href')).toBe('/py/static/style.css')
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(1, 2, 3)')
    })

    test.each([
      { path: '/py/nowhere', status: 404, text: '404 Not Found' },
      { path: '/py/broken', status: 500, text: '500 Internal Server Error' },
    ])("its own error page answers $path, with a link back to the mount's first page", async (wanted) => {
      const page = await openPage()
      const response = await page.goto(server.url + wanted.path)
      expect(response?.status()).toBe(wanted.status)
      expect(await page.textContent('#error')).toBe(wanted.text)
      await page.click('text=Back')
      await page.waitForURL(`${server.url}/py/`)
    })

    test('the front end is beside it, and a link leads from there to Flask', async () => {
      const page = await open(`${server.url}/`)
      await page.waitForSelector('text=Flask says: nobody has signed')
      expect(await page.textContent('#greeting')).toBe('Hello from the front end')
      await page.click('text=To the guestbook')
      await page.waitForURL(`${server.url}/py/`)
      expect(await page.title()).toBe('Guestbook')
    })
  })

  test('Express goes on to read the bodies of what is its own', async () => {
    const server = await project.startExpress()
    const response = await fetch(`${server.url}/echo`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'Ann' }),
    })
    expect(await response.json()).toEqual({ name: 'Ann' })
  })

  describe('hot-module reload of Vite beside Flask', () => {
    test('an edited module is changed in the open page without a reload, before and after Flask is used', async () => {
      const server = await project.startVite()
      const page = await openHot(server)
      onTestFinished(() => restoreGreeting())
      const loads = countLoads(page)
      await page.evaluate("window.marker = 'set when the page was opened'")
      expect(await page.textContent('#greeting')).toBe('Hello from the front end')

      setGreeting('changed once')
      await page.waitForSelector('text=changed once')

      // Flask is used by this very page, and by another one of the same browser.
      await page.evaluate("fetch('/py/sign', { method: 'POST', body: new URLSearchParams({ name: 'Ann' }) })")
      expect(await page.evaluate("fetch('/py/api/visitor').then((response) => response.json())")).toEqual({
        name: 'Ann',
      })
      const guestbook = await page.context().newPage()
      await guestbook.goto(`${server.url}/py/`)
      await guestbook.click('text=Who has signed?')
      await guestbook.waitForSelector('#name:text("Ann")')

      setGreeting('changed twice')
      await page.waitForSelector('text=changed twice')

      expect(await page.evaluate('window.marker')).toBe('set when the page was opened')
      expect(loads()).toBe(0)
    })

    test('what no module takes over reloads the page: then the marker of the other test is gone', async () => {
      const server = await project.startVite()
      const page = await openHot(server)
      const loads = countLoads(page)
      await page.evaluate('window.marker = 1')
      project.edit('index.html', '</body>', '<p>more</p></body>')
      await page.waitForSelector('text=more')
      expect(await page.evaluate('typeof window.marker')).toBe('undefined')
      expect(loads()).toBe(1)
    })

    test('an edited Python file is in the next response, and one that cannot be loaded leaves what was there', async () => {
      const server = await project.startVite()
      const front = await openHot(server)
      const page = await open(`${server.url}/py/`)
      const loads = countLoads(front)
      const title = async () => {
        await page.goto(`${server.url}/py/`)
        return await page.title()
      }

      project.edit('python/guestbook.py', 'TITLE = "Guestbook"', 'TITLE = "Visitors"')
      await waitFor('the new title', async () => (await title()) === 'Visitors')

      project.edit('python/guestbook.py', 'TITLE =', 'TITLE ==')
      await server.waitForLog(/The guestbook stays as it was.*\n/)
      expect(await title()).toBe('Visitors')

      project.edit('python/guestbook.py', 'TITLE ==', 'TITLE =')
      project.edit('python/templates/index.html', 'Who has signed?', 'Who was here?')
      await waitFor(
        'the new link',
        async () => (await title()) && (await page.isVisible('text=Who was here?')),
      )
      expect(loads()).toBe(0)

      project.edit('python/templates/index.html', 'Who was here?', 'Who has signed?')
      project.edit('python/guestbook.py', 'TITLE = "Visitors"', 'TITLE = "Guestbook"')
    })

    let greeting = 'Hello from the front end'
    const setGreeting = (text: string) => {
      project.edit('src/greeting.ts', greeting, text)
      greeting = text
    }
    const restoreGreeting = () => setGreeting('Hello from the front end')
  })

  /** A page of a browser that nobody has used before. What it complains of is printed when the test fails. */
  async function openPage(): Promise<Page> {
    const context = await browser.newContext()
    context.setDefaultTimeout(10_000)
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') {
        for (const page of context.pages()) console.error(`--- ${page.url()}\n${await page.content()}\n---`)
      }
      await context.close()
    })
    return await context.newPage()
  }

  async function open(url: string): Promise<Page> {
    const page = await openPage()
    const response = await page.goto(url)
    expect(response?.status()).toBe(200)
    return page
  }

  /** The front end, once it is connected to Vite: what is edited before that, it would not hear of. */
  async function openHot(server: RunningServer): Promise<Page> {
    const page = await openPage()
    const connected = page.waitForEvent('console', (message) => message.text() === '[vite] connected.')
    await page.goto(`${server.url}/`)
    await connected
    await page.waitForSelector('text=Flask says: nobody has signed')
    return page
  }
})

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
