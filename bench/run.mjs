/**
 * The benchmark: us and the servers that people run today, over the same applications, in one run.
 *
 *     npm run build && npm run bench -- --quick
 *
 * What it does, and how to read it: docs/performance.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ask } from './ask.mjs'
import { abort, runCommand, running, say, UsageError } from './command.mjs'
import { h2loadVersion, runH2load, STREAMS } from './h2load.mjs'
import { idle } from './idleness.mjs'
import { machineFacts, serverFact } from './machine.mjs'
import { machineTime, memory, processorTime } from './process-tree.mjs'
import { report } from './report.mjs'
import { resultFile } from './result-file.mjs'
import { serve } from './served.mjs'
import { APPS, OUR_COMMAND, OURS, OURS_IN_NODE, SERVERS as PROGRAMS, serves } from './servers.mjs'
import { STATIC_SERVERS, STATIC_WORKLOADS } from './static-files.mjs'
import { http2Servers, makeCertificate, tlsServers } from './tls-servers.mjs'
import { ensureVirtualEnvironment } from './virtual-environment.mjs'
import { WORKLOADS as OF_APPLICATIONS } from './workloads.mjs'
import { runWrk, wrkVersion } from './wrk.mjs'

const SERVERS = [...PROGRAMS, ...STATIC_SERVERS]
const WORKLOADS = [...OF_APPLICATIONS, ...STATIC_WORKLOADS]
const FULL = {
  workloads: WORKLOADS.map(({ name }) => name),
  concurrency: [1, 64, 512],
  rounds: 3,
  seconds: 2,
}
const QUICK = { workloads: ['hello', '10k', 'flask'], concurrency: [64], rounds: 3, seconds: 1 }
const OVER_TLS = { workloads: ['hello', '10k'], concurrency: [64], rounds: 5, seconds: 2 }
const WARM_UP = { connections: 16, seconds: 2 }
/**
 * How often memory is looked at during a case. More often would cost the servers the time they are
 * measured by.
 */
const MEMORY_INTERVAL_MS = 700
/**
 * A server that is still busy with requests of clients that have gone is waited for so long, or the
 * next one's turn is its too.
 */
const IDLE_LIMIT_SECONDS = 10
/** What a turn takes beside the time that wrk runs, as far as the estimate goes. */
const TURN_OVERHEAD_SECONDS = 0.25

const HELP = `Usage: npm run bench -- [options]

Drives monoceros and other WSGI servers with wrk, over the same applications and in alternating
rounds, prints the figures and saves them in bench/results. The servers are installed into
bench/.venv.

  --quick               ${QUICK.workloads.join(', ')} with ${QUICK.concurrency} connections;
                        under two minutes once everything is installed
  --tls                 over HTTPS: ${OVER_TLS.workloads.join(', ')} with
                        ${OVER_TLS.concurrency} connections, nginx in front of gunicorn among the servers
  --http2               the same over HTTP/2, driven by h2load, ${STREAMS} requests at once on a
                        connection
  --servers LIST        comma separated, of: ${SERVERS.map(({ name }) => name).join(', ')}
  --workloads LIST      comma separated, of: ${FULL.workloads.join(', ')}
  --concurrency LIST    numbers of connections [${FULL.concurrency}]
  --rounds N            how often each server has its turn in each case [${FULL.rounds}]
  --seconds N           how long a turn is [${FULL.seconds}; quick: ${QUICK.seconds}]
  --workers N           worker processes of each server [2]
  --python FILE         the Python to make bench/.venv with [python3]
  --update              update the servers, and try again what could not be installed
  --no-save             only print
  -h, --help            print this
`

/** What is to be run, from the command line; throws UsageError. */
function plan(args) {
  const { values } = parsed(args)
  const { http2 = false } = values
  const base = values.tls || http2 ? OVER_TLS : values.quick ? QUICK : FULL
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-bench-'))
  const secure = http2 ? http2Servers : values.tls ? tlsServers : null
  const all = secure === null ? SERVERS : secure(makeCertificate(directory), directory)
  const custom = ['servers', 'workloads', 'concurrency', 'rounds', 'seconds', 'workers'].some(
    (flag) => flag in values,
  )
  return {
    help: values.help ?? false,
    directory,
    http2,
    kind: custom
      ? 'custom'
      : http2
        ? 'http2'
        : values.tls
          ? 'tls'
          : values.quick
            ? 'quick'
            : 'full',
    servers: chosen('--servers', values.servers, all) ?? all,
    workloads: workloadsOf(values, base),
    concurrency:
      values.concurrency?.split(',').map((text) => count('--concurrency', text, 1000)) ??
      base.concurrency,
    rounds: values.rounds === undefined ? base.rounds : count('--rounds', values.rounds, 100),
    seconds: values.seconds === undefined ? base.seconds : count('--seconds', values.seconds, 60),
    /**
     * Nothing queues at one connection, and nothing varies: half the time is enough. Who names a
     * time gets it.
     */
    shortened: values.seconds === undefined,
    workers: values.workers === undefined ? 2 : count('--workers', values.workers, 64),
    python: values.python,
    update: values.update ?? false,
    save: !values['no-save'],
  }
}

