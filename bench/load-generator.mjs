/**
 * Runs the programs that make the requests.
 */
import { spawn } from 'node:child_process'

/** What a program may take beyond its time before it is ended. */
const GRACE_SECONDS = 15

/**
 * Runs a program, and resolves with all that it printed, whatever its exit status.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {object} run
 * @param {number} run.seconds How long it makes requests.
 * @param {AbortSignal} run.signal Ends it early.
 * @param {(text: string) => void} [run.seen] Called with each piece of what it prints.
 * @param {NodeJS.ProcessEnv} [run.env]
 * @returns {Promise<string>}
 */
export function outputOf(program, args, { seconds, signal, seen, env = process.env }) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const end = () => child.kill('SIGKILL')
  const timer = setTimeout(end, (seconds + GRACE_SECONDS) * 1000)
  signal.addEventListener('abort', end)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      seen?.(text)
      output += text
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve(output)
    })
  })
}
