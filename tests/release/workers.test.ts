import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'vite'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { repository } from '../support/build.ts'
import { NodeProject } from '../support/node-project.ts'
import { filesOnPage, pageBlocks } from '../support/page-blocks.ts'

// monoceros/fetch in workerd, the runtime of Cloudflare Workers, without its compatibility with
// Node.js. docs/guides/bun-deno-workers.md says what is shown here.

interface Worker {
  ready: Promise<URL>
  dispatchFetch(url: string, init?: RequestInit): Promise<Response>
  dispose(): Promise<void>
}

type Fetch = (path: string, init?: RequestInit) => Promise<Response>

/** What the page has in its configuration. */
const COMPATIBILITY_DATE = '2026-04-01'

let project: NodeProject
let miniflare: { Miniflare: new (options: object) => Worker }

beforeAll(async () => {
  project = await NodeProject.open('runtimes', { python: false })
  const entry = join(project.path, 'node_modules/miniflare/dist/src/index.js')
  miniflare = await import(pathToFileURL(entry).href)
}, 300_000)

describe('every middleware of monoceros/fetch', () => {
  let bundle = ''

  beforeAll(async () => {
    bundle = await bundled(
      'middlewares',
      readFileSync(join(project.path, 'middlewares.ts'), 'utf8'),
    )
  })

  test('in workerd', async () => {
    await showsAll(inWorkerd(bundle))
  })

  test('in Node.js, with the same result', async () => {
    const { default: worker } = await import(pathToFileURL(bundle).href)
    await showsAll((path, init) => worker.fetch(new Request(`http://worker.example${path}`, init)))
  })

  test('the bundle has nothing of Node.js', () => {
    const code = readFileSync(bundle, 'utf8')
    expect(code.match(/["']node:|\brequire\(|\bsetImmediate\(/)).toBeNull()
    // Formats of access logs that the middleware does not offer, in a file that it shares with the
    // server: the process's number, and JSON.
    const globals = code.match(/\b(Buffer|process)\.[a-z]+/g) ?? []
    expect(globals.filter((use) => use !== 'process.pid' && use !== 'Buffer.from')).toEqual([])
  })
})

test('the Worker of the page runs as it is written there', async () => {
  const page = readFileSync(join(repository, 'docs/guides/bun-deno-workers.md'), 'utf8')
  const text = filesOnPage(pageBlocks(page)).get('worker.ts')!
  expect(page).toContain(`"compatibility_date": "${COMPATIBILITY_DATE}"`)
  const fetch = inWorkerd(await bundled('page', text))
  const response = await fetch('/a/b')
  expect([response.status, await response.text()]).toEqual([200, 'Hello from /a/b\n'])
  expect(response.headers.get('X-Request-ID')).toMatch(/^[0-9a-f-]{36}$/)
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*')
})

/** Expects what the Worker with all middlewares answers. */
async function showsAll(fetch: Fetch): Promise<void> {
  const text = async (path: string, init?: RequestInit) => await (await fetch(path, init)).text()
  const shop = { Origin: 'https://shop.example' }

  expect(await text('/body-limit', { method: 'POST', body: '0123456789' })).toBe('10')
  expect((await fetch('/body-limit', { method: 'POST', body: '0123456789a' })).status).toBe(413)

  const composed = await fetch('/compose/x', { headers: shop })
  expect(composed.headers.get('X-Request-ID')).toBe('made')
  expect(composed.headers.get('Access-Control-Allow-Origin')).toBe('https://shop.example')
  expect(await composed.text()).toBe('/compose|/x')

  const preflight = await fetch('/cors', {
    method: 'OPTIONS',
    headers: { ...shop, 'Access-Control-Request-Method': 'PUT' },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('Access-Control-Allow-Methods')).toContain('PUT')
  const other = await fetch('/cors', { headers: { Origin: 'https://other.example' } })
  expect(other.headers.get('Access-Control-Allow-Origin')).toBeNull()
  await other.text()

  expect(await text('/dispatcher/inner/a%20b')).toBe('/dispatcher/inner|/a b')
  expect(await text('/dispatcher/else')).toBe('/dispatcher|/else')

  await text('/logger/seen?q', { headers: { 'CF-Connecting-IP': '192.0.2.7' } })
  expect(await text('/lines')).toMatch(
    /^192\.0\.2\.7 - - \[[^\]]+\] "GET \/logger\/seen\?q HTTP\/1\.1" 200 13$/m,
  )

  expect(await text('/methods')).toBe('got')
  expect(await text('/methods', { method: 'POST', body: 'four' })).toBe('4')
  const refused = await fetch('/methods', { method: 'DELETE' })
  expect([refused.status, refused.headers.get('Allow')]).toEqual([405, expect.any(String)])
  await refused.text()

  const profiled = await fetch('/profiler/')
  expect(profiled.headers.get('Server-Timing')).toMatch(/dur=/)
  await profiled.text()

  const forwarded = {
    'X-Forwarded-For': '192.0.2.1',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'www.example',
  }
  expect(await text('/proxy-fix', { headers: forwarded })).toBe('https www.example 192.0.2.1')

  const identified = await fetch('/request-id')
  expect(await identified.text()).toBe(identified.headers.get('X-Request-ID'))

  expect((await fetch('/timeout')).status).toBe(504)

  expect((await text('/stream')).split('\n')).toHaveLength(101)
  const large = new Uint8Array(2_000_000).fill(97)
  expect((await text('/fetch', { method: 'POST', body: large })).length).toBe(2_000_000)
}

/** Bundles a Worker as tools for Workers do, and returns the file. */
async function bundled(name: string, source: string): Promise<string> {
  const folder = join(project.path, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'worker.ts'), source)
  await build({
    root: folder,
    configFile: false,
    logLevel: 'warn',
    ssr: { target: 'webworker', noExternal: true },
    build: { ssr: join(folder, 'worker.ts'), outDir: 'out', minify: true },
  })
  return join(folder, 'out', 'worker.js')
}

/** Runs a bundle in workerd until the end of the test. */
function inWorkerd(path: string): Fetch {
  const worker = new miniflare.Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: readFileSync(path, 'utf8') }],
    compatibilityDate: COMPATIBILITY_DATE,
    telemetry: { enabled: false },
  })
  onTestFinished(() => worker.dispose())
  return (url, init) => worker.dispatchFetch(`http://worker.example${url}`, init)
}
