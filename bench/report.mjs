/**
 * The results as Markdown.
 *
 * @typedef {object} Sample What one server did in one round of one case.
 * @property {string} server
 * @property {number} round
 * @property {number} requestsPerSecond
 * @property {number} p50 Milliseconds.
 * @property {number} p99 Milliseconds.
 * @property {number} cpu Microseconds of processor time of all its processes, per request.
 * @property {number} memory Bytes, the highest seen.
 * @property {number} errors
 * @property {number} others The part of the machine that other processes used meanwhile, 0 to 1.
 *
 * @typedef {object} Case
 * @property {string} title
 * @property {number} connections
 * @property {Sample[]} samples
 */
import { OURS } from './servers.mjs'

/**
 * @param {object} run
 * @param {string[]} run.facts What was run and where, one line each.
 * @param {string[]} run.absences Who is missing and why.
 * @param {Case[]} run.cases
 */
export function report({ facts, absences, cases }) {
  return [
    ...facts.map((fact) => `- ${fact}`),
    ...absences.map((absence) => `- Not here: ${absence}`),
    '',
    'Figures are medians of the rounds, but for memory (the highest) and errors (the sum). CPU is the processor time of',
    'all processes of a server, ended ones too, per request. Memory is PSS, summed over these processes, sampled while',
    'they work; servers keep running between cases, so it holds what earlier cases made them take. Errors are responses',
    'with a status above 399 and connections that failed or had no answer for 2 s.',
    `"Ours, requests/s" is ${OURS}'s requests/s through the server's, and "ours, CPU" its CPU per request through the`,
    "server's: the median of the rounds' ratios.",
    ...cases.flatMap((one) => ['', ...caseTable(one)]),
    '',
    ...summary(cases),
    '',
  ].join('\n')
}

/** @param {Case} one */
function caseTable({ title, connections, samples }) {
  const busy = Math.round(median(samples.map((sample) => sample.others)) * 100)
  const ours = samples.filter((sample) => sample.server === OURS)
  return [
    `## ${title}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
    '',
    `Other processes used ${busy} % of the machine (median).`,
    '',
    ...table(
      [
        'server',
        'requests/s',
        'p50 ms',
        'p99 ms',
        'CPU µs/request',
        'memory MB',
        'errors',
        'ours, requests/s',
        'ours, CPU',
      ],
      serversOf(samples).map((server) => {
        const its = samples.filter((sample) => sample.server === server)
        return [
          server,
          whole(median(its.map((sample) => sample.requestsPerSecond))),
          median(its.map((sample) => sample.p50)).toFixed(2),
          median(its.map((sample) => sample.p99)).toFixed(2),
          figure(median(its.map((sample) => sample.cpu))),
          whole(Math.max(...its.map((sample) => sample.memory)) / 1e6),
          whole(its.reduce((sum, sample) => sum + sample.errors, 0)),
          ...(server === OURS
            ? ['', '']
            : [ratio(ours, its, (s) => s.requestsPerSecond), ratio(ours, its, (s) => s.cpu)]),
        ]
      }),
    ),
  ]
}

/** One line per case: how many times as many requests per second as each. @param {Case[]} cases */
function summary(cases) {
  const servers = [...new Set(cases.flatMap(({ samples }) => serversOf(samples)))].filter(
    (name) => name !== OURS,
  )
  if (servers.length === 0 || !cases.some(({ samples }) => serversOf(samples).includes(OURS))) return []
  return [
    `## ${OURS}'s requests/s through each server's`,
    '',
    ...table(
      ['case', ...servers],
      cases.map(({ title, connections, samples }) => {
        const of = (name) => samples.filter((sample) => sample.server === name)
        return [
          `${title}, ${connections}`,
          ...servers.map((name) => ratio(of(OURS), of(name), (sample) => sample.requestsPerSecond)),
        ]
      }),
    ),
  ]
}

/** The median of the ratios of samples of the same round; machine noise that both had cancels out. */
function ratio(ours, theirs, value) {
  const ratios = ours.flatMap((our) => {
    const their = theirs.find((sample) => sample.round === our.round)
    const quotient = their ? value(our) / value(their) : Number.NaN
    // CPU per request is infinite for a server that answered nothing.
    return Number.isFinite(quotient) && quotient > 0 ? [quotient] : []
  })
  return ratios.length === 0 ? '–' : median(ratios).toFixed(2)
}

function serversOf(samples) {
  return [...new Set(samples.map((sample) => sample.server))]
}

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)))
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...rows.map(line)]
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function whole(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–'
}

/** Three significant digits for what is small, whole numbers above. */
function figure(value) {
  return !Number.isFinite(value) ? '–' : value < 100 ? value.toPrecision(3) : whole(value)
}
