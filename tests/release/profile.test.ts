import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { interruptProfile } from '../support/interrupted-profile.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { hasProgram } from '../support/system-program.ts'
import { waitFor } from '../support/wait-for.ts'

// Profiles in the programs that read them, and of the embedded Python.

const SHOP = `
import os, time

def price_of_everything():
    open("begun", "w").close()
    total = 0
    while not os.path.exists("enough"):
        for number in range(1000):
            total += number * number
    return total

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/burn":
        price_of_everything()
    return [b"done"]
`

let folder: { path: string; remove: () => void }

beforeAll(() => {
  folder = temporaryDirectory()
  writeFileSync(join(folder.path, 'shop.py'), SHOP)
})

afterAll(() => folder.remove())

/** Profiles a server whose only worker runs `/burn`, into a file. */
async function profileTo(server: RunningServer, ...args: string[]): Promise<void> {
  const pid = ['--pid', String(server.pid)]
  const options = { cwd: folder.path, timeout: 60_000 }
  const { stderr } = await runCommand(['ctl', ...pid, 'profile', ...args], options)
  expect(stderr).toBe('')
}

describe.skipIf(!hasPython())('a profile of a Python worker', () => {
  let server: RunningServer
  let burning: Promise<string>

  beforeAll(async () => {
    const args = ['--workers', '1', '--timeout', '0']
    server = await startServer({ app: 'shop:app', args, cwd: folder.path })
    burning = fetch(`${server.url}/burn`).then((answer) => answer.text())
    burning.catch(() => {})
    await waitFor('the request to begin', () => existsSync(join(folder.path, 'begun')))
  })

  afterAll(async () => {
    writeFileSync(join(folder.path, 'enough'), '')
    expect(await burning).toBe('done')
  })

  test.skipIf(!hasProgram('go', 'golang-go'))("is read by Go's pprof", async () => {
    await profileTo(server, '--seconds', '1', '-o', 'shop.pb.gz')
    const top = execFileSync('go', ['tool', 'pprof', '-top', 'shop.pb.gz'], {
      cwd: folder.path,
      encoding: 'utf8',
      env: { ...process.env, PPROF_TMPDIR: folder.path },
    })
    expect(top).toMatch(/Type: wall/)
    expect(top).toMatch(/price_of_everything/)
    const tags = execFileSync('go', ['tool', 'pprof', '-tags', 'shop.pb.gz'], {
      cwd: folder.path,
      encoding: 'utf8',
      env: { ...process.env, PPROF_TMPDIR: folder.path },
    })
    expect(tags).toContain('GET /burn')
  })

  const chromium = findChromium()
  test.skipIf(chromium === null)('is a flame graph that a browser searches and zooms', async () => {
    await profileTo(server, '--seconds', '1', '-o', 'shop.svg')
    const { browser, close } = await launchChromium(chromium!)
    try {
      const page = await browser.newPage()
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(String(error)))
      await page.goto(pathToFileURL(join(folder.path, 'shop.svg')).href)
      await page.fill('#search', 'price_of')
      expect(await page.textContent('#found')).toMatch(/^[1-9]\d* frames, \d+\.\d % of the time$/)
      expect(await page.locator('.f.hit').count()).toBeGreaterThan(0)
      const width = () => page.locator('.f.hit').first().getAttribute('width')
      await page.locator('.f.hit').first().click()
      expect(await width()).toBe('100%')
      await page.keyboard.press('Escape')
      expect(await page.locator('.f.gone').count()).toBe(0)
      expect(errors).toEqual([])
    } finally {
      await close()
    }
  })
})

test('the embedded Python is profiled too, and shows its slow requests', async () => {
  const own = temporaryDirectory()
  try {
    writeFileSync(join(own.path, 'shop.py'), SHOP)
    const args = ['--runtime', 'pyodide', '--workers', '1', '--timeout', '0', '--slow-request', '1']
    const server = await startServer({ app: 'shop:app', args, cwd: own.path })
    const burning = fetch(`${server.url}/burn`).then((answer) => answer.text())
    burning.catch(() => {})
    await server.waitForLog(/GET \/burn: has run for [\d.]+ s[\s\S]*in price_of_everything/)
    const pid = ['--pid', String(server.pid)]
    const options = { cwd: own.path, timeout: 60_000 }
    const profile = ['profile', '--seconds', '1', '--format', 'collapsed']
    const { stdout, stderr } = await runCommand(['ctl', ...pid, ...profile], options)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^GET \/burn;app \(shop\.py\);price_of_everything \(shop\.py\) \d+$/m)
    await interruptProfile(server)
    const memory = await runCommand(['ctl', ...pid, 'memory', '--seconds', '1'], options)
    expect(memory.stderr).toContain('the embedded Python cannot trace its memory')
    writeFileSync(join(own.path, 'enough'), '')
    expect(await burning).toBe('done')
  } finally {
    own.remove()
  }
})
