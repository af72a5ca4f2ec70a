/**
 * Sends requests at a fixed rate with vegeta, whatever the server does (an open loop), and tells
 * how long answers took from when each request was due, not from when it could be sent: a server
 * that stalls makes later requests late, and they count (no coordinated omission).
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from './load-generator.mjs'
import { ownTime } from './process-tree.mjs'
import { percentile } from './table.mjs'

const TOOLS = fileURLToPath(new URL('.tools', import.meta.url))
const OWN = join(TOOLS, 'vegeta')
const MODULE = 'github.com/tsenart/vegeta/v12'
/** The newest, and the last one that the Go of Debian 12 builds. */
const VERSIONS = ['latest', 'v12.11.1']
/** Of fewer answers no such percentile is told: not one would be above it. */
const FEWEST = { p99: 100, p999: 1000 }
/** In this time connections are opened; its requests are left out of the percentiles. */
const WARM_UP_SECONDS = 0.25
const ANSWER_SECONDS = 10
/** More in a second are not asked of one thread that shares two cores with a server. */
export const HIGHEST_RATE = 20_000
/**
 * A generator that has used more of its one processor than this was late by itself, and what it
 * has timed is not the server.
 */
const BUSY = 0.9

/**
 * Finds vegeta, or installs it with Go into bench/.tools.
 *
 * @param {(line: string) => void} say
 * @returns {{command: string, version: string} | {failure: string}}
 */
export function ensureVegeta(say) {
  for (const command of ['vegeta', OWN]) {
    const version = versionOf(command)
    if (version !== null) return { command, version }
  }
  const how =
    'Install vegeta, which sends requests at fixed rates (Debian: apt-get install golang).'
  if (spawnSync('go', ['version']).error) return { failure: `There is no Go to build it. ${how}` }
  say('Installing vegeta with Go')
  let reason = ''
  for (const wanted of VERSIONS) {
    const { status, stderr } = spawnSync('go', ['install', `${MODULE}@${wanted}`], {
      env: { ...process.env, GOBIN: TOOLS },
      encoding: 'utf8',
    })
    const version = status === 0 ? versionOf(OWN) : null
    if (version !== null) return { command: OWN, version }
    reason ||= stderr?.trim().split('\n').at(-1) || 'it said nothing'
  }
  return { failure: `go install ${MODULE} failed: ${reason}. ${how}` }
}

/** @returns {string | null} null if it is not there. */
function versionOf(command) {
  const { status, stdout } = spawnSync(command, ['-version'], { encoding: 'utf8' })
  if (status !== 0) return null
  const said = /^Version: (\S+)$/m.exec(stdout)?.[1]
  if (said) return said
  // One that Go has installed says nothing of itself; the module's version is in the file.
  const path = command.includes('/')
    ? command
    : spawnSync('which', [command], { encoding: 'utf8' }).stdout.trim()
  const { stdout: modules } = spawnSync('go', ['version', '-m', path], { encoding: 'utf8' })
  return /^\s+mod\s+\S+\s+v(\S+)/m.exec(modules ?? '')?.[1] ?? 'of unknown version'
}

/**
 * @typedef {object} OpenLoopResult
 * @property {number} requests Answers that came.
 * @property {number} seconds From the first request to the last answer.
 * @property {number} p50 Milliseconds, as all of them: from when a request was due to the end of
 * its answer. NaN with too few answers to tell, and if the generator itself was late.
 * @property {number} p99
 * @property {number} p999
 * @property {number} errors Requests that failed, and answers with a status above 399.
 * @property {number} unanswered
 * @property {number} generator The part of a processor that the generator used.
 */

/**
 * @param {object} load
 * @param {string} load.command Vegeta's.
 * @param {string} load.url
 * @param {number} load.connections The most that are open; a request that is due while all are
 * busy waits for one, and the wait counts.
 * @param {number} load.rate Requests in a second.
 * @param {number} load.seconds
 * @param {AbortSignal} load.signal Ends it early.
 * @returns {Promise<OpenLoopResult>}
 */
export async function runVegeta({ command, url, connections, rate, seconds, signal }) {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-vegeta-'))
  const [targets, output] = ['targets', 'results'].map((name) => join(directory, name))
  writeFileSync(targets, `GET ${url}\n`)
  const args = [
    ...['attack', '-targets', targets, '-output', output, '-max-body', '0', '-http2=false'],
    ...['-rate', `${rate}/1s`, '-duration', `${seconds}s`, '-timeout', `${ANSWER_SECONDS}s`],
    ...['-workers', connections, '-max-workers', connections, '-connections', connections],
    ...['-redirects', '-1'],
  ].map(String)
  try {
    const [time, used] = [performance.now(), ownTime()]
    // One thread, as wrk: the second core is the server's.
    const env = { ...process.env, GOMAXPROCS: '1' }
    const said = await outputOf(command, args, { seconds, signal, env })
    const generator = (ownTime() - used) / ((performance.now() - time) / 1000)
    const encode = ['encode', '-to', 'csv', '-output', targets, output]
    const { status, stderr } = spawnSync(command, encode, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`vegeta told no result: ${(said + stderr).trim()}`)
    return resultOf(readFileSync(targets, 'utf8'), { rate, seconds, generator })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * @param {string} table Vegeta's: a line for each request, in any order. Its first fields are when
 * it was sent, the status (0: no answer), how long it took, both in nanoseconds; the ninth is its
 * number, from 0 in the order in which they were due.
 * @param {{rate: number, seconds: number, generator: number}} load
 * @returns {OpenLoopResult}
 */
export function resultOf(table, { rate, seconds, generator }) {
  const lines = table.split('\n').filter((line) => line !== '')
  const all = lines.map((line) => {
    const cells = line.split(',')
    // Nanoseconds since 1970 are more than a number holds: to the microsecond they fit.
    const sent = Number(cells[0].slice(0, -3)) / 1e6
    return {
      sent,
      status: Number(cells[1]),
      took: Number(cells[2]) / 1e9,
      number: Number(cells[8]),
    }
  })
  // The first one was due when it was sent. None is sent before it is due, so should the first have
  // been late, one of the others shows it.
  const start = all.reduce((least, one) => Math.min(least, one.sent - one.number / rate), Infinity)
  const times = []
  let errors = 0
  let end = start
  for (const { sent, status, took, number } of all) {
    end = Math.max(end, sent + took)
    if (status < 100 || status > 399) errors++
    else if (number / rate >= WARM_UP_SECONDS)
      times.push((sent + took - start - number / rate) * 1000)
  }
  times.sort((a, b) => a - b)
  const known = (part, least) =>
    times.length >= least && generator <= BUSY ? percentile(times, part) : Number.NaN
  // What should have been sent and was not, because nothing was answered, is an error too.
  const missing = Math.max(0, Math.floor(rate * seconds) - 1 - all.length)
  return {
    requests: all.length - errors,
    seconds: Math.max(seconds, end - start),
    p50: known(0.5, 1),
    p99: known(0.99, FEWEST.p99),
    p999: known(0.999, FEWEST.p999),
    errors: errors + missing,
    unanswered: 0,
    generator,
  }
}
