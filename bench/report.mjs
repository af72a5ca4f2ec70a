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
 * @property {number} unanswered Connections that had no answer.
 * @property {number} others The part of the machine that other processes used in that time, 0 to 1.
 *
 * @typedef {object} Case
 * @property {string} title
 * @property {number} connections
 * @property {Sample[]} samples
 */
import { OURS, OURS_IN_NODE, oursBeside, SERVERS } from './servers.mjs'
import { decimal, figure, median, table, whole } from './table.mjs'

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
    ...summary(cases),
    ...sameWorkers(cases),
    ...cases.flatMap((one) => ['', ...caseTable(one)]),
    '',
  ].join('\n')
}

/** @param {Case} one */
function caseTable({ title, connections, samples }) {
  const busy = Math.round(median(samples.map((sample) => sample.others)) * 100)
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
        'unanswered',
        'ours, requests/s',
        'ours, CPU',
      ],
      serversOf(samples).map((server) => {
        const its = samples.filter((sample) => sample.server === server)
        return [
          server,
          whole(median(its.map((sample) => sample.requestsPerSecond))),
          decimal(median(its.map((sample) => sample.p50))),
          decimal(median(its.map((sample) => sample.p99))),
          figure(median(its.map((sample) => sample.cpu))),
          whole(Math.max(...its.map((sample) => sample.memory)) / 1e6),
          whole(its.reduce((sum, sample) => sum + sample.errors, 0)),
          whole(its.reduce((sum, sample) => sum + sample.unanswered, 0)),
          ...(server === oursBeside(server) ? ['', ''] : against(samples, server)),
        ]
      }),
    ),
  ]
}

/**
 * One line per case: against the two that people would come from, then against each. @param
 * {Case[]} cases
 */
function summary(cases) {
  const servers = [...new Set(cases.flatMap(({ samples }) => serversOf(samples)))].filter(
    (name) => name !== oursBeside(name),
  )
  const present = (name) => cases.some(({ samples }) => serversOf(samples).includes(name))
  if (servers.length === 0 || !(present(OURS) || present(OURS_IN_NODE))) return []
  const classes = servers.filter((name) => name.startsWith('gunicorn-'))
  const name = ({ title, connections }) => `${title}, ${connections}`
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
              const best = fastest(samples, classes)
              return [
                name(one),
                best?.slice('gunicorn-'.length) ?? '–',
                ...against(samples, best),
                ...against(samples, 'uwsgi'),
                fastest(samples, serversOf(samples)) ?? '–',
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
        name(one),
        ...servers.map((server) => against(samples, server)[0]),
      ]),
    ),
  ]
}

/** Ours against Gunicorn's with the same kind of workers. @param {Case[]} cases */
function sameWorkers(cases) {
  const has = (samples, name) => samples.some(({ server }) => server === name)
  const rows = cases.flatMap(({ title, connections, samples }) =>
    SERVERS.filter(({ name, peer }) => has(samples, name) && has(samples, peer)).map(
      ({ name, peer }) => {
        const of = (server) => samples.filter((sample) => sample.server === server)
        return [
          `${title}, ${connections}`,
          `${name} through ${peer}`,
          ratio(of(name), of(peer), (sample) => sample.requestsPerSecond),
          ratio(of(name), of(peer), (sample) => sample.cpu),
        ]
      },
    ),
  )
  if (rows.length === 0) return []
  const heads = ['case', 'servers', 'requests/s', 'CPU']
  return ['', '## With the same kind of workers', '', ...table(heads, rows)]
}

/** The one with most requests per second, null when none answered. */
function fastest(samples, servers) {
  const rate = (server) =>
    median(samples.filter((one) => one.server === server).map((one) => one.requestsPerSecond))
  return servers.reduce(
    (best, server) => (rate(server) > (best ? rate(best) : 0) ? server : best),
    null,
  )
}

/** Our requests/s and CPU per request through a server's. */
function against(samples, server) {
  const of = (name) => samples.filter((sample) => sample.server === name)
  return [
    ratio(of(oursBeside(server)), of(server), (sample) => sample.requestsPerSecond),
    ratio(of(oursBeside(server)), of(server), (sample) => sample.cpu),
  ]
}

/**
 * The median of the ratios of samples of the same round; machine noise that both had cancels out.
 */
function ratio(ours, theirs, value) {
  const ratios = ours.flatMap((our) => {
    const their = theirs.find((sample) => sample.round === our.round)
    const quotient = their ? value(our) / value(their) : Number.NaN
    // CPU per request is infinite for a server that answered nothing.
    return Number.isFinite(quotient) && quotient > 0 ? [quotient] : []
  })
  return decimal(median(ratios))
}

function serversOf(samples) {
  return [...new Set(samples.map((sample) => sample.server))]
}
