/**
 * A server that runs: started on a free port of 127.0.0.1, seen to answer, and ended with all it
 * started.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './ask.mjs'
import { lives, processTree } from './process-tree.mjs'
import { APPS } from './servers.mjs'

const START_SECONDS = 30
const STOP_SECONDS = 5

/**
 * @typedef {object} Served
 * @property {import('./servers.mjs').Server} server
 * @property {number} pid The first of its processes.
 * @property {string} origin `http://127.0.0.1:PORT`, or `https://…`
 * @property {() => boolean} ended Whether its first process has ended.
 * @property {() => string} complaint The line it printed that most likely says what went wrong.
 * @property {() => Promise<void>} stop Resolves when no process of it is left.
 * @property {() => void} kill Ends every process of it at once.
 */

/**
 * Starts a server and resolves when it answers; rejects, with what it printed, when it ends or is
 * silent.
 *
 * @param {object} options
 * @param {import('./servers.mjs').Server} options.server
 * @param {string} options.app MODULE:NAME.
 * @param {string} options.path A path that is answered 200.
 * @param {number} options.workers
 * @param {string} options.bin
 * @param {string} options.directory A folder for its log.
 * @param {Record<string, string>} options.env Added to the environment.
 * @param {(served: Served) => void} options.onSpawn Told before anything can go wrong, so that
 * nothing is left running.
 * @returns {Promise<Served>}
 */
export async function serve({ server, app, path, workers, bin, directory, env, onSpawn }) {
  const port = await freePort()
  const [command, ...args] = server.command({ bin, app, port, workers })
  // A file, not a pipe: a server never waits for this process to read.
  const logPath = join(directory, `${server.name}-${port}.log`)
  const log = openSync(logPath, 'w')
  const child = spawn(command, args, {
    cwd: directory,
    env: { ...cleanEnvironment(bin), ...env },
    stdio: ['ignore', log, log],
    // A session of its own, by which its processes are found, and which Ctrl-C does not reach
    // before this process does.
    detached: true,
  })
  closeSync(log)
  const { pid } = child
  if (pid === undefined) {
    const [error] = await once(child, 'error')
    throw error
  }
  const ended = () => child.exitCode !== null || child.signalCode !== null
  /**
   * Those that were there when it first answered: should a parent die, children in sessions of
   * their own are still known.
   */
  let seen = []
  const all = () => [...processTree(pid), ...seen.filter(lives)]
  const kill = () => {
    for (const process of all()) end(process, 'SIGKILL')
  }
  /** @type {Served} */
  const served = {
    server,
    pid,
    origin: `${server.scheme ?? 'http'}://127.0.0.1:${port}`,
    ended,
    complaint: () => complaint(readFileSync(logPath, 'utf8')),
    kill,
    async stop() {
      seen = all()
      if (!ended()) child.kill('SIGTERM')
      for (let waited = 0; waited < STOP_SECONDS * 20 && seen.some(lives); waited++) await sleep(50)
      kill()
    },
  }
  onSpawn(served)

  const until = Date.now() + START_SECONDS * 1000
  for (;;) {
    if (ended()) throw new Error(`${server.name} ended at its start: ${served.complaint()}`)
    const status = await statusOf(served.origin + path)
    if (status === 200) {
      seen = processTree(pid)
      return served
    }
    if (status !== null && status < 500)
      throw new Error(`${server.name} answered ${status} to ${path}`)
    if (Date.now() > until) {
      throw new Error(
        `${server.name} gave no answer to ${path} in ${START_SECONDS} s: ${served.complaint()}`,
      )
    }
    await sleep(100)
  }
}

function complaint(log) {
  const lines = log.split('\n').map((line) => line.trim())
  return (
    lines.findLast((line) => /(error|exception)\b.*:/i.test(line)) ??
    lines.findLast((line) => line !== '') ??
    'it printed nothing'
  )
}

/** @returns {Promise<number | null>} null while nothing listens. */
async function statusOf(url) {
  try {
    return (await ask(url, { timeout: 5000 })).status
  } catch {
    return null
  }
}

/** A port that nobody listens at now. */
async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address()
  listener.close()
  await once(listener, 'close')
  return port
}

/** This environment without what would change how Python, Node or one of the servers runs. */
function cleanEnvironment(bin) {
  const env = { ...process.env, PYTHONPATH: APPS, PATH: `${bin}:${process.env.PATH}` }
  for (const name of Object.keys(env)) {
    if (
      /^(MONOCEROS_|GUNICORN_|GRANIAN_|UWSGI_|WEB_CONCURRENCY$|PORT$|NODE_|DJANGO_|FLASK_)/.test(
        name,
      )
    )
      delete env[name]
  }
  return env
}

function end({ pid }, signal) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
