/**
 * Comparing samples of one case: medians, and ratios within rounds.
 *
 * @typedef {import('./report.mjs').Sample} Sample
 * @typedef {import('./report.mjs').Case} Case
 */
import { oursBeside } from './servers.mjs'
import { median } from './table.mjs'

/** @param {Sample} sample */
export const rate = ({ requestsPerSecond }) => requestsPerSecond

/** @param {Sample} sample */
export const cpu = (sample) => sample.cpu

/** @param {Sample[]} samples */
export function serversOf(samples) {
  return [...new Set(samples.map((sample) => sample.server))]
}

/** The servers of all cases. @param {Case[]} cases */
export function serversIn(cases) {
  return serversOf(cases.flatMap(({ samples }) => samples))
}

/** Those of them that are not ours. @param {Case[]} cases */
export function peersIn(cases) {
  return serversIn(cases).filter((name) => name !== oursBeside(name))
}

/** @param {string[]} servers */
export function classesOfGunicorn(servers) {
  return servers.filter((name) => name.startsWith('gunicorn-'))
}

/** @param {Sample[]} samples @param {string} server */
export function samplesOf(samples, server) {
  return samples.filter((sample) => sample.server === server)
}

/** @param {Sample[]} samples @param {string} server @param {(sample: Sample) => number} value */
export function medianOf(samples, server, value) {
  return median(samplesOf(samples, server).map(value))
}

/**
 * The median of the ratios of samples of the same round; machine noise that both had cancels out.
 *
 * @param {Sample[]} samples @param {string} ours @param {string} theirs
 * @param {(sample: Sample) => number} value
 * @returns {number} NaN if there is none.
 */
export function ratioOf(samples, ours, theirs, value) {
  const others = samplesOf(samples, theirs)
  const ratios = samplesOf(samples, ours).flatMap((our) => {
    const their = others.find((sample) => sample.round === our.round)
    const quotient = their ? value(our) / value(their) : Number.NaN
    // CPU per request is infinite for a server that answered nothing.
    return Number.isFinite(quotient) && quotient > 0 ? [quotient] : []
  })
  return median(ratios)
}

/** The one with most of it, null when none has any. @param {(sample: Sample) => number} value */
export function mostOf(samples, servers, value) {
  const of = (server) => medianOf(samples, server, value)
  return servers.reduce(
    (best, server) => (of(server) > (best ? of(best) : 0) ? server : best),
    null,
  )
}

/** The one with least of it, null when none has any. @param {(sample: Sample) => number} value */
export function leastOf(samples, servers, value) {
  return mostOf(samples, servers, (sample) => 1 / value(sample))
}

/**
 * The cases that are meant.
 *
 * @param {Case[]} cases
 * @param {{workload: string, connections?: number, load?: object | null, over?: string}} which
 * @returns {Case | undefined}
 */
export function caseOf(cases, { workload, connections, load = null, over = 'http' }) {
  return cases.find(
    (one) =>
      one.workload === workload &&
      one.over === over &&
      JSON.stringify(one.load) === JSON.stringify(load) &&
      (connections === undefined || one.connections === connections),
  )
}
