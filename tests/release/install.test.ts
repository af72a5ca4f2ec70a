import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandPath } from '../support/build.ts'
import { copySnapshots } from '../support/interpreter-cache.ts'
import { makeSource, makeWheel, PackageIndex } from '../support/package-index.ts'
import { startServer } from '../support/server.ts'
import { testCertificate } from '../support/test-certificate.ts'
import { waitFor } from '../support/wait-for.ts'

// Each run starts an embedded Python with pip in it: some seconds of processor time.
const PATIENCE = 300_000
const root = mkdtempSync(join(tmpdir(), 'monoceros-install-'))
const cache = join(root, 'cache')
const children = new Set<ChildProcess>()
let index: PackageIndex

interface Run {
  code: number | null
  out: string
  err: string
}

/** One of V8's, which must not be passed on to a thread as it is. */
const nodeOptions = ['--stack-size=900']

/** Node and nothing else on PATH. */
const path = join(root, 'bin')

function start(
  cwd: string,
  args: string[],
  env: Record<string, string>,
): { child: ChildProcess; ended: Promise<Run> } {
  const child = spawn(process.execPath, [...nodeOptions, commandPath, 'install', ...args], {
    cwd,
    env: { HOME: join(root, 'home'), XDG_CACHE_HOME: cache, PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  const run: Run = { code: null, out: '', err: '' }
  child.stdout?.on('data', (text) => {
    run.out += text
  })
  child.stderr?.on('data', (text) => {
    run.err += text
  })
  const ended = new Promise<Run>((resolve) => {
    child.on('close', (code) => {
      children.delete(child)
      resolve({ ...run, code })
    })
  })
  return { child, ended }
}

/** Runs `monoceros install` with the test's index. */
async function install(
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Run> {
  const run = await start(cwd, args, { PIP_INDEX_URL: index.url, ...env }).ended
  // Nobody is ever to see JavaScript.
  expect(run.err).not.toMatch(/\n\s+at |node:internal|wasm-function/)
  return run
}

function folder(name: string): string {
  const made = join(root, name)
  mkdirSync(made)
  return made
}

function versionOf(cwd: string, name: string): string | undefined {
  const file = join(cwd, 'python_modules', name, '__init__.py')
  return existsSync(file) ? /version = "(.*)"/.exec(readFileSync(file, 'utf8'))?.[1] : undefined
}

function leftovers(cwd: string): string[] {
  return readdirSync(cwd).filter((name) => name.startsWith('.'))
}

/**
 * The registry that pip is set up for on this machine; pip itself comes from there, too, and stays
 * in the cache.
 */
function registry(): Record<string, string> {
  const settings = Object.entries(process.env).filter(
    ([name]) =>
      name.startsWith('PIP_') ||
      /^(https?_proxy|no_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i.test(name),
  ) as [string, string][]
  const { HOME } = process.env
  return { ...Object.fromEntries(settings), ...(HOME === undefined ? {} : { HOME }) }
}

/** It is seen without pip, which this could not get, and without an index. */
async function expectNothingToDo(cwd: string): Promise<void> {
  const asked = index.requests.length
  const run = await start(cwd, [], {
    PIP_INDEX_URL: 'http://127.0.0.1:9/',
    MONOCEROS_CACHE: '/nowhere',
  }).ended
  expect(run).toEqual({
    code: 0,
    out: 'Nothing to do: python_modules matches pylock.monoceros.toml\n',
    err: '',
  })
  expect(index.requests).toHaveLength(asked)
}

/**
 * Interrupts an installation while it fetches a file, then kills another one there: neither changes
 * anything.
 */
async function interruptAndKill(cwd: string, args: string[], file: string): Promise<void> {
  const lock = readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')
  const modules = readdirSync(join(cwd, 'python_modules'), { recursive: true }).toSorted()
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    let asked = false
    let release = () => {}
    index.hold = (filename) => {
      if (!filename.startsWith(file)) return undefined
      asked = true
      return new Promise<void>((resolve) => {
        release = resolve
      })
    }
    const { child, ended } = start(cwd, args, { PIP_INDEX_URL: index.url, PIP_NO_CACHE_DIR: '1' })
    await waitFor('the file to be asked for', () => asked, PATIENCE)
    // Another one at the same time is refused.
    if (signal === 'SIGINT') {
      const second = await install(cwd, args)
      expect(second).toMatchObject({ code: 1 })
      expect(second.err).toContain(
        `another installation is in progress in ${join(cwd, 'python_modules')} (process ` +
          `${child.pid})`,
      )
    }
    child.kill(signal)
    const run = await ended
    release()
    index.hold = () => undefined
    if (signal === 'SIGINT') {
      expect(run).toMatchObject({
        code: 130,
        err: expect.stringContaining('interrupted; python_modules is unchanged [MONO7108]'),
      })
      expect(leftovers(cwd)).toEqual([])
    }
    expect(readdirSync(join(cwd, 'python_modules'), { recursive: true }).toSorted()).toEqual(
      modules,
    )
    expect(readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')).toBe(lock)
  }
  expect(leftovers(cwd)).not.toEqual([])
}

beforeAll(async () => {
  for (const name of ['bin', 'home', 'first']) mkdirSync(join(root, name))
  copySnapshots(join(cache, 'monoceros'))
  index = await PackageIndex.start()
  const first = await start(join(root, 'first'), ['six'], registry()).ended
  expect(first).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Installed 1 package in python_modules .*six \d/),
  })
}, PATIENCE)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await index?.stop()
  rmSync(root, { recursive: true, force: true })
})

