/**
 * Drives one server over HTTP/2 with h2load for some seconds.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf } from './load-generator.mjs'

/** A browser, too, has some requests under way on one connection. */
export const STREAMS = 8

/** H2load's version; throws, with what to do, when it is not installed. */
export function h2loadVersion() {
  const { stdout, error } = spawnSync('h2load', ['--version'], { encoding: 'utf8' })
  if (error) {
    throw new Error(
      'h2load, which makes the requests over HTTP/2, is not on PATH. ' +
        'On Debian and Ubuntu: apt-get install nghttp2-client',
    )
  }
  return /nghttp2\/(\S+)/.exec(stdout)?.[1] ?? 'unknown'
}

/**
 * @param {object} load
 * @param {string} load.url Over TLS; the server is to choose HTTP/2.
 * @param {number} load.connections How many requests are under way at once, eight on a connection.
 * @param {number} load.seconds Whole seconds.
 * @param {AbortSignal} load.signal Ends it early.
 * @returns {Promise<import('./wrk.mjs').WrkResult>}
 */
export async function runH2load({ url, connections, seconds, signal }) {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-h2load-'))
  const log = join(directory, 'requests')
  const streams = Math.min(STREAMS, connections)
  const args = [
    ...[`-c${Math.ceil(connections / streams)}`, `-m${streams}`, '-t1', `-D${seconds}`],
    ...['--npn-list=h2', `--log-file=${log}`, url],
  ]
  try {
    const output = await outputOf('h2load', args, { seconds, signal })
    return resultOf(output, readFileSync(log, 'utf8'), { connections, seconds })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * @param {string} output What h2load printed.
 * @param {string} log A line for each response: when the request was sent, the status (-1 for a
 * stream that was reset), and how long the response took, both in microseconds.
 * @param {{connections: number, seconds: number}} load
 * @returns {import('./wrk.mjs').WrkResult}
 */
export function resultOf(output, log, { connections, seconds }) {
  const counts = /^requests: .*, (\d+) done, \d+ succeeded, (\d+) failed/m.exec(output)
  if (!counts) throw new Error(`h2load told no result: ${output.trim()}`)
  const protocol = /^Application protocol: (\S+)/m.exec(output)?.[1]
  if (protocol !== 'h2') throw new Error(`the server chose ${protocol ?? 'no protocol'}, not h2`)
  const [, done, failed] = counts.map(Number)
  const times = Float64Array.from(
    log.split('\n').filter((line) => line !== ''),
    (line) => Number(line.split('\t')[2]) / 1000,
  ).sort()
  const percentile = (part) => times[Math.floor(times.length * part)] ?? Number.NaN
  return {
    requests: done - failed,
    seconds,
    bytes: Number(/^traffic: .*?\((\d+)\) total/m.exec(output)?.[1] ?? 0),
    p50: percentile(0.5),
    p99: percentile(0.99),
    errors: failed,
    unanswered: Math.max(0, connections - done),
  }
}
