/**
 * The benchmark: us and the servers that people run today, over the same applications, in one run.
 *
 *     npm run build && npm run bench -- --quick
 *
 * What it does, and how to read it: docs/performance.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from './ask.mjs'
import { LOAD_CONNECTIONS, titleOf } from './cases.mjs'
import { abort, runCommand, running, say, UsageError } from './command.mjs'
import { h2loadVersion, STREAMS } from './h2load.mjs'
import { idle } from './idleness.mjs'
import { loadBefore, machineFacts, serverFact } from './machine.mjs'
import { ensureVegeta, HIGHEST_RATE } from './open-loop.mjs'
import { HELP, plan, WORKLOADS } from './options.mjs'
import { Pace } from './pace.mjs'
import { report } from './report.mjs'
import { resultFile, toJson } from './result-file.mjs'
import { serve } from './served.mjs'
import { APPS, OUR_COMMAND, SERVERS, serves } from './servers.mjs'
import { STATIC_SERVERS } from './static-files.mjs'
import { median, sum } from './table.mjs'
import { http2Servers, makeCertificate, tlsServers } from './tls-servers.mjs'
import { drive, turn } from './turns.mjs'
import { ensureVirtualEnvironment } from './virtual-environment.mjs'
import { wrkVersion } from './wrk.mjs'

/**
 * Each server answers so many requests before its first turn, or as many as it can in so many
 * seconds: compilers at run time, which are V8's and nobody else's here, have done most of their
 * work then.
 */
const WARM_UP = { requests: 4000, seconds: 8, connections: 16 }
/**
 * A server that is still busy with requests of clients that have gone is waited for so long, or the
 * next one's turn is its too.
 */
const IDLE_LIMIT_SECONDS = 5
/** What is planned beside the time in which requests are made: for a turn, and for a server. */
const OVERHEAD_SECONDS = { turn: 0.25, start: 0.7, warmUp: 1.2 }

