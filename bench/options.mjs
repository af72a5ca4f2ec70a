/**
 * The command line of the benchmark.
 */
import { parseArgs } from 'node:util'
import { FULL, LOAD_CONNECTIONS, PEERS, QUICK } from './cases.mjs'
import { UsageError } from './command.mjs'
import { STREAMS } from './h2load.mjs'
import { OURS, SERVERS, serves } from './servers.mjs'
import { STATIC_SERVERS, STATIC_WORKLOADS } from './static-files.mjs'
import { TLS_NAMES } from './tls-servers.mjs'
import { WORKLOADS as OF_APPLICATIONS } from './workloads.mjs'

export const WORKLOADS = [...OF_APPLICATIONS, ...STATIC_WORKLOADS]
const PLAIN_SERVERS = [...SERVERS, ...STATIC_SERVERS]
const FULL_SECONDS = 600
const QUICK_SECONDS = 120
const ROUNDS = 3
const OVER_TLS = { workloads: ['hello', '10k'], rounds: 5, seconds: 2 }

export const HELP = `Usage: npm run bench -- [options]

Drives monoceros and other WSGI servers with wrk, h2load and vegeta, over the same applications and in
alternating rounds, prints the figures and saves them in bench/results. The servers are installed
into bench/.venv.

Without options, everything in ten minutes: plain HTTP, HTTPS, HTTP/2, static files, and latency at
fixed rates, beside ${PEERS.join(', ')}.

  --quick               hello, 10k, flask and one fixed rate: two minutes
  --install             install what is missing, and measure nothing
  --tls                 over HTTPS: ${OVER_TLS.workloads.join(', ')}, nginx in front of gunicorn
                        among the servers
  --http2               the same over HTTP/2, driven by h2load, ${STREAMS} requests at once on a
                        connection
  --servers LIST        comma separated, of: ${PLAIN_SERVERS.map(({ name }) => name).join(', ')}
  --workloads LIST      comma separated, of: ${WORKLOADS.map(({ name }) => name).join(', ')}
  --concurrency LIST    numbers of connections [64]
  --rates LIST          fixed rates after that: requests/s (600), or parts of each server's capacity
                        (60%)
  --rounds N            how often each server has its turn in each case [${ROUNDS}]
  --seconds N           how long a turn is [1; with --tls and --http2: ${OVER_TLS.seconds}]
  --workers N           worker processes of each server [2]
  --minutes N           leave out rounds to end in time [full: 10, quick: 2]
  --python FILE         the Python to make bench/.venv with [python3]
  --update              update the servers, and try again what could not be installed
  --no-save             only print
  -h, --help            print this
`

/**
 * @typedef {object} Plan
 * @property {'full' | 'quick' | 'tls' | 'http2' | 'custom'} kind
 * @property {boolean} help
 * @property {boolean} install
 * @property {import('./cases.mjs').Section[]} sections
 * @property {number} rounds
 * @property {number} seconds How long a turn is.
 * @property {number} limit Seconds that the run may take.
 * @property {number} workers
 * @property {string | undefined} python
 * @property {boolean} update
 * @property {boolean} save
 */

/**
 * What is to be run. Throws UsageError.
 *
 * @param {string[]} args
 * @returns {Plan}
 */
export function plan(args) {
  const values = parsed(args)
  const number = (name, otherwise, highest) =>
    values[name] === undefined ? otherwise : count(`--${name}`, values[name], highest)
  const chosenCases = ['servers', 'workloads', 'concurrency', 'rates'].some(
    (name) => name in values,
  )
  const over = values.http2 ? 'h2' : values.tls ? 'tls' : 'http'
  const whole = !chosenCases && over === 'http'
  const preset = values.quick
    ? { sections: QUICK, limit: QUICK_SECONDS }
    : { sections: FULL, limit: FULL_SECONDS }
  const base = over === 'http' ? { rounds: ROUNDS, seconds: 1 } : OVER_TLS
  const rounds = number('rounds', base.rounds, 100)
  // More rounds make the same run, only longer.
  const shape = rounds < base.rounds || ['seconds', 'workers'].some((name) => name in values)
  return {
    kind: kindOf({ whole, shape, chosenCases, over, quick: values.quick }),
    help: values.help ?? false,
    install: values.install ?? false,
    sections: whole ? preset.sections : customSections(values, over),
    rounds,
    seconds: number('seconds', base.seconds, 60),
    limit:
      values.minutes === undefined
        ? whole && !shape && rounds === base.rounds
          ? preset.limit
          : Number.POSITIVE_INFINITY
        : count('--minutes', values.minutes, 600) * 60,
    workers: number('workers', 2, 64),
    python: values.python,
    update: values.update ?? false,
    save: !values['no-save'],
  }
}

