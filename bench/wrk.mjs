/**
 * Drives one server with wrk for some seconds.
 */
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('measure.lua', import.meta.url))
/** What wrk may take beyond its time before it is ended. */
const GRACE_SECONDS = 15

/**
 * @typedef {object} WrkResult
 * @property {number} requests Responses that came.
 * @property {number} seconds
 * @property {number} bytes Of responses, heads included.
 * @property {number} p50 Milliseconds.
 * @property {number} p99 Milliseconds.
 * @property {number} errors Responses with a status above 399, and connections that could not be opened, read or
 *   written, or had no answer in 2 seconds (wrk's limit).
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
 * @param {AbortSignal} load.signal Ends it early.
 * @returns {Promise<WrkResult>}
 */
export function runWrk({ url, connections, seconds, method, bodySize, signal }) {
  // One thread: it drives more than any of the servers answers, and leaves the second core to them.
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', SCRIPT, url]
  const child = spawn('wrk', [...args, '--', method, `${bodySize}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  const end = () => child.kill('SIGKILL')
  const timer = setTimeout(end, (seconds + GRACE_SECONDS) * 1000)
  signal.addEventListener('abort', end)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      const line = output.match(/^RESULT (.*)$/m)
      if (!line) {
        reject(new Error(`wrk told no result for ${url} with ${connections} connections: ${output.trim()}`))
        return
      }
      const { requests, microseconds, bytes, p50, p99, connect, read, write, status, timeout } = JSON.parse(
        line[1],
      )
      resolve({
        requests,
        seconds: microseconds / 1e6,
        bytes,
        p50: p50 / 1000,
        p99: p99 / 1000,
        errors: connect + read + write + status + timeout,
      })
    })
  })
}
