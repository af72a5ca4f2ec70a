/**
 * How the cost of a request grows: processor time per request while one thing varies and all else
 * stays.
 *
 *     npm run build && npm run bench:growth
 *
 * What it does, and how to read it: docs/performance.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { abort, runCommand, running, say, UsageError } from './command.mjs'
import { growthReport } from './growth-report.mjs'
import { holdIdle } from './idle-connections.mjs'
import { idle } from './idleness.mjs'
import { machineFacts, serverFact } from './machine.mjs'
import { exactTimeOf, machineTime, memory, processTree } from './process-tree.mjs'
import { resultFile } from './result-file.mjs'
import { serve } from './served.mjs'
import {
  gunicorn,
  kernelBacklog,
  monoceros,
  OUR_COMMAND,
  OURS,
  SERVERS,
  uwsgi,
} from './servers.mjs'
import { ensureVirtualEnvironment } from './virtual-environment.mjs'
import { runWrk, wrkVersion } from './wrk.mjs'

const PLOTS = fileURLToPath(new URL('../docs/plots', import.meta.url))
const PLOTTER = fileURLToPath(new URL('plot.py', import.meta.url))
const APP = 'sizes:application'

/** What stays while something else varies. */
const BASE = { connections: 64, fields: 0, response: 14, request: 0, server: 'monoceros 2w' }
const MOST_CONNECTIONS = 4096
/** How many connections are open that ask for nothing, beside those that do. */
const IDLE_CONNECTIONS = [0, 1000, 10_000]
/** Connections on both sides, and what else a process has open. */
const DESCRIPTORS = Math.max(MOST_CONNECTIONS, IDLE_CONNECTIONS.at(-1)) + 512
/** Servers keep an idle connection for so long, or there would be none when it is measured. */
const KEEP_ALIVE_SECONDS = 75
const ROUNDS = 4
const IDLE_LIMIT_SECONDS = 5
/**
 * When so much time has gone, points have no more than two rounds: on a slow or busy machine it
 * ends all the same.
 */
const BUDGET_SECONDS = 360
/** A window shorter than this, in which requests are counted, is not a measurement. */
const SHORTEST_WINDOW_SECONDS = 0.3

// At 4,096 connections a whole request each is waiting; and all connect within milliseconds.
const MANY = { backlog: `${Math.min(4096, kernelBacklog())}`, waiting: `${MOST_CONNECTIONS * 2}` }

/**
 * @typedef {import('./servers.mjs').Server & {name: string, line: string, workers: number,
 * acceptors?: number}} Shape A server in one of the shapes that are compared. `line` is the line of
 * the plot that it belongs to.
 */

/** @returns {Shape} */
function ours(workers, acceptors) {
  return {
    name: `monoceros ${workers}w${acceptors > 1 ? ` ${acceptors}a` : ''}`,
    line: OURS,
    workers,
    acceptors,
    packages: [],
    command: (start) =>
      monoceros(
        start,
        ...[
          '--acceptors',
          `${acceptors}`,
          '--backlog',
          MANY.backlog,
          '--backlog-limit',
          MANY.waiting,
          '--keep-alive',
          `${KEEP_ALIVE_SECONDS}`,
        ],
      ),
    shape: () => `${counted(acceptors, 'acceptor')}, ${counted(workers, 'worker')}`,
  }
}