test(
  'packages are added, upgraded cleanly, and installed again exactly from the lock file',
  async () => {
    const cwd = folder('upgrade')
    index.add(
      makeWheel({ name: 'upbase', version: '1.0', files: { 'upbase/old.py': '' } }),
      makeWheel({ name: 'uptop', version: '1.0', requires: ['upbase>=1'] }),
    )
    const first = await install(cwd, ['uptop'])
    expect(first).toMatchObject({
      code: 0,
      err: expect.stringContaining('uptop-1.0-py3-none-any.whl'),
    })
    expect(first.out).toMatch(/^Installed 2 packages in python_modules .*: upbase 1.0, uptop 1.0\n/)

    const again = await install(cwd, ['uptop'])
    expect(again).toMatchObject({
      code: 0,
      out: 'Nothing to do: the requirements are already satisfied in python_modules\n',
    })

    // Now it is known, and seen without pip and without an index.
    const known = await start(cwd, ['uptop'], {
      PIP_INDEX_URL: 'http://127.0.0.1:9/',
      MONOCEROS_CACHE: '/nowhere',
    }).ended
    expect(known).toEqual({ code: 0, out: again.out, err: '' })

    const newer = makeWheel({ name: 'upbase', version: '2.0', files: { 'upbase/new.py': '' } })
    index.add(newer, makeWheel({ name: 'other', version: '3' }))
    await interruptAndKill(cwd, ['-U', 'upbase'], 'upbase-2')
    expect(versionOf(cwd, 'upbase')).toBe('1.0')

    const upgraded = await install(cwd, ['-U', 'upbase', 'other'])
    expect(upgraded).toMatchObject({
      code: 0,
      out: expect.stringMatching(/: (other 3, )?upbase 2\.0 \(was 1\.0\)(, other 3)?\n/),
    })
    // What the older version had is gone; what was not asked for is as it was; and so are the
    // leftovers of the one that was killed.
    expect(leftovers(cwd)).toEqual([])
    expect(readdirSync(join(cwd, 'python_modules', 'upbase'))).toEqual(
      expect.not.arrayContaining(['old.py']),
    )
    expect([versionOf(cwd, 'upbase'), versionOf(cwd, 'uptop'), versionOf(cwd, 'other')]).toEqual([
      '2.0',
      '1.0',
      '3',
    ])
    const infos = readdirSync(join(cwd, 'python_modules')).filter((name) =>
      name.startsWith('upbase-'),
    )
    expect(infos).toEqual(['upbase-2.0.dist-info'])
    const lock = readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')
    expect(lock).toContain(newer.sha256)
    expect(lock.match(/\[\[packages\]\]/g)).toHaveLength(3)

    // A newer one in the index makes no difference to what is locked, and what is not locked goes.
    index.add(makeWheel({ name: 'upbase', version: '2.1' }))
    await expectNothingToDo(cwd)
    writeFileSync(join(cwd, 'python_modules', 'stray.py'), '')
    expect((await install(cwd, [])).out).toMatch(/^Installed 3 packages in python_modules /)
    expect(versionOf(cwd, 'upbase')).toBe('2.0')
    expect(existsSync(join(cwd, 'python_modules', 'stray.py'))).toBe(false)
    expect(readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')).toBe(lock)
    await expectNothingToDo(cwd)

    // The file is another one now, under the same name.
    index.add(makeWheel({ name: 'upbase', version: '2.0', files: { 'upbase/evil.py': '' } }))
    const changed = await install(cwd, ['--no-cache-dir', '--force-reinstall'], {
      PIP_NO_CACHE_DIR: '1',
    })
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.err).toMatch(
      /upbase.*hash sha256:[0-9a-f]{64}, but sha256:[0-9a-f]{64} is required/,
    )
    expect(existsSync(join(cwd, 'python_modules', 'upbase', 'evil.py'))).toBe(false)
    expect(versionOf(cwd, 'upbase')).toBe('2.0')
    expect(leftovers(cwd)).toEqual([])
  },
  PATIENCE * 2,
)

