/**
 * How long the embedded interpreter takes to start, and what it costs:
 *
 *     npm run build && node bench/embedded-start.mjs
 *     node bench/embedded-start.mjs --rounds 9 --site python_modules   (a folder with Flask in it)
 *
 * Every start is a process of its own. The ways take turns, so that what else the machine does hits
 * all of them; a ratio is the median of the ratios within rounds. The report goes to standard
 * output.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { memory, processorTime } from './process-tree.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const self = fileURLToPath(import.meta.url)
const START_LIMIT_MS = 60_000

const applications = {
  hello: `
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Hello, world!\\n']
`,
  flasked: `
from flask import Flask
application = Flask(__name__)

@application.route('/')
def index():
    return 'Hello, world!'
`,
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    site: { type: 'string' },
    one: { type: 'string' },
    app: { type: 'string', default: 'hello' },
    place: { type: 'string' },
  },
})

if (options.one !== undefined) await startOne(options)
else await compare(Number(options.rounds), options.site ?? benchmarkPackages())

/** Where `npm run bench` has installed Flask; undefined when it has not. */
function benchmarkPackages() {
  const folder = join(root, 'bench/.venv/lib')
  const name = existsSync(folder)
    ? readdirSync(folder).find((each) => each.startsWith('python3'))
    : undefined
  return name && join(folder, name, 'site-packages')
}

