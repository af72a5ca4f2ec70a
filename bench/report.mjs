/**
 * The results as Markdown.
 *
 * @typedef {object} Sample What one server did in one round of one case.
 * @property {string} server
 * @property {number} round
 * @property {number} requestsPerSecond
 * @property {number} [rate] How many requests were sent in a second, at a fixed rate.
 * @property {number} p50 Milliseconds.
 * @property {number} p99 Milliseconds.
 * @property {number} [p999] Milliseconds, at a fixed rate.
 * @property {number} [generator] The part of a processor that sent them.
 * @property {number} cpu Microseconds of processor time of all its processes, per request.
 * @property {number} memory Bytes, the highest seen.
 * @property {[number, number, number]} generations The same of its first process, that one's
 * children, and all others.
 * @property {number} errors
 * @property {number} unanswered Connections that had no answer.
 * @property {number} others The part of the machine that other processes used in that time, 0 to 1.
 *
 * @typedef {object} Case
 * @property {string} workload
 * @property {string} title
 * @property {'http' | 'tls' | 'h2'} over
 * @property {number} connections
 * @property {import('./cases.mjs').Load | null} load
 * @property {number} rounds
 * @property {Sample[]} samples
 *
 * @typedef {object} Result
 * @property {string} kind
 * @property {string} started
 * @property {number} seconds
 * @property {string[]} facts What was run and where, one line each.
 * @property {string[]} absences Who is missing and why.
 * @property {Case[]} cases
 */
import { titleOf } from './cases.mjs'
import {
  classesOfGunicorn,
  cpu,
  mostOf,
  peersIn,
  rate,
  ratioOf,
  samplesOf,
  serversOf,
} from './comparison.mjs'
import { marksOf } from './marks.mjs'
import { OURS, OURS_IN_NODE, oursBeside, SERVERS } from './servers.mjs'
import { decimal, figure, median, sum, table, whole } from './table.mjs'

/** @param {Result} result */
export function report(result) {
  const { kind, seconds, facts, absences, cases } = result
  const closed = cases.filter(({ load }) => load === null)
  const atRates = cases.filter(({ load }) => load !== null)
  return [
    ...facts.map((fact) => `- ${fact}`),
    `- It took ${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`,
    ...absences.map((absence) => `- Not here: ${absence}`),
    '',
    'Figures are medians of the rounds, except memory (the highest) and errors (the sum).',
    'CPU is the processor time of all processes of a server per request, including those that ' +
      'ended.',
    'Memory is PSS, summed over these processes, and sampled while they work. Servers keep ' +
      'running between cases, so it includes what earlier cases needed.',
    'Errors are responses with a status above 399, and connections that failed or were closed ' +
      'before their answer.',
    '"Unanswered" (also the sum) are connections that had no answer before the turn was over, as ' +
      'far as that shows: the number of connections minus the number of answers.',
    `"Ours, requests/s" is ${OURS}'s requests/s through the server's (${OURS_IN_NODE}'s for a ` +
      'server on Node.js), and "ours, CPU" its CPU per request through the server\'s: the median ' +
      "of the rounds' ratios.",
    ...(kind === 'full' ? ['', '## Marks', '', ...marksTable(marksOf(result))] : []),
    ...summary(closed),
    ...sameWorkers(closed),
    ...closed.flatMap((one) => ['', ...caseTable(one)]),
    ...(atRates.length === 0 ? [] : ['', ...ratesIntroduction()]),
    ...atRates.flatMap((one) => ['', ...rateTable(one)]),
    '',
  ].join('\n')
}

/** @param {import('./marks.mjs').Mark[]} marks @returns {string[]} Lines. */
export function marksTable(marks) {
  const met = marks.filter((mark) => mark.met).length
  const missed = marks.filter((mark) => mark.met === false).length
  const unknown = marks.length - met - missed
  return [
    `${met} of ${marks.length} marks are met, ${missed} missed` +
      `${unknown === 0 ? '' : `, ${unknown} not measured`}.`,
    '',
    ...table(
      ['mark', 'wanted', 'measured', ''],
      marks.map(({ group, text, wanted, measured, met: is }) => [
        `${group}: ${text}`,
        wanted,
        measured,
        is === null ? '–' : is ? 'ok' : '**missed**',
      ]),
    ),
  ]
}

/** @param {Case} one */
function caseTable(one) {
  const head = [
    ...['requests/s', 'p50 ms', 'p99 ms', 'CPU µs/request', 'memory MB', 'errors', 'unanswered'],
    ...['ours, requests/s', 'ours, CPU'],
  ]
  return section(one, head, (server, its) => [
    whole(median(its.map(rate))),
    decimal(median(its.map((sample) => sample.p50))),
    decimal(median(its.map((sample) => sample.p99))),
    figure(median(its.map(cpu))),
    whole(Math.max(...its.map((sample) => sample.memory)) / 1e6),
    whole(sum(its.map((sample) => sample.errors))),
    whole(sum(its.map((sample) => sample.unanswered))),
    ...(server === oursBeside(server) ? ['', ''] : against(one.samples, server)),
  ])
}

