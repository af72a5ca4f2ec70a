/**
 * Drives one server with wrk for some seconds.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { outputOf } from './load-generator.mjs'

const SCRIPT = fileURLToPath(new URL('measure.lua', import.meta.url))

/**
 * @typedef {object} WrkResult
 * @property {number} requests Responses that came.
 * @property {number} seconds
 * @property {number} bytes Of responses, heads included.
 * @property {number} p50 Milliseconds.
 * @property {number} p99 Milliseconds.
 * @property {number} errors Responses with a status above 399, and connections that could not be
 * opened, read or written, or were closed before their answer was complete.
 * @property {number} unanswered How many connections have certainly had no answer: what they are
 * more than the answers. Wrk counts no connection that waits until the end, so a server that
 * answers nobody has no errors by its account. Those that starve beside others that are served
 * cannot be told from here.
 *
 * @typedef {object} Mark A moment within a run.
 * @property {number} requests Sent until then.
 * @property {number} time Seconds since 1970.
 */

/** Wrk's version; throws, with what to do, when it is not installed. */
export function wrkVersion() {
  const { stdout, error } = spawnSync('wrk', ['-v'], { encoding: 'utf8' })
  if (error) {
    throw new Error(
      'wrk, which makes the requests, is not on PATH. On Debian and Ubuntu: apt-get install wrk',
    )
  }
  return /wrk\s+(\S+)/.exec(stdout)?.[1] ?? 'unknown'
}

/**
 * @param {object} load
 * @param {string} load.url
 * @param {number} load.connections
 * @param {number} load.seconds Whole seconds.
 * @param {'GET' | 'POST'} load.method
 * @param {number} load.bodySize Bytes.
 * @param {number} [load.fields] How many header fields a request has [1, Host, and what a body
 * needs].
 * @param {{seconds: [number, number], seen: (mark: Mark) => void}} [load.marks] Two moments, in
 * seconds since its start, at which it tells how many requests it has sent. Costs wrk about a
 * microsecond per request; the server nothing.
 * @param {AbortSignal} load.signal Ends it early.
 * @returns {Promise<WrkResult>}
 */
export async function runWrk({
  url,
  connections,
  seconds,
  method,
  bodySize,
  fields = 0,
  marks,
  signal,
}) {
  const args = [
    // One thread: it drives more than any of the servers answers, and leaves the second core to
    // them.
    '-t1',
    ...[`-c${connections}`, `-d${seconds}s`, '--latency'],
    // Beyond the turn's end. With wrk's own 2 s, answers that take longer are missing from the
    // percentiles.
    ...['--timeout', `${seconds + 2}s`, '-s', SCRIPT, url],
    ...['--', method, `${bodySize}`, `${fields}`, ...(marks?.seconds ?? []).map(String)],
  ]
  const seen = (text) => {
    // A mark is written at once, by itself, and shorter than what a pipe passes on in one piece.
    for (const [, requests, time] of text.matchAll(/^MARK (\d+) ([\d.]+)$/gm)) {
      marks?.seen({ requests: Number(requests), time: Number(time) })
    }
  }
  const output = await outputOf('wrk', args, { seconds, signal, seen })
  const line = output.match(/^RESULT (.*)$/m)
  if (!line) {
    throw new Error(
      `wrk told no result for ${url} with ${connections} connections: ${output.trim()}`,
    )
  }
  const { requests, microseconds, bytes, p50, p99, connect, read, write, status, timeout } =
    JSON.parse(line[1])
  return {
    requests,
    seconds: microseconds / 1e6,
    bytes,
    p50: requests === 0 ? Number.NaN : p50 / 1000,
    p99: requests === 0 ? Number.NaN : p99 / 1000,
    errors: connect + read + write + status + timeout,
    unanswered: Math.max(0, connections - requests),
  }
}