test(
  'what has no wheel that fits is named, with what there is and what to do',
  async () => {
    const cwd = folder('nofit')
    index.add(
      makeSource('sdonly', '1.2'),
      makeWheel({ name: 'compiled', version: '2.0', tag: 'cp314-cp314-manylinux_2_17_x86_64' }),
      makeWheel({ name: 'compiled', version: '2.0', tag: 'cp314-cp314-win_amd64' }),
      makeWheel({ name: 'needs_it', version: '1.0', requires: ['compiled'] }),
      makeWheel({ name: 'tooold', version: '1.0', requiresPython: '<3.9' }),
    )
    const run = async (...args: string[]) => {
      const { code, out, err } = await install(cwd, args)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      return err.split('\n').find((line) => line.startsWith('monoceros install: '))
    }
    expect(await run('sdonly')).toMatch(/sdonly 1\.2 is available only as source.*Build a wheel/)
    expect(await run('needs_it')).toMatch(
      /compiled \(which needs_it needs\): compiled 2\.0 has wheels for Linux and Windows, but none in pure Python or for WebAssembly.*--runtime cpython/,
    )
    expect(await run('tooold')).toMatch(/tooold: it needs Python <3\.9; the embedded one is 3\.14/)
    expect(await run('nowhere-to-be-found')).toMatch(
      /no package of that name in http:\/\/127\.0\.0\.1/,
    )
    expect(await run('compiled>=9')).toMatch(
      /compiled>=9: there is no such version. Available: 2\.0|has wheels for/,
    )
    expect(readdirSync(cwd)).toEqual([])
  },
  PATIENCE * 2,
)

test(
  'a conflict, an unreachable index and a bad requirement are told in a few lines',
  async () => {
    const cwd = folder('trouble')
    index.add(
      makeWheel({ name: 'shared', version: '1.0' }),
      makeWheel({ name: 'shared', version: '2.0' }),
      makeWheel({ name: 'left', version: '1.0', requires: ['shared==1.0'] }),
      makeWheel({ name: 'right', version: '1.0', requires: ['shared==2.0'] }),
    )
    const conflict = await install(cwd, ['left', 'right'])
    expect(conflict.code).toBe(1)
    expect(conflict.err).toContain(
      'monoceros install: the requirements conflict with each other [MONO7103]:\n  left 1.0 ' +
        'depends on shared==1.0\n  right 1.0 depends on shared==2.0\n',
    )
    const closed = await PackageIndex.start()
    await closed.stop()
    const unreachable = await install(cwd, ['left', '--retries', '0'], {
      PIP_INDEX_URL: closed.url,
    })
    expect(unreachable.code).toBe(1)
    expect(unreachable.err).toMatch(
      /not every source could be reached \[MONO7103\]:\n {2}http:.*connection refused\nThe index/,
    )
    const invalid = await install(cwd, ['not a requirement!'])
    expect(invalid).toMatchObject({
      code: 1,
      err: expect.stringContaining("Invalid requirement: 'not a requirement!'"),
    })
    const missing = await install(cwd, ['-r', 'missing.txt'])
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('missing.txt') })
    expect(readdirSync(cwd)).toEqual([])
  },
  PATIENCE * 2,
)

