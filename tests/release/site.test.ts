import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { serveLearn } from '../support/learn-server.ts'
import { testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { builtSite } from '../support/site.ts'
import { waitFor } from '../support/wait-for.ts'

// The site as it is built: its words, and its pages in a browser from a server of plain files,
// below a path that it was not built for. The build itself fails for links and anchors that lead
// nowhere.
// Set SITE_PICTURES to a folder for pictures of it.

/** One page of each kind. */
const KINDS = {
  start: '',
  tutorial: 'guides/tutorial.html',
  guide: 'guides/tls.html',
  'how-to': 'guides/how-to/routing.html',
  reference: 'reference/middleware.html',
  decision: 'decisions/001-own-http-engine.html',
  error: 'errors/MONO1042.html',
  errors: 'reference/errors.html',
  learn: 'learn/serve.html',
  framework: 'learn/from-flask.html',
  contents: 'contents.html',
  source: 'source/examples/serve.js.html',
}
/** What axe finds. */
interface Violation {
  readonly id: string
  readonly impact: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

const PHONE = { width: 400, height: 800 }
const DESKTOP = { width: 1280, height: 900 }

/** The rules of axe that look at colours, of those that are on. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block']

/**
 * Pages whose colours are checked on a phone, too: one of each layout. There the frame of the page
 * has other parts, which all pages of a layout share; the pages have the colours of a desktop.
 */
const COLOURS_ON_PHONE = ['start', 'tutorial', 'contents']

const execute = promisify(execFile)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const pictures = process.env.SITE_PICTURES
const chromium = findChromium()

test('the words of all pages are spelled right', async () => {
  const program = join(repository, 'node_modules', '.bin', 'cspell')
  const checked = execute(program, ['--no-progress', '--no-summary'], { cwd: repository })
  const { stdout } = await checked.catch((error: { stdout: string }) => error)
  expect(stdout, 'add right words to site/words.txt').toBe('')
})

test('the site is not large', async () => {
  const folder = await builtSite()
  let size = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !path.startsWith(join(folder, 'playground'))) size += statSync(path).size
  }
  // Menus that every page repeats are what makes it grow.
  expect(size, 'without the playground').toBeLessThan(32_000_000)
}, 300_000)

