import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { ask, metricsAddress, scrape } from '../support/metrics.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// The dashboard in a browser, over a server with real load, killed workers and broken reloads.

const APPLICATION = `
import time

def burn_time(end):
    while time.monotonic() < end:
        sum(range(100))

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise ValueError("<img src=x onerror=hacked()> is no price")
    if path == "/slow":
        time.sleep(3)
    if path == "/burn":
        burn_time(time.monotonic() + 0.05)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
`
const TOKEN = 'a-token-of-the-dashboard-test'
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const chromium = hasPython() ? findChromium() : null

describe.skipIf(chromium === null)('the dashboard', () => {
  const folder = temporaryDirectory()
  const source = join(folder.path, 'shop.py')
  let browser: Browser
  let closeBrowser: () => Promise<void>
  let server: RunningServer
  let address: string
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    writeFileSync(source, APPLICATION)
    const token = join(folder.path, 'token')
    writeFileSync(token, TOKEN)
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
    server = await startServer({
      app: 'shop:app',
      cwd: folder.path,
      args: [
        ...['--workers', '2', '--threads', '2', '--slow-request', '1'],
        ...['--metrics-bind', '127.0.0.1:0', '--control-token-file', token],
      ],
    })
    address = await metricsAddress(server)
    page = await open(await browser.newContext({ viewport: { width: 1280, height: 900 } }))
  })

  afterAll(async () => {
    await closeBrowser?.()
    folder.remove()
  })

  /** Opens the page, and notes everything that a browser complains of. */
  async function open(context: BrowserContext): Promise<Page> {
    const opened = await context.newPage()
    opened.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    opened.on('pageerror', (error) => problems.push(String(error)))
    opened.on('request', (request) => {
      if (new URL(request.url()).origin !== address) problems.push(`outside: ${request.url()}`)
    })
    await opened.goto(`${address}/`)
    return opened
  }

  const text = (id: string) => page.locator(id).innerText()
  const shows = async (id: string, wanted: RegExp) => {
    let shown = ''
    const isShown = async () => {
      shown = await text(id)
      return wanted.test(shown)
    }
    await waitFor(`${wanted} in ${id}`, isShown, 30_000).catch((error: Error) => {
      throw new Error(`${error.message}, which shows: ${shown}`)
    })
  }

  test('shows the throughput of real load, and paths as text', async () => {
    let going = true
    const clients = Array.from({ length: 4 }, async () => {
      while (going)
        await fetch(`${server.url}/${encodeURIComponent('<img src=x onerror=hacked()>')}`)
    })
    onTestFinished(() => {
      going = false
    })
    void fetch(`${server.url}/slow?<img src=x onerror=hacked()>`).catch(() => {})
    await shows('#tiles', /Requests\s+[1-9][0-9,.]*\/s/)
    await shows('#details', /GET \/slow/)
    await shows('#details', /GET \/slow\S* had run for [1-9]\d*(\.\d+)? s/)
    going = false
    await Promise.all(clients)
    expect(await page.locator('#details img').count()).toBe(0)
  })

  test('shows an error of the application with its traceback, as text', async () => {
    expect((await fetch(`${server.url}/boom`)).status).toBe(500)
    await shows('#details', /ValueError: <img src=x onerror=hacked\(\)> is no price/)
    expect(await page.locator('#details img').count()).toBe(0)
  })

  test('shows a worker that was killed', async () => {
    const victim = server.workers()[0]!
    process.kill(victim, 'SIGKILL')
    await shows('#details', new RegExp(`crashed worker ${victim}: .*SIGKILL`))
  })

  test('shows why a reload has failed', async () => {
    writeFileSync(source, `${APPLICATION}\nthis is no Python\n`)
    server.signal('SIGHUP')
    await shows('#details', /reload failed/)
    await shows('#details', /SyntaxError/)
    writeFileSync(source, APPLICATION)
  })

  test('acts only with the token', async () => {
    expect(await page.getByRole('button', { name: 'Reload' }).isVisible()).toBe(false)
    await page.getByRole('button', { name: 'Enter the token' }).click()
    await page.getByLabel('Token', { exact: true }).fill('not-the-token-of-the-server')
    await page.getByRole('button', { name: 'Use it' }).click()
    await shows('#token-error', /This is not the token/)
    await page.getByLabel('Token', { exact: true }).fill(TOKEN)
    await page.getByRole('button', { name: 'Use it' }).click()
    // The browser reports the 401 of the wrong one.
    await waitFor('the 401', () => problems.splice(0).some((one) => one.includes('401')))
    await page.getByRole('button', { name: 'One worker more' }).click()
    await shows('#details', /There are to be 3 workers/)
    await page.getByRole('button', { name: 'Reload' }).click()
    await shows('#details', /Reloaded in/)
  })

  test('takes a profile, and its flame graph names the function that burns time', async () => {
    let going = true
    onTestFinished(() => {
      going = false
    })
    const load = (async () => {
      while (going) await fetch(`${server.url}/burn`)
    })()
    await page.getByLabel('Seconds').fill('2')
    await page.getByRole('button', { name: 'Take a profile' }).click()
    await page.locator('.flame button', { hasText: 'burn_time' }).first().waitFor()
    going = false
    await load
  })

  test.each(['light', 'dark'] as const)('shuts nobody out (axe-core), %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await page.evaluate(axe)
    const found = (await page.evaluate('axe.run()')) as {
      violations: { id: string; impact: string; nodes: { target: string[] }[] }[]
    }
    const serious = found.violations.filter(({ impact }) => /serious|critical/.test(impact))
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual(
      [],
    )
  })

  test.each([400, 1280, 2560])('fits into %i pixels', async (width) => {
    await page.setViewportSize({ width, height: 900 })
    const shown = () => page.evaluate('document.documentElement.scrollWidth')
    await waitFor('a page of that width', async () => Number(await shown()) <= width)
  })

  test('breaks no rule of its Content-Security-Policy, and loads nothing from outside', () => {
    expect(problems).toEqual([])
  })

  test('tells pages of other sites nothing', async () => {
    const headers = { 'Sec-Fetch-Site': 'cross-site' }
    expect((await ask(address, '/dashboard/details', { headers })).status).toBe(401)
    expect(
      (await ask(address, '/dashboard/details', { headers: { Host: 'evil.example' } })).status,
    ).toBe(421)
    expect((await ask(address, '/dashboard/details')).status).toBe(200)
  })
})