function kindOf({ whole, shape, chosenCases, over, quick }) {
  if (chosenCases || shape) return 'custom'
  if (!whole) return over === 'h2' ? 'http2' : 'tls'
  return quick ? 'quick' : 'full'
}

/** A grid of workloads and connections, and the rates of each workload. */
function customSections(values, over) {
  const known = over === 'http' ? PLAIN_SERVERS.map(({ name }) => name) : TLS_NAMES[over]
  const servers =
    chosen('--servers', values.servers, known) ??
    (over === 'http' ? [OURS, ...PEERS, ...STATIC_SERVERS.map(({ name }) => name)] : known)
  const rated = values.rates !== undefined
  const names = WORKLOADS.map(({ name }) => name)
  const workloads =
    chosen('--workloads', values.workloads, names) ??
    (over === 'http' ? names.filter((name) => !rated || isGet(name)) : OVER_TLS.workloads)
  const connections = values.concurrency
    ?.split(',')
    .map((text) => count('--concurrency', text, 1000)) ?? [64]
  const loads = values.rates?.split(',').map(rate) ?? []
  const byApp = new Map()
  for (const name of workloads) {
    const workload = WORKLOADS.find((one) => one.name === name)
    if (workload.method !== 'GET' && (over === 'h2' || loads.length > 0)) {
      throw new UsageError(
        `--workloads ${name}: ${over === 'h2' ? '--http2 drives' : '--rates drive'} workloads ` +
          'without a body only',
      )
    }
    if (over !== 'http' && workload.app === 'files')
      throw new UsageError(`--workloads ${name}: static files are measured in plain HTTP only`)
    const section = byApp.get(workload.app) ?? { over, servers: [], cases: [] }
    byApp.set(workload.app, section)
    section.cases.push(
      ...connections.map((one) => ({ workload: name, connections: one })),
      ...loads.map((load) => ({ workload: name, connections: LOAD_CONNECTIONS, load })),
    )
    section.servers = servers.filter((server) => serves(described(server), workload))
  }
  if (loads.some((load) => 'part' in load) && !connections.includes(LOAD_CONNECTIONS)) {
    throw new UsageError(
      `--rates: parts are those of the capacity at ${LOAD_CONNECTIONS} connections; ` +
        `add ${LOAD_CONNECTIONS} to --concurrency`,
    )
  }
  if (loads.length > 0 && over !== 'http')
    throw new UsageError('--rates are for plain HTTP, not for --tls and --http2')
  return [...byApp.values()].filter((section) => section.servers.length > 0)
}

function isGet(workload) {
  return WORKLOADS.find(({ name }) => name === workload)?.method === 'GET'
}

/** Servers over HTTPS are those of Python applications. */
function described(name) {
  return PLAIN_SERVERS.find((server) => server.name === name) ?? { name }
}

/** @returns {import('./cases.mjs').Load} */
function rate(text) {
  const match = /^(\d+)(%?)$/.exec(text)
  const value = Number(match?.[1])
  if (!match || value < 1 || value > (match[2] ? 200 : 1e6)) {
    throw new UsageError(
      `--rates ${text}: it must be requests/s, such as 600, or a part of the capacity, such as 60%`,
    )
  }
  return match[2] ? { part: value / 100 } : { perSecond: value }
}

function parsed(args) {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  try {
    return parseArgs({
      args,
      options: {
        ...{ quick: flag, install: flag, tls: flag, http2: flag, update: flag, 'no-save': flag },
        ...{ servers: text, workloads: text, concurrency: text, rates: text, rounds: text },
        ...{ seconds: text, workers: text, minutes: text, python: text },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error.message.split('\n')[0])
  }
}

function chosen(flag, text, all) {
  if (text === undefined) return undefined
  const names = text.split(',')
  for (const name of names) {
    if (!all.includes(name))
      throw new UsageError(`${flag} ${name}: there is none of that name; choose from ${all}`)
  }
  return all.filter((name) => names.includes(name))
}

function count(flag, text, highest) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > highest)
    throw new UsageError(`${flag} ${text}: it must be a whole number from 1 to ${highest}`)
  return value
}
