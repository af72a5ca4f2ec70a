import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { packed } from '../support/packed.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { builtSite } from '../support/site.ts'
import { waitFor } from '../support/wait-for.ts'

// `monoceros learn` from the packed packages. packages/learn has the tests of what is refused.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

const chromium = findChromium()
const folder = temporaryDirectory()
const modules = join(folder.path, 'node_modules')
const command = join(modules, 'monoceros', 'dist', 'cli', 'main.js')
const work = join(folder.path, 'work')

beforeAll(async () => {
  const { monoceros } = await packed()
  const site = await builtSite()
  const script = join(repository, 'scripts', 'pack-learn.mjs')
  const args = [script, '--site', site, '--to', join(folder.path, 'packed')]
  const learn = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  for (const { name, tarball } of [monoceros, learn]) {
    mkdirSync(join(modules, name), { recursive: true })
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, name)])
  }
  symlinkSync(join(repository, 'node_modules', 'jiti'), join(modules, 'jiti'))
  mkdirSync(work)
  console.log(`monoceros-learn: ${learn.size} bytes packed, ${learn.unpackedSize} on a disk`)
  expect(learn.size).toBeLessThan(20_000_000)
  expect(learn.unpackedSize).toBeLessThan(80_000_000)
})

afterAll(() => folder.remove())

function learn(...args: string[]): Promise<RunningServer> {
  return runServer({
    command: process.execPath,
    args: [command, 'learn', '--no-browser', '--bind', '127.0.0.1:0', ...args],
    // Settings for the user's own server are not for this one.
    env: { ...process.env, GUNICORN_CMD_ARGS: '--workers nonsense' },
    cwd: work,
    findAddresses: (log) => /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [],
    isReady: (log) => /Press Ctrl\+C to stop/.test(log),
    isWorker: () => false,
  })
}

test('the package is missing: one line says how to get it', () => {
  // Not below the folder of the others, where Node.js would find the package.
  const elsewhere = temporaryDirectory()
  onTestFinished(() => elsewhere.remove())
  execFileSync('cp', ['-r', join(modules, 'monoceros'), elsewhere.path])
  const program = join(elsewhere.path, 'monoceros', 'dist', 'cli', 'main.js')
  const { status, stderr } = spawnSync(process.execPath, [program, 'learn'], {
    cwd: elsewhere.path,
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect(stderr).toMatch(
    /learn needs the package monoceros-learn: npm install monoceros-learn.*\[MONO1014\]/,
  )
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(status).toBe(2)
})

test('a wrong argument is one line', () => {
  const { status, stderr } = spawnSync(process.execPath, [command, 'learn', '--bind', 'x'], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr:
      'monoceros learn: --bind: expected HOST:PORT, such as 127.0.0.1:8642, got "x" [MONO7201]\n',
  })
})

describe.skipIf(chromium === null)('in a browser', () => {
  let browser: Browser
  let close: () => Promise<void>

  beforeAll(async () => {
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    close = launched.close
  })
  afterAll(async () => await close?.())

  test('what is written in the page is saved, and the command serves it', async () => {
    const server = await learn()
    const address = /http:\S+#key=\S+/.exec(server.log())?.[0] ?? ''
    const page = await (await browser.newContext()).newPage()
    await page.goto(address.replace('/#', '/guides/tutorial.html#'))
    const step = page.locator('#mp-1')
    await step.getByRole('button', { name: 'Save' }).click()
    await waitFor('the note', async () =>
      (await step.locator('.mp-status').innerText()).includes('Saved in'),
    )
    // The address that may be shown to others has no key any more.
    expect(page.url()).not.toContain('key=')
    const project = join(work, 'wsgi-step-1')
    expect(await step.locator('.mp-status').innerText()).toBe(
      `Saved in ${project}. Run it there: cd wsgi-step-1 && monoceros hello:app`,
    )
    const written = readFileSync(join(project, 'hello.py'), 'utf8')
    const original = join(repository, 'examples', 'tutorial', 'hello.py')
    expect(written).toBe(readFileSync(original, 'utf8'))
    // Again: another folder, and the first one as it was.
    writeFileSync(join(project, 'hello.py'), 'mine')
    await step.getByRole('button', { name: 'Save' }).click()
    await waitFor('the second folder', () => existsSync(join(work, 'wsgi-step-1-2', 'hello.py')))
    expect(readFileSync(join(project, 'hello.py'), 'utf8')).toBe('mine')

    const served = await runServer({
      command: process.execPath,
      args: [command, '-b', '127.0.0.1:0', 'hello:app'],
      env: process.env,
      cwd: join(work, 'wsgi-step-1-2'),
      findAddresses: (log) => /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [],
      isReady: (log) => /Listening at/.test(log),
      isWorker: () => false,
    })
    expect(await (await fetch(`${served.url}/Ada`)).text()).toBe('Hello, Ada!\n')
  })

  test('another page of the browser cannot save', async () => {
    const server = await learn()
    const other = await learn()
    const key = /#key=(\S+)/.exec(server.log())?.[1] ?? ''
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${other.url}/`)
    const outcome = await page.evaluate(
      `fetch(${JSON.stringify(`${server.url}/learn/api/save`)}, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Monoceros-Key': ${JSON.stringify(key)} },
        body: '{"name":"evil","files":{"x":""}}',
      }).then(() => 'answered', () => 'refused')`,
    )
    expect(outcome).toBe('refused')
    expect(existsSync(join(work, 'evil'))).toBe(false)
  })
})
