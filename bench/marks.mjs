/**
 * What the benchmark must show of Monoceros, and whether it did. Figures are compared as the reader
 * sees them, to two decimals.
 *
 * @typedef {object} Mark
 * @property {string} group What it belongs to.
 * @property {string} text Whom it is against, in which case.
 * @property {string} wanted `≥ 1.00`
 * @property {string} measured A figure, or why there is none.
 * @property {boolean | null} met null if it was not measured.
 */
import {
  caseOf,
  classesOfGunicorn,
  cpu,
  leastOf,
  medianOf,
  mostOf,
  rate,
  ratioOf,
  serversOf,
} from './comparison.mjs'
import { OURS } from './servers.mjs'
import { decimal, whole } from './table.mjs'

const p99 = (sample) => sample.p99

const HELLO = { workload: 'hello', connections: 64 }
const TEN_K = { workload: '10k', connections: 64 }
const ECHO = { workload: 'echo', connections: 64 }
const FLASK = { workload: 'flask', connections: 64 }
const LIST = { workload: '1m', connections: 16 }
const FILE = { workload: 'file', connections: 16 }
const DJANGO = { workload: 'django', connections: 64 }
const ONE = ['hello', '10k', 'flask'].map((workload) => ({ workload, connections: 1 }))
const MANY = [HELLO, TEN_K, ECHO, FLASK, LIST, FILE, DJANGO]
const DJANGO_RATE = { workload: 'django', load: { perSecond: 600 } }
const MOST_MEMORY_MIB = 90
const MIB = 2 ** 20

/** Ours through a peer's requests/s, at least. Against `gunicorn` it is its best class there. */
const THROUGHPUT = [
  ['granian', 'granian', MANY, 1],
  ['gunicorn and uWSGI', 'gunicorn', [HELLO, TEN_K], 5],
  ['gunicorn and uWSGI', 'gunicorn', [ECHO, FLASK, LIST, FILE, DJANGO], 1],
  ['gunicorn and uWSGI', 'uwsgi', [HELLO, TEN_K], 3],
  ['gunicorn and uWSGI', 'uwsgi', [ECHO, FLASK, LIST, FILE, DJANGO], 1],
  ...['bjoern', 'fastpysgi'].flatMap((peer) => [
    ['bjoern and FastPySGI', peer, [HELLO, TEN_K, ECHO, LIST], 0.6],
    ['bjoern and FastPySGI', peer, [FLASK], 0.9],
    ['bjoern and FastPySGI', peer, [DJANGO], 1],
  ]),
  ['One connection', 'granian', ONE, 0.8],
  ['One connection', 'gunicorn', ONE, 1],
  ['One connection', 'uwsgi', ONE, 1],
]

/** @param {{cases: import('./report.mjs').Case[]}} result @returns {Mark[]} */
export function marksOf({ cases }) {
  return [
    ...THROUGHPUT.flatMap(([group, peer, which, least]) =>
      which.map((one) => throughput(cases, group, peer, one, least)),
    ),
    ...['hello', 'flask', 'django'].flatMap((workload) =>
      ['granian', 'gunicorn'].map((peer) => latency(cases, workload, peer)),
    ),
    costOfDjango(cases),
    ...[HELLO, TEN_K].map((one) => memoryOf(cases, one)),
  ]
}

function throughput(cases, group, peer, which, least) {
  const found = caseOf(cases, which)
  const name = found && peerIn(found, peer, (samples, all) => mostOf(samples, all, rate))
  return {
    group,
    text: `${which.workload}, ${which.connections}: requests/s through ${name ?? peer}'s`,
    wanted: `≥ ${decimal(least)}`,
    ...verdict(name ? ratioOf(found.samples, OURS, name, rate) : Number.NaN, (one) => one >= least),
  }
}

function latency(cases, workload, peer) {
  const found = caseOf(cases, { workload, load: { part: 0.6 } })
  const name = found && peerIn(found, peer, (samples, all) => leastOf(samples, all, p99))
  const [ours, theirs] = [OURS, name].map((one) =>
    one ? medianOf(found?.samples ?? [], one, p99) : Number.NaN,
  )
  return {
    group: 'Latency at 60 % of capacity',
    text: `${workload}: p99 beside ${name ?? peer}'s`,
    wanted: `≤ ${decimal(theirs)} ms`,
    ...verdict(Number.isFinite(theirs) ? ours : Number.NaN, (one) => one <= rounded(theirs), ' ms'),
  }
}

function costOfDjango(cases) {
  const found = caseOf(cases, DJANGO_RATE)
  const name = found && peerIn(found, 'gunicorn', (samples, all) => leastOf(samples, all, cpu))
  return {
    group: 'One connection',
    text: `django at 600 requests/s: CPU through ${name ?? 'gunicorn'}'s`,
    wanted: '≤ 1.00',
    ...verdict(name ? ratioOf(found.samples, OURS, name, cpu) : Number.NaN, (one) => one <= 1),
  }
}

function memoryOf(cases, which) {
  const all = (caseOf(cases, which)?.samples ?? [])
    .filter(({ server }) => server === OURS)
    .map(({ generations: [arbiter, acceptors] }) => (arbiter + acceptors) / MIB)
  const most = all.length === 0 ? Number.NaN : Math.max(...all)
  return {
    group: 'Memory',
    text: `${which.workload}, ${which.connections}: PSS of arbiter and acceptor`,
    wanted: `≤ ${MOST_MEMORY_MIB} MiB`,
    measured: Number.isFinite(most) ? `${whole(most)} MiB` : 'not measured',
    met: Number.isFinite(most) ? Math.round(most) <= MOST_MEMORY_MIB : null,
  }
}

/** A peer by its name; of gunicorn, the class that `best` chooses. */
function peerIn({ samples }, peer, best) {
  const servers = serversOf(samples)
  if (peer !== 'gunicorn') return servers.includes(peer) ? peer : null
  return best(samples, classesOfGunicorn(servers))
}

function verdict(value, holds, unit = '') {
  return Number.isFinite(value)
    ? { measured: `${decimal(value)}${unit}`, met: holds(rounded(value)) }
    : { measured: 'not measured', met: null }
}

function rounded(value) {
  return Math.round(value * 100) / 100
}
