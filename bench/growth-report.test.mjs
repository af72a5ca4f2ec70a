// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthReport, slopeBetween } from './growth-report.mjs'

const sample = (cpu, more) => ({
  cpu,
  acceptor: cpu / 2,
  worker: cpu / 2,
  requestsPerSecond: 1000,
  errors: 0,
  others: 0,
  ...more,
})
const point = (x, ...costs) => ({
  server: 'monoceros 2w',
  x,
  samples: costs.map((cpu) => sample(cpu)),
})

test('a slope compares the same rounds, so that a round on a busy machine does not bend it', () => {
  // The second round was twice as expensive at both ends.
  assert.equal(slopeBetween(point(0, 10, 20, 10), point(10_240, 30, 40, 30), 1024), 2)
})

test('a point that could not be measured says why, and the others keep their figures', () => {
  const lost = { error: 'too few answers to measure', errors: 64 }
  const curves = [
    {
      name: 'response-body',
      title: 'Response body',
      varies: 'bytes',
      points: [
        point(0, 10, 12, 14),
        { server: 'monoceros 2w', x: 1024, samples: [lost, lost, lost] },
      ],
    },
  ]
  const text = growthReport({ facts: [], notes: [], base: { connections: 64 }, curves })
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| monoceros'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  assert.deepEqual(rows[0].slice(2, 5), ['0', '12.0', '10.0 – 14.0'])
  assert.deepEqual(rows[1].slice(2, 5), ['1,024', '–', '–'])
  assert.equal(rows[1].at(-2), '192; too few answers to measure')
})