async function main() {
  const todo = plan(process.argv.slice(2))
  if (todo.help) {
    process.stdout.write(HELP)
    return
  }
  if (!existsSync(OUR_COMMAND))
    throw new UsageError('monoceros is not built. First run: npm run build')
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-bench-'))
  try {
    await run(todo, directory)
  } finally {
    await stopAll()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function run(todo, directory) {
  const drivers = [`wrk ${wrkVersion()} with one thread`]
  const absences = []
  const sections = present(todo.sections.map((section) => ({ ...section, ...entries(section) })))
  const environment = ensureVirtualEnvironment({ ...todo, packages: packagesOf(sections), say })
  const vegeta = hasRates(sections) ? ensureVegeta(say) : null
  if (vegeta?.version) drivers.push(`vegeta ${vegeta.version} with one thread for fixed rates`)
  if (todo.install) {
    const failures = [...Object.values(environment.failures), vegeta?.failure, ...absences]
    for (const failure of failures.filter(Boolean)) say(failure)
    say('What can be installed is installed.')
    return
  }

  function present(all) {
    return all.filter(({ over }) => {
      try {
        if (over === 'h2') {
          const version = h2loadVersion()
          drivers.push(`h2load ${version} with one thread and ${STREAMS} streams for HTTP/2`)
        }
        return true
      } catch (error) {
        absences.push(`HTTP/2. ${error.message}`)
        return false
      }
    })
  }
  const secrets = sections.some(({ over }) => over !== 'http') ? makeCertificate(directory) : null
  for (const section of sections) section.all = described(section, secrets, directory)
  const missing = new Map()
  for (const server of sections.flatMap(({ all }) => all)) {
    const without = server.packages.find((name) => !(name in environment.versions))
    if (without === undefined) continue
    missing.set(server.name, environment.failures[without] ?? `${without} is not installed.`)
  }
  for (const [name, reason] of missing) absences.push(`${name}. ${reason}`)
  if (vegeta?.failure) absences.push(`fixed rates. ${vegeta.failure}`)
  for (const absence of absences) say(`Not here: ${absence}`)
  for (const section of sections) {
    section.all = section.all.filter(({ name }) => !missing.has(name))
    if (vegeta?.failure) section.cases = section.cases.filter(({ load }) => load === undefined)
  }

  const started = new Date()
  const before = await loadBefore(abort.signal)
  const measurable = sections.filter(({ all }) => all.length > 0)
  const estimates = measurable.flatMap((section) => estimatesOf(section, todo))
  say(`About ${Math.ceil(Math.min(sum(estimates), todo.limit) / 60)} minutes. ${before}`)
  const pace = new Pace({ seconds: todo.limit, estimates })
  const cases = []
  for (const section of measurable) {
    cases.push(
      ...(await runSection(section, { ...todo, environment, directory, absences, pace, vegeta })),
    )
  }
  /** Over HTTPS it has the same name, and little else to be told of. */
  const servers = new Map(
    measurable
      .flatMap(({ all }) => all)
      .reverse()
      .map((one) => [one.name, one]),
  )
  const result = {
    kind: todo.kind,
    started: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    facts: [
      ...machineFacts({ started, environment, driver: drivers.join(', ') }),
      before,
      `${todo.rounds} rounds of ${todo.seconds} s each where nothing else is said, the servers ` +
        'taking turns',
      ...[...servers.values()]
        .reverse()
        .map((one) => serverFact(one, todo.workers, environment.versions)),
    ],
    absences,
    cases,
  }
  const text = report(result)
  say('')
  process.stdout.write(text)
  if (todo.save) save(todo.kind, started, result, text)
  say(`It took ${Math.round(result.seconds)} s.`)
}

/** The workloads of a section's cases, and the application that they share. */
function entries({ cases }) {
  const of = (name) => WORKLOADS.find((one) => one.name === name)
  return {
    cases: cases.map((one) => ({ ...one, workload: of(one.workload) })),
    app: of(cases[0].workload).app,
  }
}

function hasRates(sections) {
  return sections.some(({ cases }) => cases.some(({ load }) => load !== undefined))
}

/** What has to be installed. */
function packagesOf(sections) {
  const apps = sections.map(({ app }) => app)
  const files = { cert: '', key: '' }
  return [
    ...(apps.includes('flask_json:application') ? [{ name: 'Flask' }] : []),
    ...(apps.includes('django_page:application') ? [{ name: 'Django' }] : []),
    ...sections
      .flatMap((section) => described(section, files, ''))
      .flatMap(({ packages, needs }) => packages.map((name) => ({ name, needs }))),
  ]
}

/** @returns {import('./servers.mjs').Server[]} */
function described({ over, servers }, files, directory) {
  const all = {
    http: () => [...SERVERS, ...STATIC_SERVERS],
    tls: () => tlsServers(files, directory),
    h2: () => http2Servers(files, directory),
  }[over]()
  return all.filter(({ name }) => servers.includes(name))
}

/** Seconds that each case of a section should take; the first one's include the start. */
function estimatesOf({ all, cases }, { rounds, seconds }) {
  return cases.map((one, index) => {
    const turns = takingPart(all, one).length * roundsOf(one, rounds)
    const { turn: perTurn, start, warmUp } = OVERHEAD_SECONDS
    return (index === 0 ? all.length * (start + warmUp) : 0) + turns * (seconds + perTurn)
  })
}

function roundsOf({ rounds = Number.POSITIVE_INFINITY }, wanted) {
  return Math.min(rounds, wanted)
}

function takingPart(all, { workload, servers }) {
  return all.filter((one) => serves(one, workload) && (servers?.includes(one.name) ?? true))
}

/** All cases of a section: every server is started once, and they take turns. */
async function runSection(section, how) {
  const { all, app, over, cases } = section
  const { workers, environment, directory, absences } = how
  const { bin } = environment
  const env = {
    BENCH_DATABASE: join(directory, 'books.sqlite3'),
    BENCH_FILE: join(directory, '1m.txt'),
  }
  if (!existsSync(env.BENCH_FILE)) writeFileSync(env.BENCH_FILE, '0123456789abcde\n'.repeat(65536))
  if (app === 'django_page:application' && !existsSync(env.BENCH_DATABASE)) makeDatabase(bin, env)

  const protocol = { http: '', tls: ' over HTTPS', h2: ' over HTTP/2' }[over]
  say(`Starting ${all.length} servers with ${app}${protocol}`)
  /** @type {import('./served.mjs').Served[]} */
  const started = []
  // One after another: many interpreters that start at once on two cores look like servers that do
  // not start.
  for (const server of all) {
    const own = cases.filter((one) => takingPart([server], one).length === 1)
    if (own.length === 0) continue
    const options = { server, app, path: own[0].workload.path, workers, bin, directory, env }
    try {
      const served = await serve({ ...options, onSpawn: (one) => running.add(one) })
      for (const { workload } of own) await check(served, workload)
      started.push(served)
    } catch (error) {
      abort.signal.throwIfAborted()
      absences.push(`${server.name} with ${app}${protocol}: ${error.message}`)
      say(`Not here: ${absences.at(-1)}`)
    }
  }
  for (const served of started) {
    await warmUp(served, cases[0].workload)
    await rest(served)
  }

  const measured = []
  /** Those that ended in a turn. */
  const gone = new Set()
  for (const one of cases) {
    const rounds = how.pace.rounds(roundsOf(one, how.rounds))
    const servers = started.filter(({ server }) => takingPart([server], one).length === 1)
    const samples = []
    for (let round = 1; round <= rounds; round++) {
      // To and fro: who comes last in one round comes first in the next.
      for (const served of round % 2 === 1 ? servers : servers.toReversed()) {
        abort.signal.throwIfAborted()
        if (gone.has(served)) continue
        const rate = rateOf(one, served.server.name, measured)
        if (Number.isNaN(rate)) continue
        const load = { ...one, seconds: how.seconds, rate, vegeta: how.vegeta?.command }
        const sample = await turn(served, load)
        if (served.ended()) {
          gone.add(served)
          absences.push(
            `${served.server.name} ended by itself at ${one.workload.title}: ${served.complaint()}`,
          )
          say(`Not here: ${absences.at(-1)}`)
          continue
        }
        samples.push({ server: served.server.name, round, ...sample })
        await rest(served)
      }
    }
    const { workload, connections, load } = one
    const { name, title } = workload
    measured.push({ workload: name, title, over, connections, load: load ?? null, rounds, samples })
    say(`${titleOf(measured.at(-1))}: ${first(measured.at(-1))}`)
  }
  await stopAll()
  return measured
}

/** NaN for what cannot be sent: no capacity is known, or more than the generator is good for. */
function rateOf({ workload, load }, server, measured) {
  if (load === undefined) return undefined
  if ('perSecond' in load) return load.perSecond
  const closed = measured.find(
    (one) =>
      one.workload === workload.name && one.load === null && one.connections === LOAD_CONNECTIONS,
  )
  const rates = closed?.samples
    .filter((sample) => sample.server === server)
    .map(({ requestsPerSecond }) => requestsPerSecond)
  const rate = Math.round(load.part * median(rates ?? []))
  return rate >= 1 && rate <= HIGHEST_RATE ? rate : Number.NaN
}

async function stopAll() {
  await Promise.all([...running].map((served) => served.stop()))
  running.clear()
}

async function warmUp(served, workload) {
  const { requests, seconds, connections } = WARM_UP
  for (let [answered, second] = [0, 0]; answered < requests && second < seconds; second++)
    answered += (await drive(served, { workload, connections, seconds: 1 })).requests
}

async function rest({ pid }) {
  await idle(pid, { limit: IDLE_LIMIT_SECONDS, signal: abort.signal })
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
      `It answered ${method} ${path} with ${status} and a wrong body of ${body.length} bytes.`,
    )
  }
}

/** Who was best, for the progress. */
function first({ load, samples }) {
  if (samples.length === 0) return 'nobody was measured'
  const least = (value) => samples.reduce((a, b) => (value(b) < value(a) ? b : a))
  if (load !== null) {
    const best = least(({ p99 }) => (Number.isFinite(p99) ? p99 : Number.POSITIVE_INFINITY))
    return Number.isFinite(best.p99)
      ? `${best.server} has the lowest p99, ${best.p99.toFixed(2)} ms`
      : 'there is no p99'
  }
  const best = least(({ requestsPerSecond }) => -requestsPerSecond)
  return `${best.server} is fastest with ${Math.round(best.requestsPerSecond)} requests/s`
}

function save(kind, started, result, text) {
  const file = resultFile(kind, started)
  writeFileSync(file.path('json'), toJson(result))
  writeFileSync(file.path('md'), `# Benchmark, ${file.name}\n\n${text}`)
  say(`Saved as ${file.path('md')} and ${file.path('json')}`)
}

await runCommand(main, { script: 'bench', what: 'The benchmark' })
