/**
 * What a run measures: cases, in sections whose servers run beside each other.
 *
 * @typedef {object} Case
 * @property {string} workload A name of workloads.mjs or static-files.mjs.
 * @property {number} connections
 * @property {Load} [load] Without one, each connection sends its next request when it has its
 * answer (a closed loop).
 * @property {string[]} [servers] The names of those that take part; all of the section by default.
 * @property {number} [rounds] Fewer than the run's.
 *
 * @typedef {{perSecond: number} | {part: number}} Load Requests at a fixed rate, whatever the
 * answers do (an open loop): a number in a second, or a part of the server's own capacity, which is
 * its requests/s in the closed loop of the same workload at 64 connections.
 *
 * @typedef {object} Section
 * @property {'http' | 'tls' | 'h2'} over
 * @property {string[]} servers By their names.
 * @property {Case[]} cases
 */
import { OURS } from './servers.mjs'
import { TLS_NAMES } from './tls-servers.mjs'

const GUNICORN = ['gunicorn-sync', 'gunicorn-gthread', 'gunicorn-gevent']
/** What people run today, and what is fastest. */
export const PEERS = [...GUNICORN, 'uwsgi', 'granian', 'bjoern', 'fastpysgi']
/**
 * Without gunicorn-sync, which closes each connection: its latency would be that of connecting.
 */
const AT_RATES = [OURS, ...PEERS].filter((name) => name !== 'gunicorn-sync')
const PARTS = [0.3, 0.6, 0.9]
/** How many connections a fixed rate is sent over, and at which capacity is measured. */
export const LOAD_CONNECTIONS = 64

/** @returns {Case[]} */
function atRates(workload, perSecond) {
  return [...PARTS.map((part) => ({ part })), { perSecond }].map((load) => ({
    ...{ workload, load, rounds: 2 },
    ...{ connections: LOAD_CONNECTIONS, servers: AT_RATES },
  }))
}

/** @returns {Case[]} */
function closed(workloads, connections, rounds) {
  return workloads.map((workload) => ({ workload, connections, rounds }))
}

/**
 * All of it, in ten minutes. In this order: a server's memory keeps what earlier work made it take,
 * so the large bodies come last.
 *
 * @type {Section[]}
 */
export const FULL = [
  {
    over: 'http',
    servers: [OURS, ...PEERS],
    cases: [
      ...closed(['hello', '10k'], 64),
      ...closed(['hello', '10k'], 1),
      ...closed(['echo'], 64),
      ...atRates('hello', 2000),
      ...closed(['1m', 'file'], 16),
    ],
  },
  {
    over: 'http',
    servers: [OURS, ...PEERS],
    cases: [...closed(['flask'], 64), ...closed(['flask'], 1), ...atRates('flask', 1000)],
  },
  {
    over: 'http',
    servers: [OURS, ...PEERS],
    cases: [...closed(['django'], 64), ...atRates('django', 600)],
  },
  {
    over: 'tls',
    servers: TLS_NAMES.tls,
    cases: closed(['hello', '10k'], 64, 2),
  },
  {
    over: 'h2',
    servers: TLS_NAMES.h2,
    cases: closed(['hello', '10k'], 64, 2),
  },
  {
    over: 'http',
    servers: ['monoceros-static', 'nginx'],
    cases: closed(['static-10k', 'static-1m'], 64, 2),
  },
]

/** @type {Section[]} Two minutes. */
export const QUICK = [
  {
    over: 'http',
    servers: [OURS, ...PEERS],
    cases: [
      ...closed(['hello', '10k'], 64),
      {
        ...{ workload: 'hello', load: { part: 0.6 }, rounds: 1 },
        ...{ connections: LOAD_CONNECTIONS, servers: AT_RATES },
      },
    ],
  },
  { over: 'http', servers: [OURS, ...PEERS], cases: closed(['flask'], 64) },
]

/** How a case is called in titles and messages. */
export function titleOf({ title, over, connections, load }) {
  const how = { tls: ', HTTPS', h2: ', HTTP/2' }[over] ?? ''
  if (load === undefined || load === null)
    return `${title}${how}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
  return 'part' in load
    ? `${title}${how}, at ${Math.round(load.part * 100)} % of capacity`
    : `${title}${how}, at ${load.perSecond.toLocaleString('en')} requests/s`
}