describe.skipIf(chromium === null)('in a browser', () => {
  let browser: Browser
  let closeBrowser: () => Promise<void>
  let server: RunningServer
  let address: string
  const problems: string[] = []

  beforeAll(async () => {
    const folder = await builtSite()
    // A server that knows nothing of the site, and a path that the site does not know.
    server = await runServer({
      command: testPython().executable,
      args: [
        ...['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1'],
        ...['--directory', dirname(dirname(folder))],
      ],
      env: process.env,
      cwd: undefined,
      findAddresses: (log) => /\(http:\/\/[^)/]+/.exec(log)?.map((text) => text.slice(1)) ?? [],
      isReady: (log) => log.includes('Serving HTTP on'),
      isWorker: () => false,
    })
    address = `${server.url}/${basename(dirname(folder))}/site/`
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
  })

  afterAll(async () => {
    await closeBrowser?.()
    await server?.stop()
  })

  /** Opens a page without any other host, and notes everything that a browser complains of. */
  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: DESKTOP, ...options })
    await context.route('**', (route) => {
      const url = route.request().url()
      if (url.startsWith(address) || /^(blob|data):/.test(url)) return route.continue()
      problems.push(`outside: ${url}`)
      return route.abort()
    })
    const page = await context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(`${path}: ${message.text()}`)
    })
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`)
    })
    page.on('pageerror', (error) => problems.push(`${path}: ${error}`))
    await page.goto(address + path)
    await ready(page)
    return page
  }

  /** The page is alive. */
  async function ready(page: Page): Promise<void> {
    // Not `waitForFunction`, which the policy stops.
    const alive = 'document.querySelector("#app")?.__vue_app__ !== undefined'
    await waitFor('the page', async () => await page.evaluate<boolean>(alive))
  }

  test.each(['light', 'dark'] as const)('nothing is serious for axe, in %s', async (scheme) => {
    // One page for all, so that its scripts are loaded once.
    const page = await open('', { colorScheme: scheme })
    for (const [kind, path] of Object.entries(KINDS)) {
      await page.setViewportSize(DESKTOP)
      await page.goto(address + path)
      await ready(page)
      if (kind === 'tutorial') await page.locator('#mp-8').waitFor()
      await page.evaluate(axe)
      for (const viewport of [DESKTOP, PHONE]) {
        const colours = viewport === DESKTOP || COLOURS_ON_PHONE.includes(kind)
        // In the dark only colours are different: the other rules hold as in the light.
        const others = scheme === 'light'
        if (!colours && !others && pictures === undefined) continue
        await page.setViewportSize(viewport)
        const serious = colours || others ? await seriousFor(page, { colours, others }) : []
        // Soft, so that one run tells all.
        expect.soft(serious, `${kind}, ${scheme}, ${viewport.width}`).toEqual([])
        const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        expect.soft(wide, `${kind} is wider than ${viewport.width}`).toBeLessThanOrEqual(0)
        if (pictures !== undefined) {
          mkdirSync(pictures, { recursive: true })
          await page.screenshot({ path: join(pictures, `${kind}-${scheme}-${viewport.width}.png`) })
        }
      }
    }
    await page.context().close()
  })

  /**
   * What axe finds that is serious, with up to three places of each.
   *
   * @param rules those about colours, which take most of the time, and the others
   */
  async function seriousFor(
    page: Page,
    rules: { readonly colours: boolean; readonly others: boolean },
  ): Promise<string[][]> {
    const off = COLOUR_RULES.map((rule) => [rule, { enabled: false }])
    const options = {
      resultTypes: ['violations'],
      ...(!rules.others && { runOnly: COLOUR_RULES }),
      ...(!rules.colours && { rules: Object.fromEntries(off) }),
    }
    const { violations } = await page.evaluate<{ violations: Violation[] }>(
      `axe.run(document, ${JSON.stringify(options)})`,
    )
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => [
        id,
        ...nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)}: ${node.failureSummary}`),
      ])
  }

  test('the reader goes from page to page, below a path that the site does not know', async () => {
    const page = await open('')
    for (const [link, title] of [
      ['Reference', 'Settings'],
      ['Guides', 'Developing'],
      ['Background', 'Monoceros'],
      ['Learn', 'Learn WSGI in eight steps'],
    ] as const) {
      await page.locator('.VPNavBarMenu').getByRole('link', { name: link, exact: true }).click()
      await page.getByRole('heading', { level: 1, name: title }).waitFor()
      expect(page.url()).toContain(address)
    }
    await page.locator('.VPSidebar').getByRole('link', { name: 'From pip' }).click()
    await page.getByRole('heading', { level: 1, name: 'From pip' }).waitFor()
    expect(page.url()).toBe(`${address}guides/pip.html`)
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Learn WSGI in eight steps' }).waitFor()
    await page.context().close()
  })

  test('the language of the tabs stays over pages and reloads', async () => {
    const page = await open('guides/tutorial.html')
    const typescript = page.getByRole('tab', { name: 'TypeScript' }).first()
    const panels = page.locator('.language-tabs-panel')
    expect(await panels.nth(0).isVisible()).toBe(true)
    expect(await panels.nth(1).isVisible()).toBe(false)
    await page.getByRole('tab', { name: 'Python' }).first().focus()
    await page.keyboard.press('ArrowRight')
    expect(await typescript.getAttribute('aria-selected')).toBe('true')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('TypeScript')
    expect(await panels.nth(0).isVisible()).toBe(false)
    expect(await panels.nth(1).isVisible()).toBe(true)
    await page.reload()
    await ready(page)
    expect(await panels.nth(1).isVisible()).toBe(true)
    await waitFor(
      'the tab',
      async () => (await typescript.getAttribute('aria-selected')) === 'true',
    )
    // The playground follows.
    const step = page.locator('#mp-1')
    await step.getByRole('button', { name: 'TypeScript', pressed: true }).waitFor()
    await page.getByRole('tab', { name: 'Python' }).first().click()
    await step.getByRole('button', { name: 'Python', pressed: true }).waitFor()
    await page.context().close()
  })

  test('the search finds a setting without a network, by the keyboard', async () => {
    const page = await open('guides/tls.html')
    await page.keyboard.press('Control+k')
    await page.getByRole('searchbox').fill('graceful_timeout')
    await page.locator('.VPLocalSearchBox .result').first().waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/graceful_timeout|lifecycle|settings/)
    await page.context().close()
  })

  test('an address that is not there leads to the page that says so', async () => {
    const page = await open('404.html')
    await page.getByText('There is no such page').waitFor()
    await page.getByRole('link', { name: 'To the start' }).click()
    await page.getByRole('heading', { level: 1, name: /WSGI for Python/ }).waitFor()
    expect(page.url()).toBe(address)
    await page.context().close()
  })

  test('each heading has a link, and the first key leads to the content', async () => {
    const page = await open('guides/tls.html')
    const headings = await page.locator('.vp-doc :is(h1, h2, h3)').count()
    expect(headings).toBeGreaterThan(3)
    expect(await page.locator('.vp-doc :is(h1, h2, h3) > a.header-anchor').count()).toBe(headings)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toMatch(/Skip to content/)
    await page.context().close()
  })

  test('what the reader writes is downloaded, where no command serves the page', async () => {
    const page = await open('guides/tutorial.html')
    const step = page.locator('#mp-1')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      step.getByRole('button', { name: 'Save' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('wsgi-step-1.tar')
    const { stdout } = await execute('tar', ['-xOf', await download.path(), 'wsgi-step-1/hello.py'])
    const expected = join(repository, 'examples', 'tutorial', 'hello.py')
    expect(stdout).toBe(readFileSync(expected, 'utf8'))
    await waitFor('the command', async () =>
      (await step.locator('.mp-status').innerText()).includes('monoceros hello:app'),
    )
    await page.context().close()
  })

  test('`monoceros learn` sends the policy, and code of the reader reaches no other host', async () => {
    const elsewhere = createServer((_request, response) => response.end()).listen(0, '127.0.0.1')
    let reached = 0
    elsewhere.on('connection', () => reached++)
    await once(elsewhere, 'listening')
    const learn = await serveLearn({ site: await builtSite() })
    const page = await (await browser.newContext({ viewport: DESKTOP })).newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const answer = await page.goto(`${learn.url}/guides/tutorial.html`)
    expect(answer?.headers()).toMatchObject({
      'content-security-policy': expect.stringMatching(/^default-src 'none'.*frame-ancestors/),
      'x-content-type-options': 'nosniff',
    })
    const step = page.locator('#mp-1')
    await step.getByRole('button', { name: 'Python', exact: true }).click()
    await page.keyboard.press('Escape')
    expect(await run(step, '200 OK')).toContain('200 OK')
    await step.getByRole('button', { name: 'TypeScript', exact: true }).click()
    const { port } = elsewhere.address() as AddressInfo
    await step.locator('.cm-content').focus()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText(
      `const where = ['http://127.0.0.1:${port}/x.js']\n` +
        'const said = await import(where[0]!).then(() => "came", () => "refused")\n' +
        'export function app(_environ: unknown, startResponse: Function) {\n' +
        '  startResponse("200 OK", [["Content-Type", "text/html"]])\n' +
        '  return [new TextEncoder().encode("<h2>" + said + "</h2>")]\n}\n',
    )
    await run(step, '200 OK')
    expect(await step.frameLocator('iframe').locator('h2').innerText()).toBe('refused')
    expect(reached).toBe(0)
    expect(complaints.filter((text) => !text.includes(String(port)))).toEqual([])

    // An address that is not there stays as it is, and the way back works.
    expect((await page.goto(`${learn.url}/guides/gone.html`))?.status()).toBe(404)
    await page.getByText('There is no such page').waitFor()
    expect(page.url()).toBe(`${learn.url}/guides/gone.html`)
    await page.getByRole('link', { name: 'To the start' }).click()
    await page.getByRole('heading', { level: 1, name: /WSGI for Python/ }).waitFor()
    await page.context().close()
    elsewhere.close()
  })

  /** Runs the program of a step. @returns what the page says when it has ended */
  async function run(step: Locator, says: string): Promise<string> {
    await step.getByRole('button', { name: 'Run', exact: true }).click()
    const status = () => step.locator('.mp-status').innerText()
    await waitFor(
      'the run',
      async () =>
        (await step.getAttribute('aria-busy')) === null && (await status()).includes(says),
      60_000,
    )
    return await status()
  }

  test('nothing came from another host, and nothing went wrong', () => {
    expect(problems).toEqual([])
  })

  test('the policy stops scripts of the page, texts as scripts, and other hosts', async () => {
    const page = await open('guides/tls.html')
    const done = await page.evaluate(`(async () => {
      const script = document.createElement('script')
      script.textContent = 'globalThis.inline = true'
      document.head.append(script)
      let text = false
      // What a debugger evaluates may do more, until it waits.
      await new Promise((done) => setTimeout(done))
      try { text = eval('true') } catch {}
      const fetched = await fetch('https://example.com/').then(() => true, () => false)
      return { inline: 'inline' in globalThis, text, fetched }
    })()`)
    expect(done).toEqual({ inline: false, text: false, fetched: false })
    expect(problems.join('\n')).toMatch(/Content Security Policy/)
    expect(problems.join('\n')).not.toMatch(/outside:/)
  })
})