describe.skipIf(!hasPython())('who may see the dashboard', () => {
  const folder = temporaryDirectory()
  afterAll(folder.remove)
  const config = join(folder.path, 'shop.conf.mjs')
  const token = join(folder.path, 'token')

  beforeAll(() => {
    writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
    writeFileSync(token, TOKEN)
  })

  /** Starts a server with these settings. */
  async function serve(settings: Record<string, unknown>) {
    configure(settings)
    const args = ['--config', config]
    const server = await startServer({ app: 'shop:app', cwd: folder.path, args, secure: false })
    return { server, address: await metricsAddress(server) }
  }

  const configure = (settings: Record<string, unknown>) =>
    writeFileSync(config, `export default ${JSON.stringify(settings)}\n`)

  test('is what the setting says, also after a reload', async () => {
    const socket = `unix:${join(folder.path, 'metrics')}`
    const settings = { metricsBind: [socket], controlTokenFile: token }
    const { server } = await serve({ ...settings, dashboard: 'token' })
    const bearer = { Authorization: `Bearer ${TOKEN}` }
    const statusOf = async (path: string, headers: Record<string, string> = {}) =>
      (await ask(socket, path, { headers })).status
    expect(await statusOf('/')).toBe(200)
    expect(await statusOf('/dashboard/history')).toBe(200)
    expect(await statusOf('/dashboard/details')).toBe(401)
    expect(await statusOf('/dashboard/details', { Authorization: `Bearer ${TOKEN}x` })).toBe(401)
    expect(await statusOf('/dashboard/details', bearer)).toBe(200)
    // The token of a visitor is not enough in a page of somebody else.
    const crossSite = { ...bearer, 'Sec-Fetch-Site': 'cross-site' }
    expect(await statusOf('/dashboard/details', crossSite)).toBe(401)

    configure({ ...settings, dashboard: 'off' })
    server.signal('SIGHUP')
    await waitFor('no dashboard', async () => {
      const status = await statusOf('/').catch(() => 0)
      return status === 404
    })
    for (const path of ['/dashboard/history', '/dashboard/details', '/dashboard/page.js'])
      expect([path, await statusOf(path, bearer)]).toEqual([path, 404])
    expect(await statusOf('/metrics')).toBe(200)
    expect(await statusOf('/control/status', bearer)).toBe(200)

    configure({ metricsBind: [socket], dashboard: 'local' })
    server.signal('SIGHUP')
    await waitFor('the dashboard', async () => {
      const status = await statusOf('/dashboard/details').catch(() => 0)
      return status === 200
    })
    expect(await statusOf('/control/status', bearer)).toBe(404)
  })

  test('from another machine is nobody without a token', async () => {
    const { address } = await serve({ metricsBind: ['0.0.0.0:0'] })
    const own = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
    // Whoever comes to an address that others can reach is not of this machine.
    if (own === undefined) return
    const reached = `http://${own}:${new URL(address).port}`
    expect((await ask(reached, '/')).status).toBe(200)
    const denied = await ask(reached, '/dashboard/details')
    expect(denied).toMatchObject({ status: 403 })
    expect(denied.body).toContain('control_token_file')
  })

  test('is nobody who lies about the host, posts from another site, or is one of very many', async () => {
    const settings = { metricsBind: ['127.0.0.1:0'], controlTokenFile: token }
    const { address } = await serve(settings)
    const port = Number(new URL(address).port)
    for (const host of ['evil.example', `localhost.evil.example:${port}`, '127.0.0.1.nip.io']) {
      for (const path of ['/', '/dashboard/details', '/dashboard/instances'])
        expect((await ask(address, path, { headers: { Host: host } })).status).toBe(421)
    }
    // What a form or a script of another site may send without asking first.
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = { Origin: 'http://evil.example', 'Content-Type': type }
      const answer = await ask(address, '/control/stop', { method: 'POST', headers })
      expect(answer.status).toBe(401)
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
      expect((await ask(address, '/dashboard/details', { method: 'POST', headers })).status).toBe(
        405,
      )
    }
    const memory = async () =>
      (await scrape(address)).sum('monoceros_process_resident_memory_bytes', { process: 'arbiter' })
    const before = await memory()
    const paths = ['/dashboard/details', '/dashboard/history', '/dashboard/page.js', '/']
    const crowd = Array.from({ length: 400 }, (_, i) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      const line = `GET ${paths[i % 4]} HTTP/1.1\r\nHost: localhost\r\n`
      // Some send many requests ahead, some a large or an endless head; nobody reads.
      if (i % 3 === 0) socket.write(`${line}\r\n`.repeat(40))
      else if (i % 3 === 1) socket.write(`${line}X-Long: ${'x'.repeat(64 * 1024)}`)
      else socket.write(`${line}X-Slow: `)
      return socket.pause()
    })
    onTestFinished(() => {
      for (const socket of crowd) socket.destroy()
    })
    const during = await waitFor('an answer', () => memory().catch(() => undefined))
    expect(during - before).toBeLessThan(60_000_000)
    await waitFor('another answer', async () => {
      const answer = await ask(address, '/dashboard/details').catch(() => undefined)
      return answer?.status === 200
    })
  })
})

