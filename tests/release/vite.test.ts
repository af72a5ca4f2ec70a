import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { freePort } from '../support/free-port.ts'
import { NodeProject } from '../support/node-project.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// What the plugin monoceros/vite does beside the matrix: tests/release/framework-matrix.test.ts.
// browser.test.ts has the overlay for Python.

const chromium = hasPython() ? findChromium() : null

describe.skipIf(chromium === null)('monoceros/vite', () => {
  let project: NodeProject
  let browser: Browser
  let closeBrowser: (() => Promise<void>) | undefined

  beforeAll(async () => {
    project = await NodeProject.open('servers')
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
  })

  // What a test has edited.
  beforeEach(() => project.write('vite.config.js', CONFIG))

  afterAll(async () => {
    await closeBrowser?.()
    project?.remove()
  })

  /** Vite, with `args` in front; by default the dev server. */
  async function startVite(
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<RunningServer> {
    const port = String(await freePort())
    const command = project.command('vite', [
      ...args,
      ...['--host', '127.0.0.1', '--strictPort', '--port', port],
    ])
    const listening = /Local: +(http:\/\/[\d.]+:\d+)\//
    return await runServer({
      ...command,
      env: { ...command.env, NO_COLOR: '1', ...env },
      findAddresses: (log) => [listening.exec(log)?.[1] ?? ''],
      isReady: (log) => listening.test(log),
    })
  }

  async function openPage(url: string): Promise<Page> {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    context.setDefaultTimeout(60_000)
    const page = await context.newPage()
    const connected = page.waitForEvent('console', (message) => /connected\.$/.test(message.text()))
    await page.goto(url)
    await connected
    return page
  }

  test('an error in a TypeScript application is shown in the overlay, and a change mends it', async () => {
    const server = await startVite()
    const page = await openPage(`${server.url}/ts/`)
    project.edit('site.js', "const TITLE = 'Shop one'", "const TITLE = nowhere + 'Shop one'")
    const overlay = page.locator('vite-error-overlay')
    await overlay.waitFor()
    expect(await overlay.locator('.message').innerText()).toContain('nowhere is not defined')
    expect(await overlay.locator('.frame').innerText()).toMatch(/> *\d+ \| const TITLE = nowhere/)
    project.edit('site.js', "const TITLE = nowhere + 'Shop one'", "const TITLE = 'Shop mended'")
    await page.waitForSelector('h1:text("Shop mended")')
    expect(await overlay.count()).toBe(0)
    project.edit('site.js', 'Shop mended', 'Shop one')
    await page.waitForSelector('h1:text("Shop one")')

    const response = await page.goto(`${server.url}/ts/broken`)
    expect(response?.status()).toBe(500)
    await overlay.waitFor()
    expect(await overlay.locator('.message').innerText()).toContain('broken on purpose')
    expect(await overlay.locator('.stack').innerText()).toMatch(/^ *at \S+ \S*\/site\.js:\d+:1$/)
  })

  test('what Flask answers and prints itself is shown, too', async () => {
    const server = await startVite([], { FLASK_DEBUG: '0' })
    const page = await openPage(`${server.url}/py/`)
    const response = await fetch(`${server.url}/py/broken`)
    expect([response.status, await response.text()]).toEqual([
      500,
      expect.stringContaining('The server encountered an internal error'),
    ])
    const overlay = page.locator('vite-error-overlay')
    await overlay.waitFor()
    expect(await overlay.locator('.message').innerText()).toContain(
      'RuntimeError: broken on purpose',
    )
    expect(await overlay.locator('.file').innerText()).toMatch(/\/shop\.py:\d+:1$/)
  })

  test('a changed configuration restarts Vite with a worker of its own, and the old one ends', async () => {
    const server = await startVite()
    expect((await fetch(`${server.url}/py/`)).status).toBe(200)
    const [before] = server.workers()
    project.edit('vite.config.js', "mount: '/py'", "mount: '/python'")
    await waitFor('the new mount', async () => {
      const answer = await fetch(`${server.url}/python/`).catch(() => null)
      return (await answer?.text())?.includes('Shop one') === true
    })
    await waitFor('the old worker to end', () => {
      const workers = server.workers()
      return workers.length === 1 && workers[0] !== before
    })
    // The new one reloads as well.
    project.edit('shop.py', 'Shop one', 'Shop two')
    await waitFor('the edited application', async () => {
      return (await (await fetch(`${server.url}/python/`)).text()).includes('Shop two')
    })
    project.edit('shop.py', 'Shop two', 'Shop one')
  })

  test('a preview has the applications, without the client and reloads', async () => {
    await project.run('vite', ['build'])
    const server = await startVite(['preview'])
    const html = { headers: { accept: 'text/html' } }
    for (const mount of ['/py', '/ts']) {
      const text = await (await fetch(`${server.url}${mount}/`, html)).text()
      expect(text).toContain('<h1>Shop one</h1>')
      expect(text).not.toContain('@vite/client')
      const broken = await fetch(`${server.url}${mount}/broken`, html)
      expect([broken.status, (await broken.text()).includes('broken on purpose')]).toEqual([
        500,
        false,
      ])
    }
    expect(await (await fetch(`${server.url}/`, html)).text()).toContain('<title>Front end</title>')
    expect(server.log()).not.toContain('Watching')
  })

  test('an application at / answers what Vite does not serve', async () => {
    project.edit('vite.config.js', "mount: '/py'", "mount: '/'")
    const server = await startVite()
    const page = await openPage(`${server.url}/`)
    expect(await page.title()).toBe('Shop one')
    expect(await page.getAttribute('a', 'href')).toBe('/signed')
    expect(await (await fetch(`${server.url}/main.js`)).text()).toContain('document.title')
    expect((await fetch(`${server.url}/nowhere`)).status).toBe(404)
    project.edit('shop.py', 'Shop one', 'Shop two')
    await page.waitForSelector('h1:text("Shop two")')
    project.edit('shop.py', 'Shop two', 'Shop one')
    await page.waitForSelector('h1:text("Shop one")')
  })

  test.each([
    [`mount: '/py'`, `mount: 'py'`, /mount must be a path with a slash at its beginning/],
    ['threads: 8', 'thraeds: 8', /pythonApp has no option "?thraeds"?.*threads/],
  ])('%s written as %s is said clearly', async (right, wrong, message) => {
    project.edit('vite.config.js', right, wrong)
    await expect(project.run('vite', ['--port', String(await freePort())])).rejects.toThrow(message)
  })

  test('in the middleware mode of Express an error is answered, too', async () => {
    project.write('middleware.js', MIDDLEWARE)
    const port = String(await freePort())
    const command = project.command('middleware.js', [])
    const server = await runServer({
      ...command,
      env: { ...command.env, PORT: port },
      findAddresses: (log) => [/(http:\S+)/.exec(log)?.[1] ?? ''],
      isReady: (log) => /http:/.test(log),
    })
    expect(await (await fetch(`${server.url}/py/`)).text()).toContain('Shop one')
    const broken = await fetch(`${server.url}/py/broken`)
    expect([broken.status, await broken.text()]).toEqual([
      500,
      expect.stringContaining('RuntimeError: broken on purpose'),
    ])
    expect(await (await fetch(`${server.url}/hello`)).text()).toBe('Hello from Express')
  })
})

const CONFIG = `import { monoceros } from 'monoceros/vite'

export default {
  plugins: [
    monoceros([
      { app: 'shop:app', mount: '/py', threads: 8 },
      { app: './site.js:app', mount: '/ts' },
    ]),
  ],
}
`

const MIDDLEWARE = `import express from 'express'
import { createServer } from 'vite'

const vite = await createServer({ server: { middlewareMode: true }, appType: 'custom' })
const app = express()
app.use(vite.middlewares)
app.get('/hello', (request, response) => response.send('Hello from Express'))
const server = app.listen(Number(process.env.PORT), '127.0.0.1', () =>
  console.log('http://127.0.0.1:' + server.address().port),
)
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  vite.close()
})
`