async function compare(rounds, site) {
  const place = mkdtempSync(join(tmpdir(), 'monoceros-start-'))
  try {
    for (const [name, source] of Object.entries(applications))
      writeFileSync(join(place, `${name}.py`), source)
    const { snapshot } = await prepare(place)
    const apps = [
      'hello',
      ...(site !== undefined && existsSync(join(site, 'flask')) ? ['flasked'] : []),
    ]
    const kept = new Set()
    for (const app of apps) {
      await run('application', app, place, site).then(
        () => kept.add(app),
        (error) => console.error(`No snapshot of ${app}: ${error.message}`),
      )
    }
    const ways = apps.flatMap((app) => [
      {
        title: `interpreter, ${app}: as Pyodide is`,
        measure: () => run('plain', app, place, site),
      },
      { title: `interpreter, ${app}: byte code`, measure: () => run('compiled', app, place, site) },
      { title: `interpreter, ${app}: snapshot`, measure: () => run('snapshot', app, place, site) },
      ...(kept.has(app)
        ? [
            {
              title: `interpreter, ${app}: snapshot of the application`,
              measure: () => run('restored', app, place, site),
            },
          ]
        : []),
      { title: `command, ${app}: byte code`, measure: () => command(app, place, site, 'off') },
      { title: `command, ${app}: snapshot`, measure: () => command(app, place, site, snapshot) },
    ])
    const rows = ways.map(() => [])
    for (let round = 0; round <= rounds; round++) {
      for (const [index, { measure }] of ways.entries()) {
        const result = await measure()
        // The first round fills caches: the system's of files, Python's of byte code.
        if (round > 0) rows[index].push(result)
      }
    }
    console.log('| start of | ms | ratio | CPU, ms | memory, MB |\n|---|---:|---:|---:|---:|')
    for (const [index, { title }] of ways.entries()) {
      const base = rows[ways.findIndex((way) => way.title.split(':')[0] === title.split(':')[0])]
      const ratio = median(rows[index].map((row, round) => row.ms / base[round].ms))
      const of = (key) => Math.round(median(rows[index].map((row) => row[key])))
      console.log(`| ${title} | ${of('ms')} | ${ratio.toFixed(2)} | ${of('cpu')} | ${of('mb')} |`)
    }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** Makes the snapshot as a server does, in a cache of its own. */
async function prepare(place) {
  const snapshot = join(place, 'cache')
  const { keepSnapshot } = await import('../dist/runtimes/pyodide/image/image.js')
  // What is made in the background keeps nobody from ending.
  const alive = setInterval(() => {}, 1000)
  const outcome = await keepSnapshot({ MONOCEROS_CACHE: snapshot })
  clearInterval(alive)
  if (outcome.kind !== 'made') throw new Error(`No snapshot: ${JSON.stringify(outcome)}`)
  return { snapshot }
}

/** Runs this script once more, for one start. */
async function run(way, app, place, site = '') {
  const child = spawn(
    process.execPath,
    [self, '--one', way, '--app', app, '--place', place, '--site', site],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  if (status !== 0) throw new Error(`${way} ended with status ${status}`)
  return JSON.parse(text)
}

/**
 * In a process of its own: starts an interpreter, imports the application, and says when the
 * process was so far.
 */
async function startOne({ one: way, app, place, site }) {
  const { loadImage } = await import('../dist/runtimes/pyodide/image/image.js')
  const { startInterpreter } = await import('../dist/runtimes/pyodide/interpreter.js')
  const { pyodideFile } = await import('../dist/runtimes/pyodide/package.js')
  const image = {
    ...(await loadImage({ MONOCEROS_CACHE: way === 'snapshot' ? join(place, 'cache') : 'off' })),
  }
  if (way === 'snapshot' && image.snapshot === null) throw new Error('the snapshot is not used')
  if (way === 'plain') image.stdlib = pyodideFile('python_stdlib.zip')
  if (way === 'application') return await keepApplication(image, { app, place, site })
  if (way === 'restored') image.snapshot = placeOfApplication(app, place)
  const pyodide = await startInterpreter({
    image,
    mounts: [place, ...(site ? [site] : [])].map((path) => ({ path, readOnly: false })),
    environment: {},
    stdout: () => {},
    stderr: (bytes) => process.stderr.write(bytes),
    memoryLimit: null,
    interruptBuffer: new Uint8Array(new SharedArrayBuffer(4)),
  })
  pyodide.runPython(callOnce(app, place, site))
  const { user, system } = process.cpuUsage()
  const [ms, cpu, mb] = [performance.now(), (user + system) / 1000, process.memoryUsage.rss() / 1e6]
  process.stdout.write(JSON.stringify({ ms, cpu, mb }), () => process.exit())
}

function callOnce(app, place, site) {
  return `
import sys
sys.path[1:1] = ${JSON.stringify([place, ...(site ? [site] : [])])}
from ${app} import application
from wsgiref.util import setup_testing_defaults
environ = {}
setup_testing_defaults(environ)
assert b''.join(application(environ, lambda *head: None)).startswith(b'Hello, world!')
`
}

function placeOfApplication(app, place) {
  return {
    folder: join(place, 'applications'),
    key: Buffer.from(app).toString('hex').padEnd(64, '0'),
  }
}

/**
 * A snapshot of an interpreter that has imported the application. For comparison only: see
 * docs/performance.md for why we do not use one.
 */
async function keepApplication(image, { app, place, site }) {
  const { loadPyodide } = await import('pyodide')
  const pyodide = await loadPyodide({
    stdLibURL: image.stdlib,
    _makeSnapshot: true,
    stdout: () => {},
    stderr: () => {},
  })
  for (const path of [place, site, join(root, 'python')].filter(Boolean)) {
    pyodide.FS.mkdirTree(path)
    pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: path }, path)
  }
  pyodide.runPython(`
import sys
sys.path.append(${JSON.stringify(join(root, 'python'))})
import monoceros_pyodide.wake, monoceros.embedded
monoceros_pyodide.wake.restored = True
sys.path.pop()
${callOnce(app, place, site)}
`)
  const bytes = pyodide.makeMemorySnapshot()
  const snapshot = new SharedArrayBuffer(bytes.length)
  new Uint8Array(snapshot).set(bytes)
  const { SnapshotCache } = await import('../dist/runtimes/pyodide/image/snapshot-cache.js')
  const { folder, key } = placeOfApplication(app, place)
  const claim = await new SnapshotCache(folder).claim(key)
  await claim.write(snapshot)
  process.stdout.write('{}', () => process.exit())
}

/** The whole: from the command to the first response. */
async function command(app, place, site, cache) {
  const port = await freePort()
  const started = performance.now()
  const child = spawn(
    process.execPath,
    [join(root, 'dist/cli/main.js'), '--runtime', 'pyodide', '--bind', `127.0.0.1:${port}`].concat(
      site ? ['--pythonpath', site] : [],
      `${app}:application`,
    ),
    // A cache that is there is not written: the server ends long before.
    {
      cwd: place,
      env: { PATH: process.env.PATH, MONOCEROS_CACHE: cache },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    },
  )
  let log = ''
  child.stderr.on('data', (data) => {
    log += data
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    while ((await answer(port)) !== 'Hello, world!') {
      if (performance.now() - started > START_LIMIT_MS || child.exitCode !== null)
        throw new Error(`The server does not answer:\n${log.slice(0, 2000)}`)
      await sleep(5)
    }
    return {
      ms: performance.now() - started,
      cpu: processorTime(child.pid) * 1000,
      mb: memory(child.pid) / 1e6,
    }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

function answer(port) {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let text = ''
      response.on('data', (data) => {
        text += data
      })
      response.on('end', () => resolve(text.trim()))
    })
    request.on('error', () => resolve(null))
  })
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.on('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
