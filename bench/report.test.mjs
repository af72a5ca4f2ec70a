// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { report } from './report.mjs'
import { median } from './table.mjs'

const sample = (server, round, requestsPerSecond, cpu) => ({
  server,
  round,
  requestsPerSecond,
  cpu,
  p50: 1,
  p99: 2,
  memory: 1e6,
  generations: [2e5, 3e5, 5e5],
  errors: 0,
  unanswered: 0,
  others: 0,
})

/** A result of one case. */
const result = (one) => ({
  ...{ kind: 'custom', started: '2026-11-29T12:00:00.000Z', seconds: 61, facts: [], absences: [] },
  cases: [{ workload: 'hello', title: 'Hello', over: 'http', load: null, rounds: 1, ...one }],
})

test('the median of an even number of values is the mean of the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([9, 1, 5]), 5)
})

test('a ratio is the median of the ratios within rounds, not the ratio of medians', () => {
  const samples = [
    sample('monoceros', 1, 100, 10),
    sample('uwsgi', 1, 50, 20),
    sample('monoceros', 2, 10, 100),
    sample('uwsgi', 2, 2, 400),
    sample('monoceros', 3, 90, 11),
    sample('uwsgi', 3, 30, 33),
  ]
  const text = report(result({ connections: 64, samples }))
  const [row] = text.match(/^\| uwsgi.*$/m)
  assert.deepEqual(
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(-3, -1),
    ['3.00', '0.33'],
  )
})

test('a server that answered nothing has no ratio and breaks no table', () => {
  const samples = [
    sample('monoceros', 1, 100, 10),
    sample('waitress', 1, 0, Number.POSITIVE_INFINITY),
  ]
  const text = report(result({ connections: 1, samples }))
  const [row] = text.match(/^\| waitress.*$/m)
  assert.deepEqual(
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(-3, -1),
    ['–', '–'],
  )
})

test('the best class of gunicorn is the one with most requests per second in that very case', () => {
  const samples = [
    sample('monoceros', 1, 120, 10),
    sample('gunicorn-sync', 1, 20, 40),
    sample('gunicorn-gevent', 1, 30, 50),
    sample('uwsgi', 1, 60, 25),
    sample('bjoern', 1, 240, 5),
  ]
  const text = report(result({ connections: 64, samples }))
  const [row] = text.match(/^\| Hello, 64.*$/m)
  assert.deepEqual(
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
    ['Hello, 64 connections', 'gevent', '4.00', '0.20', '2.00', '0.40', 'bjoern'],
  )
})

test('servers with the same kind of workers are compared with each other', () => {
  const samples = [
    sample('monoceros-gevent', 1, 90, 20),
    sample('gunicorn-gevent', 1, 30, 50),
    sample('monoceros-gthread', 1, 100, 10),
  ]
  const text = report(result({ connections: 64, samples }))
  const rows = text.split('## With the same kind of workers')[1].match(/^\| Hello, 64.*$/gm)
  assert.deepEqual(rows.length, 1)
  assert.match(rows[0], /monoceros-gevent through gunicorn-gevent +\| +3\.00 +\| +0\.40/)
})

test('latency at a fixed rate has a table of its own, and no ratio of requests', () => {
  const samples = [
    { ...sample('monoceros', 1, 600, 10), rate: 600, p999: 4 },
    { ...sample('granian', 1, 599, 20), rate: 600, p999: Number.NaN },
  ]
  const text = report(
    result({ connections: 64, load: { perSecond: 600 }, samples: samples.slice(0, 2) }),
  )
  assert.match(text, /^## Hello, at 600 requests\/s$/m)
  assert.match(text, /^\| granian +\| +600 \| +599 \| +1\.00 \| +2\.00 \| +– \| +20\.0 \| +0 \|$/m)
  assert.doesNotMatch(text, /through each server's$/m)
})