describe.skipIf(chromium === null)('several servers', () => {
  test('are side by side, and one that is gone or is no server says so', async () => {
    const folder = temporaryDirectory()
    onTestFinished(folder.remove)
    writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
    writeFileSync(join(folder.path, 'books.py'), APPLICATION)
    const start = async (app: string, args: string[] = []) => {
      const all = ['--metrics-bind', '127.0.0.1:0', ...args]
      const server = await startServer({ app, cwd: folder.path, args: all, secure: false })
      return { server, address: await metricsAddress(server) }
    }
    const stranger = createServer((_, response) => void response.end('{"times": "no"}'))
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void stranger.close())
    const strange = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
    const books = await start('books:app')
    const others = [books.address, strange]
    const shop = await start(
      'shop:app',
      others.flatMap((one) => ['--dashboard-instances', one]),
    )
    const answer = await ask(shop.address, '/dashboard/instances')
    expect(JSON.parse(answer.body).instances).toMatchObject([
      { name: 'this server', problem: null, history: { application: 'shop:app' } },
      { address: books.address, problem: null, history: { application: 'books:app' } },
      { address: strange, problem: 'its answer is not that of a dashboard', history: null },
    ])

    const { browser, close } = await launchChromium(chromium!)
    onTestFinished(close)
    const page = await browser.newPage()
    await page.goto(`${shop.address}/`)
    const card = (text: string) =>
      page.locator('#instances .card', { hasText: text }).waitFor({ timeout: 30_000 })
    await card('books:app, serving')
    await card('shop:app, serving')
    await card('its answer is not that of a dashboard')
    expect(await page.locator('#instances .card').count()).toBe(3)
    await books.server.stop()
    await card('it cannot be reached (ECONNREFUSED)')
    expect(await page.locator('#instances .card').count()).toBe(3)
    // Nobody but the servers of the setting is asked, and no answer is believed more than numbers.
    expect(await page.locator('#instances a').count()).toBe(2)
  })
})
