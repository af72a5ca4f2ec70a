import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { packed } from '../support/packed.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'
import { builtWheel } from '../support/wheel.ts'

// From the first command to the first response, on machines of each kind: PATH has nothing but what
// the kind has, HOME and all caches are new. It prints times and bytes, and holds the bytes to a
// limit. Times are not compared: machines and networks differ. `npm run bench:first-response`.

const run = promisify(execFile)
const work = temporaryDirectory()
afterAll(() => work.remove())

const FLASK = `from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    return "Hello from Flask!\\n"
`

interface Figures {
  readonly seconds: number
  /** The packages that were fetched, in MB, with our own; without the lists of an index. */
  readonly downloaded: number
  /** The folder of the site, in MB. */
  readonly site: number
  /** The caches, in MB. */
  readonly caches: number
}

const measured = new Map<string, Figures>()

/** A machine of its own, as far as programs, HOME and caches go. */
class Machine {
  readonly site: string
  readonly env: NodeJS.ProcessEnv
  readonly #home: string
  #began = 0
  /** In bytes, as the commands have shown. */
  #downloaded = 0

  /** @param programs what is on PATH, by the paths that the names lead to */
  constructor(name: string, programs: Readonly<Record<string, string>>) {
    const root = join(work.path, name.replaceAll(/\W+/g, '-'))
    const bin = join(root, 'bin')
    this.#home = join(root, 'home')
    this.site = join(root, 'site')
    for (const folder of [bin, this.#home, this.site]) mkdirSync(folder, { recursive: true })
    for (const [program, path] of Object.entries(programs)) symlinkSync(path, join(bin, program))
    this.env = { ...registries(), HOME: this.#home, PATH: bin, NO_COLOR: '1', LANG: 'C.UTF-8' }
    writeFileSync(join(this.site, 'flaskapp.py'), FLASK)
  }

  async command(program: string, ...args: string[]): Promise<string> {
    if (this.#began === 0) this.#began = performance.now()
    const path = program.includes('/') ? join(this.site, program) : this.#onPath(program)
    const { stdout, stderr } = await run(path, args, {
      cwd: this.site,
      env: this.env,
      timeout: 280_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    const output = stdout + stderr
    this.#downloaded += shownDownloads(output)
    return output
  }

  start(program: string, ...args: string[]): Promise<RunningServer> {
    return runServer({
      command: program.includes('/') ? join(this.site, program) : this.#onPath(program),
      args,
      env: this.env,
      cwd: this.site,
      findAddresses: (log) =>
        Array.from(log.matchAll(/Listening at:? (http:\S+)/g), ([, address]) => address!),
      isReady: (log) => /Listening at:? \S+.*\n/.test(log),
      isWorker: (line) => line.includes('monoceros-worker') || line.includes('gunicorn'),
    })
  }

  /** Fetches the page, and notes the figures. */
  async firstResponse(name: string, server: RunningServer): Promise<Figures> {
    const response = await fetch(server.url)
    expect([response.status, await response.text()]).toEqual([200, 'Hello from Flask!\n'])
    const seconds = (performance.now() - this.#began) / 1000
    const caches = bytesIn(this.#home)
    const kept = filesIn(join(this.#home, '.npm/_cacache/content-v2')).filter(isCompressed)
    const pip = filesIn(join(this.#home, '.cache/monoceros')).filter((path) => /\.whl$/.test(path))
    const bytes = [...kept, ...pip].reduce((sum, path) => sum + statSync(path).size, 0)
    const figures = {
      seconds,
      downloaded: (bytes + this.#downloaded) / 1e6,
      site: bytesIn(this.site) / 1e6,
      caches: caches / 1e6,
    }
    measured.set(name, figures)
    return figures
  }

  #onPath(program: string): string {
    const path = join(this.env.PATH!.split(delimiter)[0]!, program)
    if (!existsSync(path)) throw new Error(`there is no ${program} on this machine`)
    return path
  }
}

/** Where this machine gets packages from. */
function registries(): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^((https?|no)_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|PIP_(?!CACHE).*)$/i.test(name),
    ),
  )
  const npm = join(homedir(), '.npmrc')
  if (existsSync(npm)) env.npm_config_userconfig = npm
  const pip = [join(homedir(), '.config/pip/pip.conf'), join(homedir(), '.pip/pip.conf')]
  const own = pip.find((path) => existsSync(path))
  if (own !== undefined) env.PIP_CONFIG_FILE = own
  return env
}

/** What pip says that it has downloaded or taken from a file, in bytes. */
function shownDownloads(output: string): number {
  const units = { bytes: 1, kB: 1e3, MB: 1e6 }
  let sum = 0
  for (const [, number, unit] of output.matchAll(/\.whl \(([\d.]+) (bytes|kB|MB)\)/g))
    sum += Number(number) * units[unit as keyof typeof units]
  for (const [, file] of output.matchAll(/^Processing (?:file:\/\/)?(\/\S+\.whl)/gm))
    sum += statSync(file!).size
  return sum
}

/** Whether it is a package (gzip): npm's cache also has the lists of versions. */
function isCompressed(path: string): boolean {
  return readFileSync(path).readUInt16BE() === 0x1f8b
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile())
}

/** What a folder's files take of the disk: a file with several names counts once. */
function bytesIn(folder: string): number {
  const seen = new Set<number>()
  let bytes = 0
  for (const path of filesIn(folder)) {
    const { ino, blocks } = lstatSync(path)
    if (!seen.has(ino)) bytes += blocks * 512
    seen.add(ino)
  }
  return bytes
}

/** Without npx, which does not pass a signal on. */
const COMMAND = 'node_modules/.bin/monoceros'
const here = ['-b', '127.0.0.1:0', 'flaskapp:app']

describe.skipIf(!hasPython())('from nothing to the first response', () => {
  let wheel = ''
  let node: Record<string, string> = {}
  let python: Record<string, string> = {}

  beforeAll(async () => {
    const dist = await builtWheel()
    wheel = join(dist, readdirSync(dist).find((name) => name.endsWith('.whl'))!)
    const npm = join(realpathSync(onPath('npm')), '..')
    const shell = { sh: '/bin/sh', env: '/usr/bin/env' }
    node = {
      ...shell,
      node: process.execPath,
      npm: join(npm, 'npm-cli.js'),
      npx: join(npm, 'npx-cli.js'),
    }
    const base = 'import sys; print(sys._base_executable)'
    const program = execFileSync(testPython().executable, ['-c', base], { encoding: 'utf8' })
    python = { ...shell, python3: program.trim() }
    // Another file may be making the wheel, and the tools for it.
  }, 300_000)

  test('pip only', async () => {
    const machine = new Machine('pip only', python)
    await machine.command('python3', '-m', 'venv', '.venv')
    await machine.command('.venv/bin/pip', 'install', wheel, 'flask')
    const server = await machine.start('.venv/bin/monoceros', ...here)
    const figures = await machine.firstResponse('pip only', server)
    await server.stop()
    // Node.js itself is 61 of them, and 200 on the disk.
    expect(figures.downloaded).toBeLessThan(75)
  }, 300_000)

  test('npm only, without Python; and two sites by turns keep their snapshots', async () => {
    const machine = new Machine('npm only', node)
    const { monoceros, 'monoceros-pyodide': embedded } = await packed()
    const packages = [monoceros.tarball, embedded.tarball]
    await machine.command('npm', 'install', '--no-audit', '--no-fund', ...packages)
    await machine.command('npx', 'monoceros', 'install', 'flask')
    const server = await machine.start(COMMAND, ...here)
    const figures = await machine.firstResponse('npm only, without Python', server)
    expect(server.log()).toMatch(/CPython 3\.\d+\.\d+ \(embedded\)/)
    const cache = join(machine.env.HOME!, '.cache/monoceros')
    const snapshots = () =>
      filesIn(cache)
        .filter((path) => path.endsWith('.snapshot'))
        .map((path) => [path, statSync(path).ino] as const)
    await waitFor('the first snapshot', () => snapshots().length === 1, 60_000)
    await server.stop()
    expect(figures.downloaded).toBeLessThan(25)
    expect(figures.site).toBeLessThan(45)

    // Another site on the same machine, with packages of its own.
    const first = machine.site
    const other = new Machine('npm only, another site', node)
    cpSync(first, other.site, { recursive: true, verbatimSymlinks: true })
    other.env.HOME = machine.env.HOME
    const turn = async (site: Machine, expected: number) => {
      const turned = await site.start(COMMAND, ...here)
      expect((await fetch(turned.url)).status).toBe(200)
      await waitFor('the snapshot', () => snapshots().length === expected, 60_000)
      await turned.stop()
    }
    await turn(other, 2)
    const made = snapshots()
    await turn(machine, 2)
    // The same files: none was made again.
    expect(snapshots()).toEqual(made)
  }, 300_000)

  test('both', async () => {
    const machine = new Machine('both', { ...python, ...node })
    await machine.command('python3', '-m', 'venv', '.venv')
    await machine.command('.venv/bin/pip', 'install', 'flask')
    const { monoceros } = await packed()
    await machine.command('npm', 'install', '--no-audit', '--no-fund', monoceros.tarball)
    const server = await machine.start(COMMAND, ...here)
    await machine.firstResponse('both', server)
    await server.stop()
  }, 300_000)

  test('beside them, gunicorn; and the table', async () => {
    const machine = new Machine('gunicorn', python)
    await machine.command('python3', '-m', 'venv', '.venv')
    await machine.command('.venv/bin/pip', 'install', 'gunicorn', 'flask')
    const server = await machine.start('.venv/bin/gunicorn', ...here)
    const gunicorn = await machine.firstResponse('pip install gunicorn flask', server)
    await server.stop()
    const rows = [...measured].map(
      ([name, { seconds, downloaded, site, caches }]) =>
        `| ${name} | ${[seconds, downloaded, site, caches].map((n) => n.toFixed(1)).join(' | ')} |`,
    )
    console.log(
      [
        '',
        '| | s | MB downloaded | MB in the site | MB in caches |',
        '|---|---:|---:|---:|---:|',
        ...rows,
      ].join('\n'),
    )
    const both = measured.get('both')
    // The server itself is a few megabytes, whatever else is there.
    if (both !== undefined) {
      expect(both.downloaded - gunicorn.downloaded).toBeLessThan(5)
      expect(both.site - gunicorn.site).toBeLessThan(10)
    }
  }, 300_000)
})

function onPath(program: string): string {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
  if (found === undefined) throw new Error(`there is no ${program} on PATH`)
  return found
}
