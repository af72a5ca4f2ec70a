/**
 * One server's turn in a case: it is driven for some seconds, and what its processes used in them
 * is told.
 */
import { cpus } from 'node:os'
import { abort } from './command.mjs'
import { runH2load } from './h2load.mjs'
import { runVegeta } from './open-loop.mjs'
import { machineTime, memoryByGeneration, ownTime, processorTime } from './process-tree.mjs'
import { sum } from './table.mjs'
import { runWrk } from './wrk.mjs'

/**
 * How often memory is looked at during a case. More often would cost the servers the time they are
 * measured by.
 */
const MEMORY_INTERVAL_MS = 700

/**
 * @param {import('./served.mjs').Served} served
 * @param {object} how
 * @param {import('./workloads.mjs').Workload} how.workload
 * @param {number} how.connections
 * @param {number} how.seconds
 * @param {number} [how.rate] Requests in a second; without it, as many as come.
 * @param {string} [how.vegeta] The command that sends them at a rate.
 * @returns {Promise<Omit<import('./report.mjs').Sample, 'server' | 'round'>>}
 */
export async function turn(served, how) {
  let most = [0, 0, 0]
  const look = () => {
    const now = memoryByGeneration(served.pid)
    if (sum(now) > sum(most)) most = now
  }
  const sampler = setInterval(look, MEMORY_INTERVAL_MS)
  const before = clocks(served)
  try {
    const result = await drive(served, how)
    const after = clocks(served)
    look()
    const used = after.server - before.server
    const mine = after.own - before.own
    const elapsed = after.wall - before.wall
    return {
      requestsPerSecond: result.requests / result.seconds,
      ...(how.rate === undefined
        ? {}
        : { rate: how.rate, p999: result.p999, generator: result.generator }),
      p50: result.p50,
      p99: result.p99,
      cpu: (used / result.requests) * 1e6,
      memory: sum(most),
      generations: most,
      errors: result.errors,
      unanswered: result.unanswered,
      others: Math.max(0, after.machine - before.machine - used - mine) / (elapsed * cpus().length),
    }
  } finally {
    clearInterval(sampler)
  }
}

/** Drives a server, with the program that its protocol and the load need. */
export function drive({ server, origin }, { workload, connections, seconds, rate, vegeta }) {
  const { path, method, bodySize } = workload
  const load = { url: origin + path, connections, seconds, method, bodySize, signal: abort.signal }
  if (rate !== undefined) return runVegeta({ ...load, rate, command: vegeta })
  return server.http2 ? runH2load(load) : runWrk(load)
}

/** Seconds used so far: by the server, by this process with wrk, by the machine; and the time. */
function clocks({ pid }) {
  return {
    server: processorTime(pid),
    own: ownTime(),
    machine: machineTime(),
    wall: performance.now() / 1000,
  }
}
