import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, readFileSync, utimesSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page, Response } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import {
  type MatrixCase,
  type MatrixRow,
  matrix,
  matrixCases,
  testedVersion,
  withMatrixDrawn,
} from '../support/framework-matrix.ts'
import { freePort } from '../support/free-port.ts'
import { ensureNode } from '../support/newer-node.ts'
import { NodeProject } from '../support/node-project.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// Applications of ours in the servers of others, as a browser sees them: each row of the matrix
// times each case.

/** npm may install a project first, or wait for another file that does. In milliseconds. */
const HOOK_TIME = 600_000

/** For what asks for more than the Node that runs the suite. */
const NEWER_NODE = 24

const chromium = hasPython() ? findChromium() : null

/** An application in a running server. */
interface Visit {
  readonly url: string
  readonly mount: string
  readonly page: Page
  readonly server: RunningServer
  readonly project: NodeProject
  readonly row: MatrixRow
}

const cases: Readonly<Record<MatrixCase, (visit: Visit) => Promise<void>>> = {
  async mounted({ url, mount, page }) {
    for (const path of [mount, `${mount}/`]) {
      const response = await visit(page, url + path)
      expect([path, response?.status(), await page.title()]).toEqual([path, 200, 'Shop one'])
    }
    const missing = await fetch(`${url}${mount}/nowhere`)
    expect(missing.status).toBe(404)
  },

  async links({ url, mount, page }) {
    await page.goto(`${url}${mount}/`)
    expect(await page.getAttribute('a', 'href')).toBe(`${mount}/signed`)
    await page.click('a')
    await page.waitForURL(`${url}${mount}/signed`)
    expect(await page.textContent('#name')).toBe('nobody')
  },

  async redirects({ url, mount, page }) {
    // A slash is added by the application, and then it sends on to an absolute address.
    await page.goto(`${url}${mount}/old`)
    expect(page.url()).toBe(`${url}${mount}/signed`)
  },

  async form({ url, mount, page }) {
    await page.goto(`${url}${mount}/`)
    await page.fill('input', 'Zoë & Łukasz')
    await page.click('button')
    await page.waitForURL(`${url}${mount}/signed`)
    expect(await page.textContent('#name')).toBe('Zoë & Łukasz')
  },

  async session({ url, mount, page }) {
    await page.goto(`${url}${mount}/`)
    await page.fill('input', 'Ann')
    await page.click('button')
    await page.waitForURL(`${url}${mount}/signed`)
    await page.goto(`${url}${mount}/`)
    await page.click('a')
    await page.waitForSelector('#name:text("Ann")')
    await page.context().clearCookies()
    await page.reload()
    expect(await page.textContent('#name')).toBe('nobody')
  },

  async '2 MB upload'({ url, mount }) {
    const body = randomBytes(2 * 1024 * 1024)
    const response = await fetch(`${url}${mount}/upload`, { method: 'POST', body })
    expect([response.status, await response.json()]).toEqual([
      200,
      { length: body.length, sha256: createHash('sha256').update(body).digest('hex') },
    ])
  },

  async stream({ url, mount, page }) {
    await page.goto(`${url}${mount}/`)
    const before = await closedStreams(url, mount)
    // Pieces come one by one, long before the end.
    const seen = await page.evaluate(`(async () => {
      const leaving = new AbortController()
      const { body } = await fetch('${mount}/stream', { signal: leaving.signal })
      const reader = body.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (!text.includes('tick 3')) text += (await reader.read()).value
      leaving.abort()
      return text
    })()`)
    expect(seen).toMatch(/^tick 0\ntick 1\ntick 2\ntick 3\n/)
    // There are 20 in a second; a busy machine may read some seconds' at once.
    expect(seen).not.toContain('tick 300')
    await waitFor('the stream to be closed', async () => {
      return (await closedStreams(url, mount)) > before
    })
  },

  async 'client gone'({ url, mount, server }) {
    const before = await closedStreams(url, mount)
    const from = server.log().length
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${url}${mount}/stream`, resolve).on('error', reject)
    })
    await new Promise((resolve) => response.once('data', resolve))
    response.on('error', () => {})
    response.destroy()
    await waitFor('the stream to be closed', async () => {
      return (await closedStreams(url, mount)) > before
    })
    expect(server.log().slice(from)).not.toMatch(/error|aborted|traceback|exception/i)
  },

  async reload({ url, mount, project, page, server, row }) {
    const from = server.log().length
    const file = mount === '/ts' ? 'site.js' : 'shop.py'
    // Vite would load a page of the application again, also in the middle of the next visit.
    // tests/release/browser.test.ts has that.
    await page.goto('about:blank')
    project.edit(file, 'Shop one', 'Shop two')
    try {
      await waitFor('the edited application', async () => {
        const response = await fetch(`${url}${mount}/`)
        return (await response.text()).includes('<title>Shop two</title>')
      })
    } finally {
      project.edit(file, 'Shop two', 'Shop one')
    }
    let touched = Date.now()
    await waitFor('the application as it was', async () => {
      const response = await fetch(`${url}${mount}/`)
      if ((await response.text()).includes('<title>Shop one</title>')) return true
      // Vite's watcher drops a change of the same file within 50 ms, and nobody edits that fast.
      if (mount === '/ts' && Date.now() - touched > 500) {
        touched = Date.now()
        utimesSync(join(project.path, file), new Date(), new Date())
      }
      return false
    })
    // Vite then tells all pages to load again, also those of the next mount.
    if (row.uses === 'monoceros/vite' && mount === '/py')
      await waitFor('both reloads to be over', async () => {
        return server.log().slice(from).split(' reloaded').length > 2
      })
  },
}

/**
 * Goes to a page. Vite may tell pages to load again once more after the edits of another mount, and
 * a page that is loaded again on its way has no response.
 */
async function visit(page: Page, url: string): Promise<Response | null> {
  for (let tries = 3; tries > 1; tries--) {
    const response = await page.goto(url).catch((error: Error) => {
      if (/interrupted by another navigation|ERR_ABORTED/.test(error.message)) return null
      throw error
    })
    if (response !== null) return response
  }
  return await page.goto(url)
}

/** How many streams the application has closed. */
async function closedStreams(url: string, mount: string): Promise<number> {
  const response = await fetch(`${url}${mount}/closed`)
  return ((await response.json()) as { closed: number }).closed
}

describe.skipIf(chromium === null)('applications in the servers of others', () => {
  const projects = new Map<string, Promise<NodeProject>>()
  /** What the table at the end says: by row, and there by case. */
  const results = new Map<MatrixRow, Map<MatrixCase, boolean>>()
  let browser: Browser
  let closeBrowser: (() => Promise<void>) | undefined

  beforeAll(async () => {
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
  })

  afterAll(async () => {
    await closeBrowser?.()
    for (const project of projects.values()) (await project.catch(() => null))?.remove()
    console.log(tableOf(results))
  })

  describe.each(matrix.map((row) => ({ title: titleOf(row), row })))('$title', ({ row }) => {
    let project: NodeProject
    let server: RunningServer | undefined
    let context: BrowserContext
    let page: Page

    beforeAll(async () => {
      const opened = projects.get(row.project) ?? open(row)
      projects.set(row.project, opened)
      project = await opened
      server = await start(row, project)
      context = await browser.newContext()
      context.setDefaultTimeout(60_000)
      page = await context.newPage()
    }, HOOK_TIME)

    afterAll(async () => {
      await context?.close()
      await server?.stop()
    })

    const mounts = row.mounts ?? ['/py', '/ts']
    const shown = (mount: string) =>
      matrixCases.filter(
        (name) =>
          row.except?.[name] === undefined &&
          // Of the programs, only Vite loads JavaScript again; others are started again.
          (name !== 'reload' || mount !== '/ts' || row.uses === 'monoceros/vite'),
      )
    const all = mounts.flatMap((mount) => shown(mount).map((name) => ({ mount, name })))
    // Edits come last: Vite tells the pages of all mounts to load again, and takes its time.
    const edits = all.filter(({ name }) => name === 'reload')
    const others = all.filter(({ name }) => name !== 'reload')
    test.each([...others, ...edits])('at $mount: $name', async ({ mount, name }) => {
      const passed = results.get(row) ?? new Map<MatrixCase, boolean>()
      results.set(row, passed)
      // A case has passed if it has at every mount.
      const before = passed.get(name) ?? true
      passed.set(name, false)
      await context.clearCookies()
      await cases[name]({ url: server!.url, mount, page, server: server!, project, row })
      passed.set(name, before)
    })
  })
})

test('the guide has the matrix as it is tested', () => {
  const page = readFileSync(join(repository, 'docs', 'guides', 'node-servers.md'), 'utf8')
  expect(page, 'run `npm run docs`').toBe(withMatrixDrawn(page))
})

test('the guide shows the programs as they are tested', () => {
  const files = filesOnPage(blocksOf('docs/guides/node-servers.md'))
  expect(files.size).toBeGreaterThan(5)
  for (const [name, text] of files) {
    const file = join(repository, 'tests', 'node-projects', 'servers', name)
    expect(text, name).toBe(readFileSync(file, 'utf8'))
  }
})

/** The project, with the application of the matrix. */
async function open(row: MatrixRow): Promise<NodeProject> {
  const node = row.node === 'newer' ? await ensureNode(NEWER_NODE) : process.execPath
  const project = await NodeProject.open(row.project, { node })
  const shop = join(project.path, 'shop.py')
  if (!existsSync(shop)) cpSync(join(repository, 'tests/node-projects/servers/shop.py'), shop)
  return project
}

async function start(row: MatrixRow, project: NodeProject): Promise<RunningServer> {
  const [program, ...args] = row.program
  const port = await freePort()
  const isVite = /(^|\/)vite(\.js)?$/.test(program)
  const listening = /(http:\/\/127\.0\.0\.1:\d+)/
  const command = project.command(program, isVite ? [...args, '--port', String(port)] : args)
  const server = await runServer({
    ...command,
    env: { ...command.env, PORT: String(port), NO_COLOR: '1' },
    findAddresses: (log) => [listening.exec(log)?.[1] ?? ''],
    isReady: (log) => listening.test(log),
  })
  if (row.compiles) {
    const first = `${server.url}${row.mounts?.[0] ?? '/py'}/`
    await waitFor('the first compilation', async () => (await fetch(first)).ok, 120_000)
  }
  return server
}

function titleOf(row: MatrixRow): string {
  return `${row.name} ${testedVersion(row)}`.trim()
}

function tableOf(results: ReadonlyMap<MatrixRow, ReadonlyMap<MatrixCase, boolean>>): string {
  const width = Math.max(...matrix.map((row) => titleOf(row).length))
  const lines = [...results].map(([row, passed]) => {
    const cells = matrixCases.map((name) => {
      const result = passed.get(name)
      const mark = result === undefined ? '–' : result ? '✓' : 'FAILED'
      return mark.padEnd(name.length)
    })
    return `${titleOf(row).padEnd(width)}  ${cells.join('  ')}`
  })
  return [`${''.padEnd(width)}  ${matrixCases.join('  ')}`, ...lines].join('\n')
}
