/**
 * What was measured, where and with what: the lines that every result begins with.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { machineTime } from './process-tree.mjs'
import { OURS } from './servers.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** How long the machine is looked at before a run. */
const LOOK_SECONDS = 2

/**
 * @param {object} run
 * @param {Date} run.started
 * @param {import('./virtual-environment.mjs').VirtualEnvironment} run.environment
 * @param {string} run.driver What makes the requests, with its version.
 * @returns {string[]}
 */
export function machineFacts({ started, environment, driver }) {
  const { python, versions } = environment
  const changed =
    git('status', '--porcelain', '--untracked-files=no', '--', '../src', '../python') !== ''
  const frameworks = ['Flask', 'Django']
    .filter((name) => name in versions)
    .map((name) => `${name} ${versions[name]}`)
  return [
    `${started.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${OURS} at ` +
      (git('rev-parse', '--short', 'HEAD') || 'an unknown commit') +
      (changed ? ', with changes' : ''),
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB, Linux ` +
      `${execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim()}`,
    `Node ${process.versions.node}, Python ${[python, ...frameworks].join(', ')}, ` +
      `${driver}, over loopback`,
  ]
}

/** What the machine did before anything was started, as a sentence. @param {AbortSignal} signal */
export async function loadBefore(signal) {
  const before = machineTime()
  await sleep(LOOK_SECONDS * 1000, undefined, { signal })
  const busy = (machineTime() - before) / (LOOK_SECONDS * cpus().length)
  const load = loadavg().map((one) => one.toFixed(2))
  return (
    `Before it, other processes used ${Math.round(Math.min(1, busy) * 100)} % of the machine ` +
    `(load ${load.join(', ')})`
  )
}

/**
 * A server's version and shape, in a line.
 *
 * @param {import('./servers.mjs').Server} server
 * @param {number} workers
 * @param {Record<string, string>} versions Of the packages that are installed.
 */
export function serverFact({ name, packages, shape, library }, workers, versions) {
  let which = packages.map((one) => `${one} ${versions[one]}`).join(', ')
  if (name === 'nginx') which = `nginx ${nginxVersion()}`
  else if (library !== undefined) which = `${library} ${versionOf(library)}`
  else if (packages.length === 0) which = version
  return `${name}: ${which}; ${shape(workers)}`
}

function nginxVersion() {
  const { stderr } = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  return /[\d.]+/.exec(stderr ?? '')?.[0] ?? 'of unknown version'
}

/** The version of an npm package, or of Node.js itself. */
function versionOf(library) {
  if (library === 'node:http') return process.versions.node
  const path = new URL(`../node_modules/${library}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(path, 'utf8')).version
}

function git(...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: HERE, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}