function workloadsOf({ workloads, http2 }, base) {
  const chosenOnes = chosen('--workloads', workloads, WORKLOADS)
  const posting = chosenOnes?.find(({ method }) => method !== 'GET')
  if (http2 && posting !== undefined)
    throw new UsageError(
      `--workloads ${posting.name}: --http2 drives workloads without a body only`,
    )
  return chosenOnes ?? WORKLOADS.filter(({ name }) => base.workloads.includes(name))
}

/** Whether turns with that many connections last one second only. */
function isShort({ shortened, seconds }) {
  return (connections) => shortened && connections === 1 && seconds > 1
}

function parsed(args) {
  try {
    return parseArgs({
      args,
      options: {
        quick: { type: 'boolean' },
        tls: { type: 'boolean' },
        http2: { type: 'boolean' },
        servers: { type: 'string' },
        workloads: { type: 'string' },
        concurrency: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        workers: { type: 'string' },
        python: { type: 'string' },
        update: { type: 'boolean' },
        'no-save': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(error.message.split('\n')[0])
  }
}

function chosen(flag, text, all) {
  if (text === undefined) return undefined
  const names = text.split(',')
  for (const name of names) {
    if (!all.some((one) => one.name === name)) {
      throw new UsageError(
        `${flag} ${name}: there is none of that name; choose from ${all.map((one) => one.name)}`,
      )
    }
  }
  return all.filter((one) => names.includes(one.name))
}

function count(flag, text, highest) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > highest) {
    throw new UsageError(`${flag} ${text}: it must be a whole number from 1 to ${highest}`)
  }
  return value
}

async function main() {
  const todo = plan(process.argv.slice(2))
  if (todo.help) {
    rmSync(todo.directory, { recursive: true, force: true })
    process.stdout.write(HELP)
    return
  }
  const driver = todo.http2
    ? `h2load ${h2loadVersion()} with one thread, ${STREAMS} requests at once on a connection`
    : `wrk ${wrkVersion()} with one thread`
  if (
    todo.servers.some(({ name }) => name === OURS || name === OURS_IN_NODE) &&
    !existsSync(OUR_COMMAND)
  ) {
    throw new UsageError('monoceros is not built. First run: npm run build')
  }
  const started = new Date()
  const environment = ensureVirtualEnvironment({ ...todo, packages: packagesOf(todo), say })
  const present = todo.servers.filter(({ packages }) =>
    packages.every((name) => name in environment.versions),
  )
  const absences = todo.servers
    .filter((server) => !present.includes(server))
    .map(({ name, packages }) => {
      const missing = packages.find((one) => !(one in environment.versions)) ?? name
      return `${name}. ${environment.failures[missing] ?? `${missing} is not installed.`}`
    })
  for (const absence of absences) say(`Not here: ${absence}`)

  const lengths = todo.concurrency.map((connections) =>
    isShort(todo)(connections) ? 1 : todo.seconds,
  )
  const places = todo.workloads.map(
    ({ app }) => present.filter((server) => serves(server, app)).length,
  )
  const turns = places.reduce((sum, count) => sum + count, 0) * todo.rounds
  const needed = turns * lengths.reduce((sum, seconds) => sum + seconds + TURN_OVERHEAD_SECONDS, 0)
  say(`${turns * lengths.length} turns: about ${Math.ceil((needed + 20) / 60)} minutes`)

  const { directory } = todo
  try {
    const cases = []
    for (const app of new Set(todo.workloads.map((workload) => workload.app))) {
      const workloads = todo.workloads.filter((workload) => workload.app === app)
      const servers = present.filter((server) => serves(server, app))
      if (servers.length === 0) continue
      cases.push(
        ...(await runApp({ ...todo, servers, app, workloads, environment, directory, absences })),
      )
    }
    const text = report({
      facts: facts(todo, present, environment, driver, started),
      absences,
      cases,
    })
    say('')
    process.stdout.write(text)
    if (todo.save) save(todo.kind, started, text)
  } finally {
    await Promise.all([...running].map((served) => served.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What has to be installed. */
function packagesOf({ servers, workloads }) {
  const apps = workloads.map(({ app }) => app)
  return [
    ...(apps.includes('flask_json:application') ? [{ name: 'Flask' }] : []),
    ...(apps.includes('django_page:application') ? [{ name: 'Django' }] : []),
    ...servers.flatMap(({ packages, needs }) => packages.map((name) => ({ name, needs }))),
  ]
}

/** All cases of one application: every server is started once, and they take turns. */
async function runApp({
  app,
  workloads,
  servers,
  concurrency,
  rounds,
  seconds,
  shortened,
  workers,
  environment,
  directory,
  absences,
}) {
  const { bin } = environment
  const env = { BENCH_DATABASE: join(directory, 'books.sqlite3') }
  if (app === 'django_page:application') makeDatabase(bin, env)

  say(`Starting ${servers.length} servers with ${app}`)
  /** @type {import('./served.mjs').Served[]} */
  const all = []
  // One after another: many interpreters that start at once on two cores look like servers that do
  // not start.
  for (const server of servers) {
    const options = { server, app, path: workloads[0].path, workers, bin, directory, env }
    if (app === 'plain:application') options.path = '/hello'
    try {
      const served = await serve({ ...options, onSpawn: (one) => running.add(one) })
      for (const workload of workloads) await check(served, workload)
      all.push(served)
    } catch (error) {
      abort.signal.throwIfAborted()
      absences.push(`${server.name} with ${app}: ${error.message}`)
      say(`Not here: ${absences.at(-1)}`)
    }
  }

  await Promise.all(all.map((served) => drive(served, workloads[0], WARM_UP)))
  for (const served of all)
    await idle(served.pid, { limit: IDLE_LIMIT_SECONDS, signal: abort.signal })

  const cases = []
  for (const workload of workloads) {
    for (const connections of concurrency) {
      const length = isShort({ shortened, seconds })(connections) ? 1 : seconds
      const samples = []
      for (let round = 1; round <= rounds; round++) {
        for (const served of all) {
          abort.signal.throwIfAborted()
          const sample = await turn(served, workload, connections, length)
          samples.push({ ...sample, server: served.server.name, round })
          await idle(served.pid, { limit: IDLE_LIMIT_SECONDS, signal: abort.signal })
        }
      }
      cases.push({ title: workload.title, connections, samples })
      say(`${workload.title}, ${connections}: ${fastest(samples)}`)
    }
  }
  await Promise.all([...running].map((served) => served.stop()))
  running.clear()
  return cases
}

function makeDatabase(bin, env) {
  const { status, stderr } = spawnSync(join(bin, 'python3'), [join(APPS, 'django_page.py')], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The database of the Django page could not be made:\n${stderr}`)
}

/** A server whose answer is wrong is not compared. */
async function check({ origin }, { path, method, bodySize, answers }) {
  const sent = bodySize > 0 ? 'x'.repeat(bodySize) : undefined
  const { status, body } = await ask(origin + path, { method, body: sent, timeout: 10_000 })
  if (status !== 200 || !answers(body)) {
    throw new Error(
      `It answered ${method} ${path} with ${status} and a wrong body of ` + `${body.length} bytes.`,
    )
  }
}

/** One server's turn: wrk for some seconds, and what the server's processes used in them. */
async function turn(served, workload, connections, seconds) {
  if (served.ended())
    throw new Error(`${served.server.name} has ended by itself: ${served.complaint()}`)
  let highest = 0
  const sampler = setInterval(() => {
    highest = Math.max(highest, memory(served.pid))
  }, MEMORY_INTERVAL_MS)
  const before = clocks(served)
  try {
    const result = await drive(served, workload, { connections, seconds })
    const after = clocks(served)
    const used = after.server - before.server
    const mine = after.own - before.own
    const elapsed = after.wall - before.wall
    return {
      requestsPerSecond: result.requests / result.seconds,
      p50: result.p50,
      p99: result.p99,
      cpu: (used / result.requests) * 1e6,
      memory: Math.max(highest, memory(served.pid)),
      errors: result.errors,
      unanswered: result.unanswered,
      others: Math.max(0, after.machine - before.machine - used - mine) / (elapsed * cpus().length),
    }
  } finally {
    clearInterval(sampler)
  }
}

/** Seconds used so far: by the server, by this process with wrk, by the machine; and the time. */
function clocks({ pid }) {
  const own = readFileSync('/proc/self/stat', 'utf8')
  const ticks = own
    .slice(own.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
  return {
    server: processorTime(pid),
    own: ticks.reduce((sum, text) => sum + Number(text), 0) / 100,
    machine: machineTime(),
    wall: performance.now() / 1000,
  }
}

function drive({ server, origin }, { path, method, bodySize }, { connections, seconds }) {
  const run = server.http2 ? runH2load : runWrk
  return run({
    url: origin + path,
    connections,
    seconds,
    method,
    bodySize,
    signal: abort.signal,
  })
}

function fastest(samples) {
  const best = samples.reduce((a, b) => (b.requestsPerSecond > a.requestsPerSecond ? b : a))
  return `${best.server} is fastest with ${Math.round(best.requestsPerSecond)} requests/s`
}

function facts(todo, present, environment, driver, started) {
  return [
    ...machineFacts({ started, environment, driver }),
    `${todo.rounds} rounds of ${todo.seconds} s ` +
      `each${todo.concurrency.some(isShort(todo)) ? ' (1 s with one connection)' : ''}, the ` +
      'servers taking turns',
    ...present.map((server) => serverFact(server, todo.workers, environment.versions)),
  ]
}

function save(kind, started, text) {
  const file = resultFile(kind, started)
  writeFileSync(file.path('md'), `# Benchmark, ${file.name}\n\n${text}`)
  say(`Saved as ${file.path('md')}`)
}

await runCommand(main, { script: 'bench', what: 'The benchmark' })