function counted(count, what) {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** @returns {Shape} */
function peer(name, command) {
  const known = SERVERS.find((server) => server.name === name)
  return { ...known, line: name, workers: 2, command }
}

const SHAPES = [
  ours(2, 1),
  ours(1, 1),
  ours(4, 1),
  ours(4, 2),
  peer('gunicorn-gevent', (start) =>
    gunicorn(
      start,
      ...[
        '--worker-class',
        'gevent',
        '--worker-connections',
        `${IDLE_CONNECTIONS.at(-1) + MOST_CONNECTIONS}`,
        '--keep-alive',
        `${KEEP_ALIVE_SECONDS}`,
        '--backlog',
        MANY.backlog,
      ],
    ),
  ),
  peer('granian', (start) => [
    ...SERVERS.find(({ name }) => name === 'granian').command(start),
    // With its own --backpressure, a worker takes no more connections than half of its backlog.
    ...['--backlog', MANY.backlog, '--backpressure', MANY.waiting],
  ]),
  peer('uwsgi', (start) =>
    // Sixty fields do not fit into its buffer of 4 KB.
    uwsgi(start, '--listen', MANY.backlog, '--buffer-size', '32768'),
  ),
]
const COMPARED = [BASE.server, 'granian', 'gunicorn-gevent', 'uwsgi']

/**
 * One thing that varies.
 *
 * @typedef {object} Curve
 * @property {string} name What --curves and the plots call it.
 * @property {string} title
 * @property {string} varies What the x axis shows, with its unit.
 * @property {number} [rounds] Fewer than the run's.
 * @property {{server: string, x: number | string, [what: string]: unknown}[]} points `x` is the
 * value on the axis.
 */

const KB = 1024
/** @type {Curve[]} */
const CURVES = [
  curve(
    'connections',
    'Connections',
    'connections',
    COMPARED,
    [1, 16, 64, 512, 4096],
    (connections) => ({
      connections,
    }),
  ),
  {
    ...curve(
      'idle',
      'Idle connections beside 64 that are busy',
      'idle connections',
      [BASE.server, 'granian', 'gunicorn-gevent'],
      IDLE_CONNECTIONS,
      (idle) => ({ idle }),
    ),
    rounds: 2,
  },
  {
    name: 'processes',
    title: 'Workers and acceptors',
    varies: 'workers, acceptors',
    points: [ours(1, 1), ours(2, 1), ours(4, 1), ours(4, 2)].map(({ name, shape }) => ({
      server: name,
      x: shape(0),
    })),
  },
  curve('headers', 'Request header fields', 'fields', COMPARED, [5, 20, 60], (fields) => ({
    fields,
  })),
  curve(
    'response-body',
    'Response body',
    'bytes',
    COMPARED,
    [0, 10 * KB, 100 * KB, 1024 * KB],
    (response) => ({ response }),
  ),
  curve(
    'request-body',
    'Request body (POST)',
    'bytes',
    COMPARED,
    [0, 10 * KB, 100 * KB, 1024 * KB],
    (request) => ({ request, post: true }),
  ),
]

/** @returns {Curve} */
function curve(name, title, varies, servers, values, vary) {
  return {
    name,
    title,
    varies,
    points: servers.flatMap((server) => values.map((x) => ({ server, x, ...vary(x) }))),
  }
}

const HELP = `Usage: npm run bench:growth -- [options]

Measures how the processor time per request grows with connections, workers, acceptors, header
fields and bodies, and beside it that of gunicorn's gevent class and of uWSGI. Saves figures in
bench/results and plots in docs/plots. Takes less than seven minutes, once everything is installed.

  --curves LIST    comma separated, of: ${CURVES.map(({ name }) => name).join(', ')}
  --rounds N       how often each point is measured [${ROUNDS}]
  --plots DIR      where the plots go [docs/plots]
  --plot FILE      measure nothing: draw the plots of that JSON file of an earlier run
  --python FILE    the Python to make bench/.venv with [python3]
  --no-save        only print
  -h, --help       print this
`

/** What is to be done, from the command line; throws UsageError. */
function plan(args) {
  let values
  try {
    values = parseArgs({
      args,
      options: {
        curves: { type: 'string' },
        rounds: { type: 'string' },
        plots: { type: 'string' },
        plot: { type: 'string' },
        python: { type: 'string' },
        'no-save': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error.message.split('\n')[0])
  }
  const names = values.curves?.split(',') ?? CURVES.map(({ name }) => name)
  const unknown = names.find((name) => !CURVES.some((one) => one.name === name))
  if (unknown !== undefined) {
    throw new UsageError(
      `--curves ${unknown}: there is none of that name; choose from ` +
        `${CURVES.map(({ name }) => name)}`,
    )
  }
  const rounds = Number(values.rounds ?? ROUNDS)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) {
    throw new UsageError(`--rounds ${values.rounds}: it must be a whole number from 1 to 20`)
  }
  if (values.plot !== undefined && !existsSync(values.plot)) {
    throw new UsageError(`--plot ${values.plot}: there is no such file`)
  }
  return {
    help: values.help ?? false,
    curves: CURVES.filter(({ name }) => names.includes(name)),
    rounds,
    /** Who asks for a number of rounds gets them. */
    bounded: values.rounds === undefined,
    plots: values.plots ?? PLOTS,
    plot: values.plot,
    python: values.python,
    save: !values['no-save'],
  }
}

async function main() {
  const todo = plan(process.argv.slice(2))
  if (todo.help) {
    process.stdout.write(HELP)
    return
  }
  const packages = [
    { name: 'matplotlib' },
    ...SHAPES.flatMap((shape) => shape.packages.map((name) => ({ name, needs: shape.needs }))),
  ]
  if (todo.plot !== undefined) {
    const environment = ensureVirtualEnvironment({
      packages: packages.slice(0, 1),
      python: todo.python,
      update: false,
      say,
    })
    if (!plot(environment, todo.plot, todo.plots)) process.exitCode = 1
    return
  }
  const wrk = wrkVersion()
  if (!existsSync(OUR_COMMAND))
    throw new UsageError('monoceros is not built. First run: npm run build')
  const environment = ensureVirtualEnvironment({
    packages,
    python: todo.python,
    update: false,
    say,
  })

  const started = new Date()
  const notes = []
  const curves = possible(todo.curves, notes)
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-growth-'))
  try {
    const wanted = SHAPES.filter(({ name }) =>
      curves.some(({ points }) => points.some(({ server }) => server === name)),
    )
    const all = await startAll(wanted, environment, directory, notes)
    const measured = []
    for (const one of curves) {
      const points = one.points.filter(({ server }) => all.has(server))
      const late = () => todo.bounded && Date.now() - started.getTime() > BUDGET_SECONDS * 1000
      const wanted = Math.min(todo.rounds, one.rounds ?? todo.rounds)
      measured.push({ ...one, points: await measure(points, all, wanted, late, one.title) })
      const rounds = measured.at(-1).points[0]?.samples.length
      if (rounds < wanted) notes.push(`${one.title}: ${rounds} rounds only, as time ran out.`)
    }
    const facts = [
      ...machineFacts({ started, environment, driver: `wrk ${wrk} with one thread` }),
      `${todo.rounds} rounds, to and fro over the points of a curve`,
      ...[...all.values()].map(({ server }) =>
        serverFact(server, server.workers, environment.versions),
      ),
    ]
    const result = { facts, notes, base: BASE, curves: measured }
    const text = growthReport(result)
    process.stdout.write(text)
    if (todo.save) {
      const file = resultFile('growth', started)
      writeFileSync(file.path('json'), `${JSON.stringify(result, null, 2)}\n`)
      writeFileSync(file.path('md'), `# How cost grows, ${file.name}\n\n${text}`)
      say(`Saved as ${file.path('md')} and ${file.path('json')}`)
      plot(environment, file.path('json'), todo.plots)
    }
  } finally {
    await Promise.all([...running].map((served) => served.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Leaves out the points that need more descriptors than a process may open here. */
function possible(curves, notes) {
  // Node raises the soft limit to the hard one when it starts; servers and wrk inherit it.
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })
  const limit = stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout)
  if (limit >= DESCRIPTORS) return curves
  notes.push(
    `Points with many connections are left out: a process may open ${limit} files here, ` +
      `and they need up to ${DESCRIPTORS}. Raise the hard limit (ulimit -Hn).`,
  )
  say(notes.at(-1))
  return curves.map((one) => ({
    ...one,
    points: one.points.filter(
      ({ connections = 0, idle = 0 }) => Math.max(connections, idle) + 512 <= limit,
    ),
  }))
}

/** @returns {Promise<Map<string, import('./served.mjs').Served>>} By the names of their shapes. */
async function startAll(shapes, { bin, versions, failures }, directory, notes) {
  const all = new Map()
  for (const shape of shapes) {
    const missing = shape.packages.find((name) => !(name in versions))
    try {
      if (missing) throw new Error(failures[missing] ?? `${missing} is not installed.`)
      const served = await serve({
        ...{
          server: shape,
          app: APP,
          path: '/14',
          workers: shape.workers,
          bin,
          directory,
          env: {},
        },
        onSpawn: (one) => running.add(one),
      })
      for (const path of ['/0', `/${1024 * KB}`]) await check(served, path)
      all.set(shape.name, served)
      say(`Started ${shape.name}`)
    } catch (error) {
      abort.signal.throwIfAborted()
      if (shape.name === BASE.server) throw error
      notes.push(`Not here: ${shape.name}. ${error.message}`)
      say(notes.at(-1))
    }
  }
  // Just-in-time compilers have seen what they will be asked; one by one, or they starve each
  // other.
  for (const served of all.values()) {
    for (const point of [
      { fields: 20 },
      { response: 100 * KB },
      { request: 100 * KB, post: true },
    ]) {
      await drive(served, { ...BASE, ...point }, 1)
    }
    await idle(served.pid, { limit: IDLE_LIMIT_SECONDS, signal: abort.signal })
  }
  return all
}

/** A server whose answer is wrong is not compared. */
async function check({ origin }, path) {
  const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) }
  const get = await fetch(origin + path, options)
  const size = Number(path.slice(1))
  const { byteLength } = await get.arrayBuffer()
  if (get.status !== 200 || byteLength !== size) {
    throw new Error(`It answered GET ${path} with ${get.status} and ${byteLength} bytes.`)
  }
  const post = await fetch(`${origin}/`, { ...options, method: 'POST', body: 'x'.repeat(size) })
  const text = await post.text()
  if (post.status !== 200 || text !== `${size}\n`) {
    throw new Error(
      `It answered POST of ${size} bytes with ${post.status} and ` +
        `${JSON.stringify(text.slice(0, 80))}.`,
    )
  }
}

/** All points of a curve, to and fro, so that drift affects both ends alike. */
async function measure(points, all, rounds, late, title) {
  const measured = points.map((point) => ({
    ...point,
    line: all.get(point.server).server.line,
    samples: [],
  }))
  for (let round = 1; round <= rounds && (round <= 2 || !late()); round++) {
    for (const point of round % 2 === 1 ? measured : measured.toReversed()) {
      abort.signal.throwIfAborted()
      const one = await sample(all.get(point.server), { ...BASE, ...point })
      // Servers keep what they have had: only on the way up it says what a point needs.
      point.samples.push(round === 1 ? one : { ...one, memory: Number.NaN })
    }
    say(`${title}: round ${round} of ${rounds}`)
  }
  return measured
}

/**
 * One measurement: wrk runs for some seconds, and what happens between two moments of them counts.
 * What comes before is warm-up: connections are made, queues fill.
 */
async function sample(served, point) {
  const seconds = lengthOf(point)
  const from = point.connections >= 4096 ? 1.5 : 0.25 * seconds
  /** @type {{mark: import('./wrk.mjs').Mark, clocks: ReturnType<typeof clocks>}[]} */
  const seen = []
  const marks = {
    seconds: [from, seconds - 0.1],
    seen: (mark) => seen.push({ mark, clocks: clocks(served) }),
  }
  const others = await holdIdle(served.origin, '/14', point.idle ?? 0, abort.signal)
  const result = await drive(served, point, seconds, marks)
  const bytes = memory(served.pid)
  const held = others.open()
  others.close()
  const rested = await idle(served.pid, { limit: IDLE_LIMIT_SECONDS, signal: abort.signal })
  if (served.ended())
    throw new Error(`${served.server.name} has ended by itself: ${served.complaint()}`)
  const lost = (point.idle ?? 0) - held
  if (lost > 0 && lost >= held / 100)
    return {
      errors: result.errors,
      rested,
      error: `the server closed ${lost} of ${point.idle} idle connections`,
    }
  const failed = {
    memory: bytes,
    error: '',
    errors: result.errors,
    p50: result.p50,
    p99: result.p99,
    rested,
  }
  if (seen.length < 2) return { ...failed, error: 'too few answers to measure' }
  const [{ mark: a, clocks: before }, { mark: b, clocks: after }] = seen
  const window = b.time - a.time
  const rate = (b.requests - a.requests) / window
  const elapsed = after.time - before.time
  if (window < SHORTEST_WINDOW_SECONDS || elapsed < SHORTEST_WINDOW_SECONDS) {
    return { ...failed, error: `counted for ${window.toFixed(2)} s only` }
  }
  if (before.processes !== after.processes)
    return { ...failed, error: 'a process ended or started' }
  // The marks reach this process some milliseconds late: as many requests more were answered by
  // then.
  const requests = rate * elapsed
  const perRequest = (what) => ((after[what] - before[what]) / requests) * 1e6
  return {
    ...failed,
    requestsPerSecond: rate,
    cpu: perRequest('total'),
    acceptor: perRequest('acceptor'),
    worker: perRequest('worker'),
    others:
      Math.max(
        0,
        after.machine - before.machine - (after.total - before.total) - (after.wrk - before.wrk),
      ) /
      (elapsed * availableParallelism()),
  }
}

/**
 * Whole seconds of a turn; longer where there are few requests in a second, or many connections to
 * make first.
 */
function lengthOf({ connections, response, request }) {
  if (connections >= 4096) return 3
  if (response >= 1024 * KB || request >= 1024 * KB) return 2
  return 1
}

/**
 * Seconds used so far, by whom. Of ours the acceptors are the arbiter's children, and the workers
 * theirs; of the others only the sum is told.
 */
function clocks(served) {
  const tree = processTree(served.pid)
  const of = (some) => some.reduce((sum, one) => sum + exactTimeOf(one), 0)
  const acceptors = tree.filter(({ parent }) => parent === served.pid)
  const workers = tree.filter(({ parent }) => acceptors.some(({ pid }) => pid === parent))
  const split = served.server.line === OURS
  return {
    time: Date.now() / 1000,
    processes: tree
      .map(({ pid }) => pid)
      .sort()
      .join(),
    total: of(tree),
    acceptor: split ? of(acceptors) : Number.NaN,
    worker: split ? of(workers) : Number.NaN,
    wrk: of(
      processTree(process.pid).filter(
        ({ pid, parent, session }) =>
          pid === process.pid || (parent === process.pid && session !== pid),
      ),
    ),
    machine: machineTime(),
  }
}

function drive({ origin }, { connections, fields, response, request, post }, seconds, marks) {
  return runWrk({
    url: origin + (post ? '/' : `/${response}`),
    ...{ connections, seconds, fields, marks },
    method: post ? 'POST' : 'GET',
    bodySize: request,
    signal: abort.signal,
  })
}

/** Draws the plots; says so when it cannot. */
function plot({ bin, versions, failures }, json, plots) {
  if (!('matplotlib' in versions)) {
    say(`No plots: ${failures.matplotlib ?? 'matplotlib is not installed.'}`)
    return false
  }
  const { status, stderr, stdout } = spawnSync(join(bin, 'python3'), [PLOTTER, json, plots], {
    encoding: 'utf8',
  })
  say(status === 0 ? stdout.trim() : `No plots: ${stderr.trim().split('\n').at(-1)}`)
  return status === 0
}

await runCommand(main, { script: 'bench:growth', what: 'The measurement' })
