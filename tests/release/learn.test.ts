import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { freePort } from '../support/free-port.ts'
import { NpmRegistry } from '../support/npm-registry.ts'
import { makeWheel, PackageIndex } from '../support/package-index.ts'
import { packed } from '../support/packed.ts'
import { processesWithEnvironment } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { builtSite } from '../support/site.ts'
import { waitFor } from '../support/wait-for.ts'

// `monoceros learn` from the packed packages. packages/learn has the tests of what is refused.

const chromium = findChromium()
const folder = temporaryDirectory()
const modules = join(folder.path, 'node_modules')
const command = join(modules, 'monoceros', 'dist', 'cli', 'main.js')
const work = join(folder.path, 'work')
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
/** Of monoceros-learn. */
let tarball: string

beforeAll(async () => {
  const { monoceros } = await packed()
  const site = await builtSite()
  const script = join(repository, 'scripts', 'pack-learn.mjs')
  const args = [script, '--site', site, '--to', join(folder.path, 'packed')]
  const learn = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  tarball = learn.tarball
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

const shared = {
  findAddresses: (log: string) => /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [],
  isReady: (log: string) => /Press Ctrl\+C to stop/.test(log),
  isWorker: () => false,
}

function learn(...args: string[]): Promise<RunningServer> {
  return runServer({
    command: process.execPath,
    args: [command, 'learn', '--no-browser', '--bind', '127.0.0.1:0', ...args],
    // Settings for the user's own server are not for this one.
    env: { ...process.env, GUNICORN_CMD_ARGS: '--workers nonsense' },
    cwd: work,
    ...shared,
  })
}

test('a wrong argument is one line', () => {
  const { status, stderr } = spawnSync(process.execPath, [command, 'learn', '--bind', 'x'], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr:
      'monoceros: learn: --bind: expected HOST:PORT, such as 127.0.0.1:8642, got "x"; ' +
      'see monoceros learn --help [MONO7201]\n',
  })
})

/** What `npm run wheel -- --learn` makes, with one page. */
function wheelOfLearn() {
  const folder = join(modules, 'monoceros-learn')
  const files: Record<string, string> = {
    '__init__.py': `__version__ = "${version}"\n`,
    'package.json': '{ "type": "module" }\n',
    'site/index.html': '<h1>The site</h1>\n',
    // Folders that the configuration names.
    'site/assets/page.css': '',
    'site/playground/python/modules.json': '{}',
  }
  for (const name of readdirSync(folder))
    if (name.endsWith('.js')) files[name] = readFileSync(join(folder, name), 'utf8')
  const named = Object.entries(files).map(([name, text]) => [`monoceros_learn/${name}`, text])
  return makeWheel({ name: 'monoceros_learn', version, files: Object.fromEntries(named) })
}

describe('without the package', () => {
  // Not below the folder of the others, where Node.js would find the package.
  const elsewhere = temporaryDirectory()
  const program = join(elsewhere.path, 'monoceros', 'dist', 'cli', 'main.js')
  let registry: NpmRegistry
  let index: PackageIndex
  let home: string
  let homes = 0

  beforeAll(async () => {
    execFileSync('cp', ['-r', join(modules, 'monoceros'), elsewhere.path])
    registry = await NpmRegistry.start()
    const bin = { 'monoceros-learn': 'where.js' }
    registry.add({ name: 'monoceros-learn', version, tarball, bin })
    index = await PackageIndex.start()
    index.add(wheelOfLearn())
  })
  afterAll(async () => {
    await registry.stop()
    await index.stop()
    elsewhere.remove()
  })
  beforeEach(() => {
    registry.hold = () => undefined
    registry.requests.length = 0
    home = join(elsewhere.path, `home-${++homes}`)
    mkdirSync(home)
  })

  /** Somebody who has never used npm, with a registry of their own. */
  const npmEnvironment = (more: NodeJS.ProcessEnv = {}) => ({
    ...{ PATH: process.env.PATH, HOME: home },
    ...{ npm_config_registry: registry.url, npm_config_fetch_retries: '0' },
    ...more,
  })
  const learnArguments = [program, 'learn', '--no-browser', '--bind', '127.0.0.1:0']

  function start(env: NodeJS.ProcessEnv, ...more: string[]): Promise<RunningServer> {
    const args = [...learnArguments, ...more]
    return runServer({ command: process.execPath, args, env, cwd: home, ...shared })
  }

  const toEnd = async (env: NodeJS.ProcessEnv, ...more: string[]) => {
    const args = [...learnArguments, ...more]
    return await runToEnd(process.execPath, args, { env, cwd: home, timeout: 90_000 })
  }

  test('npm downloads it, says so in one line, and the next time it is there', async () => {
    const server = await start(npmEnvironment())
    const line =
      /^monoceros: note: downloading (\S+) \((\d+) MB\) with npm, which is kept in npm's cache\n$/
    const [, what, size] = line.exec(server.stderr()) ?? [server.stderr()]
    expect(what).toBe(`monoceros-learn@${version}`)
    expect(Math.abs(Number(size) - statSync(tarball).size / 1e6), 'DOWNLOAD_MB').toBeLessThan(1.5)
    expect(await (await fetch(`${server.url}/guides/tls.html`)).text()).toContain('<h1')
    await server.stop()
    expect(readdirSync(home)).toEqual(['.npm'])

    // Without a network, whatever npx has told this process about its own run.
    const asked = registry.requests.length
    const again = await start(
      npmEnvironment({ npm_config_call: 'monoceros learn', npm_config_package: 'monoceros' }),
      '--no-install',
    )
    expect(again.stderr()).toBe('')
    expect((await fetch(again.url)).status).toBe(200)
    expect(registry.requests).toHaveLength(asked)
  })

  test('--no-install downloads nothing: one line says how to get it', async () => {
    const { code, stderr } = await toEnd(npmEnvironment(), '--no-install')
    expect(stderr).toBe(
      'monoceros: learn needs the package monoceros-learn, and --no-install is given: ' +
        `npm install monoceros-learn@${version} [MONO1014]\n`,
    )
    expect(code).toBe(2)
    expect(registry.requests).toEqual([])
  })

  test('without npm, one line says how to get it', async () => {
    // A Node.js that has no npm beside it.
    const alone = join(home, 'alone')
    mkdirSync(alone)
    copyFileSync(process.execPath, join(alone, 'node'))
    const { code, stderr } = await runToEnd(join(alone, 'node'), learnArguments, {
      env: { PATH: alone, HOME: home },
      cwd: home,
      timeout: 90_000,
    })
    expect(stderr).toMatch(/^monoceros: learn needs .* and there is no npm .*\[MONO1014\]\n$/)
    expect(code).toBe(2)
  })

  test('a registry that cannot be reached, or does not have it, is one line', async () => {
    const unreachable = `http://127.0.0.1:${await freePort()}/`
    const offline = await toEnd(npmEnvironment({ npm_config_registry: unreachable }))
    expect(offline.stderr).toMatch(
      new RegExp(
        'downloading .*\\n' +
          'monoceros: learn: npm could not download monoceros-learn: .*ECONNREFUSED.*\\. Try ' +
          'again with a network, or install it: npm install ' +
          `monoceros-learn@${version} \\[MONO1015\\]\\n$`,
      ),
    )
    expect(offline.code).toBe(1)
    const elsewhere = await toEnd(npmEnvironment({ npm_config_registry: `${registry.url}none/` }))
    expect(elsewhere.stderr).toMatch(
      /npm could not download monoceros-learn: .*Not [Ff]ound.*MONO1015/,
    )
    expect(elsewhere.code).toBe(1)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s during the download ends npm, too', async (signal, status) => {
    let release = () => {}
    registry.hold = () => new Promise((resolve) => (release = resolve))
    const marker = { MONOCEROS_TEST_DOWNLOAD: randomUUID() }
    const child = spawn(process.execPath, learnArguments, {
      env: npmEnvironment(marker),
      cwd: home,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const exited = once(child, 'close')
    try {
      // npm looks into its cache first.
      const asksForFile = () => registry.requests.some((path) => path.endsWith('.tgz'))
      await waitFor('the download', asksForFile, 60_000)
      const [[name = '', id = '']] = Object.entries(marker) as [[string, string]]
      expect(processesWithEnvironment(name, id).length).toBeGreaterThan(1)
      child.kill(signal)
      expect(await exited).toEqual([status, null])
      expect(stderr).toMatch(/^monoceros: note: downloading .*\n$/)
      await waitFor('no process', () => processesWithEnvironment(name, id).length === 0)
      // What was cut off is not taken for the package.
      const { stderr: after } = await toEnd(npmEnvironment(), '--no-install')
      expect(after).toContain('[MONO1014]')
    } finally {
      release()
      child.kill('SIGKILL')
    }
  })

  describe.skipIf(!hasPython())('for the Python package', () => {
    /** As `python/monoceros/command.py` starts the server. */
    const pipEnvironment = (more: NodeJS.ProcessEnv = {}) => ({
      ...{ PATH: process.env.PATH, HOME: home, PIP_INDEX_URL: index.url, PIP_RETRIES: '0' },
      // What a user may have set for their own environments.
      ...{ PIP_USER: '1', PIP_REQUIRE_VIRTUALENV: '1' },
      MONOCEROS_PYTHON_COMMAND: JSON.stringify({ executable: testPython().executable }),
      ...more,
    })

    test('pip downloads it into the cache, and the next time it is there', async () => {
      const server = await start(pipEnvironment())
      const kept = join(home, '.cache', 'monoceros', 'learn')
      expect(server.stderr()).toMatch(
        new RegExp(
          `^monoceros: note: downloading monoceros-learn==${version} \\(\\d+ MB\\) with pip, ` +
            `which is kept in ${join(kept, version)}\\n$`,
        ),
      )
      expect(await (await fetch(server.url)).text()).toContain('The site')
      await server.stop()
      expect(readdirSync(kept)).toEqual([version])

      const asked = index.requests.length
      const again = await start(pipEnvironment({ PIP_NO_INDEX: '1' }), '--no-install')
      expect(again.stderr()).toBe('')
      expect((await fetch(again.url)).status).toBe(200)
      expect(index.requests).toHaveLength(asked)
    })

    test('an index that cannot be reached is one line', async () => {
      const unreachable = `http://127.0.0.1:${await freePort()}/simple`
      const { code, stderr } = await toEnd(pipEnvironment({ PIP_INDEX_URL: unreachable }))
      const [, line = '', ...more] = stderr.trimEnd().split('\n')
      expect(line).toMatch(
        /^monoceros: learn: pip could not download monoceros-learn: .*\. Try again with a network, /,
      )
      expect(line).toMatch(/ -m pip install monoceros-learn==\S+ \[MONO1015\]$/)
      expect(more).toEqual([])
      expect(code).toBe(1)
      // Nothing is left that is incomplete.
      expect(readdirSync(join(home, '.cache', 'monoceros', 'learn'))).toEqual([])
    })

    test('--no-install says how to install it with that pip', async () => {
      const { code, stderr } = await toEnd(pipEnvironment(), '--no-install')
      expect(stderr).toBe(
        'monoceros: learn needs the package monoceros-learn, and --no-install is given: ' +
          `${testPython().executable} -m pip install monoceros-learn==${version} [MONO1014]\n`,
      )
      expect(code).toBe(2)
    })
  })

  test('one of another version is not used', async () => {
    const other = join(home, 'node_modules', 'monoceros-learn')
    mkdirSync(other, { recursive: true })
    writeFileSync(
      join(other, 'package.json'),
      JSON.stringify({ name: 'monoceros-learn', version: '0.0.1' }),
    )
    const { code, stderr } = await toEnd(npmEnvironment(), '--no-install')
    expect(stderr).toMatch(/learn needs monoceros-learn \S+, and 0\.0\.1 is installed, and --no-/)
    expect(code).toBe(2)
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