test(
  'requirements files, pip.conf and wrong hashes are as with pip',
  async () => {
    const cwd = folder('hashes')
    const wheel = makeWheel({ name: 'hashed', version: '1.0' })
    index.add(wheel)
    const config = join(cwd, 'pip.conf')
    writeFileSync(config, `[global]\nindex-url = ${index.url}\n`)
    const env = { PIP_INDEX_URL: '', PIP_CONFIG_FILE: config }
    writeFileSync(join(cwd, 'requirements.txt'), `hashed==1.0 --hash=sha256:${'0'.repeat(64)}\n`)
    const run = (args: string[]) => {
      const { PIP_INDEX_URL: _, ...rest } = env
      return start(cwd, args, rest).ended
    }
    const wrong = await run(['-r', 'requirements.txt'])
    expect(wrong.code).toBe(1)
    expect(wrong.err).toContain(`the downloaded file has the hash sha256:${wheel.sha256}`)
    writeFileSync(join(cwd, 'requirements.txt'), `hashed==1.0 --hash=sha256:${wheel.sha256}\n`)
    expect(await run(['-r', 'requirements.txt'])).toMatchObject({ code: 0 })
    expect(versionOf(cwd, 'hashed')).toBe('1.0')
  },
  PATIENCE * 2,
)

test(
  'an index behind a proxy is reached, and its certificate is checked against --cert',
  async () => {
    const cwd = folder('secure')
    const secure = await PackageIndex.start(true)
    secure.add(makeWheel({ name: 'safe', version: '1.0' }))
    const tunnels: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, client) => {
      tunnels.push(request.url ?? '')
      const server = connect(secure.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        client.pipe(server).pipe(client)
      })
      for (const socket of [client, server]) socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      const env = {
        PIP_INDEX_URL: secure.url,
        HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      }
      const stranger = await install(cwd, ['safe', '--retries', '0'], env)
      expect(stranger.code).toBe(1)
      expect(stranger.err).toMatch(
        /not every source could be reached \[MONO7103\]:\n.*index\.test.*self-signed certificate/,
      )
      const cert = join(cwd, 'cert.pem')
      writeFileSync(cert, testCertificate.cert)
      // Where an address needs a name and a password, they stay out of the lock file.
      const withPassword = { ...env, PIP_INDEX_URL: secure.url.replace('//', '//user:secret@') }
      expect(await install(cwd, ['safe', '--cert', cert], withPassword)).toMatchObject({ code: 0 })
      expect(new Set(tunnels)).toEqual(new Set([`index.test:${secure.port}`]))
      expect(readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')).not.toContain('secret')
    } finally {
      proxy.close()
      proxy.closeAllConnections()
      await secure.stop()
    }
  },
  PATIENCE * 2,
)

