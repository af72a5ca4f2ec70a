/**
 * How cost grows, as Markdown. The plots are made from the same figures by plot.py.
 *
 * @typedef {object} Sample One measurement of a point.
 * @property {string} [error] Why it has no figures.
 * @property {number} requestsPerSecond
 * @property {number} cpu Microseconds of processor time of all processes, per request.
 * @property {number} acceptor Of them, the acceptors'. NaN for servers that have none.
 * @property {number} worker Of them, the workers'.
 * @property {number} memory Bytes of all processes (PSS), at the end.
 * @property {number} errors
 * @property {number} others The part of the machine that other processes used in that time, 0 to 1.
 *
 * @typedef {object} Point
 * @property {string} server
 * @property {number | string} x
 * @property {Sample[]} samples
 *
 * @typedef {object} Curve
 * @property {string} name
 * @property {string} title
 * @property {string} varies
 * @property {Point[]} points
 */
import { figure, median, table, whole } from './table.mjs'

/** What the slope is told in, by what varies: a name, and how many of the axis make one. */
const SLOPES = { fields: ['µs per field', 1], bytes: ['µs per KB', 1024] }

/**
 * @param {object} run
 * @param {string[]} run.facts
 * @param {string[]} run.notes What is missing and why.
 * @param {{connections: number}} run.base
 * @param {Curve[]} run.curves
 */
export function growthReport({ facts, notes, base, curves }) {
  return [
    ...facts.map((fact) => `- ${fact}`),
    ...notes.map((note) => `- ${note}`),
    '',
    `One thing varies, everything else stays the same: ${base.connections} connections, 2 ` +
      'workers, 1 acceptor, no header fields except Host, no request body, a response body of 14 ' +
      'bytes.',
    'CPU is the processor time per request of all processes of a server: the median of the ' +
      'rounds, and behind it the least and the most of them.',
    'A slope is the difference to the first point of that server, divided by the difference on ' +
      'the axis.',
    'Errors are the sum over the rounds.',
    ...curves.flatMap((curve) => ['', ...curveSection(curve)]),
    '',
  ].join('\n')
}

/** @param {Curve} curve */
function curveSection({ title, varies, points }) {
  const busy = median(points.flatMap(({ samples }) => samples.map(({ others }) => others)))
  const slope = SLOPES[varies]
  const idle = varies === 'idle connections'
  return [
    `## ${title}`,
    '',
    'Other processes used ' +
      `${Number.isFinite(busy) ? `${Math.round(busy * 100)} %` : 'an unknown part'} of the ` +
      'machine (median).',
    '',
    ...table(
      [
        'server',
        varies,
        'CPU µs/request',
        'least – most',
        'acceptor',
        'workers',
        ...(slope ? [slope[0]] : []),
        'requests/s',
        ...(idle ? ['memory MB'] : []),
        'errors',
      ],
      points.map((point) => {
        const of = (what) => median(point.samples.map((sample) => sample[what]))
        const all = point.samples.map(({ cpu }) => cpu).filter(Number.isFinite)
        const first = points.find(({ server }) => server === point.server)
        return [
          point.server,
          typeof point.x === 'number' ? whole(point.x) : point.x,
          figure(of('cpu')),
          all.length === 0 ? '–' : `${figure(Math.min(...all))} – ${figure(Math.max(...all))}`,
          figure(of('acceptor')),
          figure(of('worker')),
          ...(slope ? [point === first ? '' : figure(slopeBetween(first, point, slope[1]))] : []),
          whole(of('requestsPerSecond')),
          ...(idle ? [whole(of('memory') / 1e6)] : []),
          errors(point.samples),
        ]
      }),
    ),
  ]
}

/**
 * How many microseconds more each further unit costs, between two points of one server: the median
 * of the rounds' slopes, in which what else the machine did cancels out.
 *
 * @param {Point} from
 * @param {Point} to
 * @param {number} unit How many of the axis are one unit.
 */
export function slopeBetween(from, to, unit) {
  return median(
    to.samples.map((sample, i) => (sample.cpu - from.samples[i]?.cpu) / ((to.x - from.x) / unit)),
  )
}

/** Their sum, and why samples have no figures. */
function errors(samples) {
  const reasons = [...new Set(samples.flatMap(({ error }) => (error ? [error] : [])))]
  return [whole(samples.reduce((sum, one) => sum + one.errors, 0)), ...reasons].join('; ')
}