/**
 * A case under its title: a row of a table for each server.
 *
 * @param {Case} one
 * @param {string[]} head Of the columns after the server's name.
 * @param {(server: string, its: Sample[]) => string[]} cells
 */
function section(one, head, cells) {
  const { samples, rounds } = one
  return [
    `## ${titleOf(one)}`,
    '',
    busyLine(samples, rounds),
    '',
    ...table(
      ['server', ...head],
      serversOf(samples).map((server) => [server, ...cells(server, samplesOf(samples, server))]),
    ),
  ]
}

function busyLine(samples, rounds) {
  const busy = Math.round(median(samples.map((sample) => sample.others)) * 100)
  return (
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'}. ` +
    `Other processes used ${Number.isFinite(busy) ? busy : '–'} % of the machine (median).`
  )
}

function ratesIntroduction() {
  return [
    '# Latency at fixed rates',
    '',
    'Requests are sent at a fixed rate, whatever the answers do, and each is timed from when it ' +
      'was due: a stall counts for all requests that it made late.',
    'A part of the capacity is that part of the requests/s which the server had at 64 ' +
      'connections in this very run.',
    'A "–" means that there were too few answers to tell (in a round, 100 for p99 and 1,000 for ' +
      'p99.9), or that the generator itself had no time left.',
    'A server is left out where its rate is more than the generator can send beside a server.',
    'Errors are also requests that were due and could not be sent, because all connections waited.',
  ]
}

/** @param {Case} one */
function rateTable(one) {
  const head = ['sent/s', 'answered/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/request', 'errors']
  return section(one, head, (_server, its) => [
    whole(median(its.map((sample) => sample.rate))),
    whole(median(its.map(rate))),
    ...['p50', 'p99', 'p999'].map((name) => decimal(median(its.map((sample) => sample[name])))),
    figure(median(its.map(cpu))),
    whole(sum(its.map((sample) => sample.errors))),
  ])
}

/**
 * One line per case: against the two that people would come from, then against each. @param
 * {Case[]} cases
 */
function summary(cases) {
  const servers = peersIn(cases)
  const present = (name) => cases.some(({ samples }) => serversOf(samples).includes(name))
  if (servers.length === 0 || !(present(OURS) || present(OURS_IN_NODE))) return []
  const classes = classesOfGunicorn(servers)
  return [
    ...(classes.length > 0 || servers.includes('uwsgi')
      ? [
          '',
          `## ${OURS} against the best class of gunicorn, and uWSGI`,
          '',
          ...table(
            [
              'case',
              ...['best class of gunicorn', 'requests/s', 'CPU'],
              ...['uWSGI, requests/s', 'CPU', 'first in requests/s'],
            ],
            cases.map(({ samples, ...one }) => {
              const best = mostOf(samples, classes, rate)
              return [
                titleOf(one),
                best?.slice('gunicorn-'.length) ?? '–',
                ...against(samples, best),
                ...against(samples, 'uwsgi'),
                mostOf(samples, serversOf(samples), rate) ?? '–',
              ]
            }),
          ),
        ]
      : []),
    '',
    `## ${OURS}'s requests/s through each server's`,
    '',
    ...(present(OURS_IN_NODE) ? [`Of servers on Node.js: ${OURS_IN_NODE}'s.`, ''] : []),
    ...table(
      ['case', ...servers],
      cases.map(({ samples, ...one }) => [
        titleOf(one),
        ...servers.map((server) => against(samples, server)[0]),
      ]),
    ),
  ]
}

/** Ours against Gunicorn's with the same kind of workers. @param {Case[]} cases */
function sameWorkers(cases) {
  const has = (samples, name) => samples.some(({ server }) => server === name)
  const rows = cases.flatMap(({ samples, ...one }) =>
    SERVERS.filter(({ name, peer }) => has(samples, name) && has(samples, peer)).map(
      ({ name, peer }) => [
        titleOf(one),
        `${name} through ${peer}`,
        decimal(ratioOf(samples, name, peer, rate)),
        decimal(ratioOf(samples, name, peer, cpu)),
      ],
    ),
  )
  if (rows.length === 0) return []
  const heads = ['case', 'servers', 'requests/s', 'CPU']
  return ['', '## With the same kind of workers', '', ...table(heads, rows)]
}

/** Our requests/s and CPU per request through a server's. */
function against(samples, server) {
  return [rate, cpu].map((value) => decimal(ratioOf(samples, oursBeside(server), server, value)))
}
