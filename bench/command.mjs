/**
 * What the benchmark's commands have in common: how they speak, how they end, and that no server
 * outlives them.
 */
import { setTimeout as sleep } from 'node:timers/promises'

/** A mistake on the command line. It is reported in one line, with a reference to the help. */
export class UsageError extends Error {
  code = 'BENCH_USAGE'
}

/**
 * Everything that runs now: ended whatever happens to this process. @type
 * {Set<import('./served.mjs').Served>}
 */
export const running = new Set()
/** Aborted when a signal asks the command to stop. */
export const abort = new AbortController()

/** Progress goes to standard error: standard output is the report. */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/**
 * Runs a command to its end, in good order when it is stopped by a signal; sets the exit status: 2
 * for a wrong call, 1 for what failed.
 *
 * @param {() => Promise<void>} main
 * @param {{ script: string, what: string }} names The npm script, and what its run is called: "The
 * benchmark".
 */
export async function runCommand(main, { script, what }) {
  process.on('exit', () => {
    for (const served of running) served.kill()
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, async () => {
      abort.abort(new Error(`Stopped by ${signal}`))
      // main() ends the servers in its own way; should that take too long, the exit handler does.
      await sleep(10_000, undefined, { ref: false })
      process.exit(1)
    })
  }
  try {
    await main()
  } catch (error) {
    const { message } = abort.signal.aborted ? abort.signal.reason : error
    const usage = error instanceof UsageError
    say(usage ? `${message}. See npm run ${script} -- --help` : `${what} stopped: ${message}`)
    process.exitCode = usage ? 2 : 1
  }
}