test(
  'pip itself comes from where pip.conf says, and only with the hash that is expected',
  async () => {
    const cwd = folder('bootstrap')
    const wheels = folder('wheels')
    const config = join(cwd, 'pip.conf')
    const pip = readdirSync(join(cache, 'monoceros')).find((name) =>
      name.endsWith('.whl'),
    ) as string
    writeFileSync(config, `[global]\nno-index = yes\n[install]\nfind-links = ${wheels}\n`)
    const env = { PIP_CONFIG_FILE: config, XDG_CACHE_HOME: join(cwd, 'cache') }
    const run = () => start(cwd, ['local'], env).ended
    const nowhere = await run()
    expect(nowhere.code).toBe(1)
    expect(nowhere.err).toContain(
      `cannot get ${pip}, which installs the packages [MONO7103]. It was looked for in:\n` +
        `  ${wheels}\n`,
    )
    writeFileSync(join(wheels, pip), 'not it')
    expect((await run()).err).toContain(
      `${wheels}: has a file of that name with another hash, which was not used`,
    )
    copyFileSync(join(cache, 'monoceros', pip), join(wheels, pip))
    const local = makeWheel({ name: 'local', version: '1.0' })
    writeFileSync(join(wheels, local.filename), local.content)
    expect(await run()).toMatchObject({ code: 0 })
    expect(versionOf(cwd, 'local')).toBe('1.0')
    expect(readdirSync(join(cwd, 'cache', 'monoceros'))).toContain(pip)
  },
  PATIENCE * 2,
)

test(
  'a lock file that is damaged is not overwritten',
  async () => {
    const cwd = folder('damaged')
    const lock = join(cwd, 'pylock.monoceros.toml')
    writeFileSync(lock, '<<<<<<< mine\n')
    index.add(makeWheel({ name: 'fine', version: '1.0' }))
    const run = await install(cwd, ['fine'])
    expect(run).toMatchObject({
      code: 1,
      err: expect.stringContaining(`the lock file ${lock} cannot be used: it is not TOML`),
    })
    expect(readdirSync(cwd)).toEqual(['pylock.monoceros.toml'])
  },
  PATIENCE,
)

test(
  'a compiled package with a wheel for WebAssembly is installed and serves',
  async () => {
    const cwd = folder('compiled')
    const run = await start(cwd, ['pydantic==2.14.4'], registry()).ended
    expect(run).toMatchObject({
      code: 0,
      err: expect.stringContaining('pyemscripten_2026_0_wasm32.whl'),
    })
    writeFileSync(
      join(cwd, 'shop.py'),
      `
import pydantic, pydantic_core._pydantic_core as core

class Item(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=2)
    price: float

def app(environ, start_response):
    try:
        status, text = "200 OK", Item.model_validate_json(environ["wsgi.input"].read()).model_dump_json()
    except pydantic.ValidationError as error:
        status, text = "422 Unprocessable Content", error.json(include_url=False)
    start_response(status, [("Content-Type", "application/json"), ("X-Made-By", core.__file__)])
    return [text.encode()]
`,
    )
    const server = await startServer({
      app: 'shop',
      cwd,
      args: ['--runtime', 'pyodide', '--workers', '2'],
    })
    const post = (body: string) => fetch(`${server.url}/`, { method: 'POST', body })
    const right = await post('{"name": "bread", "price": "1.5"}')
    expect([right.status, await right.json()]).toEqual([200, { name: 'bread', price: 1.5 }])
    expect(right.headers.get('x-made-by')).toMatch(
      /_pydantic_core\.cpython-314-wasm32-emscripten\.so$/,
    )
    const wrong = await post('{"name": "b"}')
    expect([wrong.status, await wrong.json()]).toEqual([
      422,
      [
        expect.objectContaining({ type: 'string_too_short', loc: ['name'] }),
        expect.objectContaining({ type: 'missing', loc: ['price'] }),
      ],
    ])
    await server.stop()
  },
  PATIENCE,
)

test('a mistake in the command is told at once, with exit code 2', async () => {
  const cwd = folder('usage')
  expect(await install(cwd, [])).toMatchObject({
    code: 2,
    err: expect.stringContaining(`${join(cwd, 'pylock.monoceros.toml')} does not exist`),
  })
  expect(await install(cwd, ['--requirements', 'x'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('Unknown option "--requirements" (did you mean --requirement?)'),
  })
  expect(await install(cwd, ['--help'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Usage: monoceros install/),
  })
  expect(dirname(cwd)).toBe(root)
  expect(readdirSync(cwd)).toEqual([])
})
