// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { marksOf } from './marks.mjs'

const MIB = 2 ** 20
const sample = (server, requestsPerSecond, more = {}) => ({
  ...{ server, round: 1, requestsPerSecond, cpu: 10, p50: 1, p99: 2, errors: 0, unanswered: 0 },
  ...{ others: 0, memory: 0, generations: [30 * MIB, 55 * MIB, 40 * MIB] },
  ...more,
})
const one = (workload, connections, samples, load = null) => ({
  ...{ workload, title: workload, over: 'http', connections, load, rounds: 1, samples },
})
const markFor = (cases, text) => marksOf({ cases }).find((mark) => mark.text.startsWith(text))

test('a mark is met at what is wanted, as the reader sees it', () => {
  const at = (ours) => [one('10k', 64, [sample('monoceros', ours), sample('granian', 1000)])]
  assert.equal(markFor(at(1000), "10k, 64: requests/s through granian's").met, true)
  assert.equal(markFor(at(996), "10k, 64: requests/s through granian's").met, true)
  assert.equal(markFor(at(990), "10k, 64: requests/s through granian's").met, false)
  assert.equal(markFor(at(990), "10k, 64: requests/s through granian's").measured, '0.99')
})

test('against gunicorn it is its best class in that case that counts', () => {
  const cases = [
    one('flask', 1, [
      sample('monoceros', 100),
      sample('gunicorn-sync', 120),
      sample('gunicorn-gthread', 80),
    ]),
  ]
  const mark = markFor(cases, "flask, 1: requests/s through gunicorn-sync's")
  assert.deepEqual([mark.wanted, mark.measured, mark.met], ['≥ 1.00', '0.83', false])
})

test('p99 at 60 % of capacity must not be above the other one', () => {
  const at = (ours) => [
    one('flask', 64, [sample('monoceros', 1, { p99: ours }), sample('granian', 1, { p99: 3 })], {
      part: 0.6,
    }),
  ]
  assert.equal(markFor(at(3), "flask: p99 beside granian's").met, true)
  assert.equal(markFor(at(3.01), "flask: p99 beside granian's").met, false)
  assert.equal(markFor(at(3), "flask: p99 beside granian's").wanted, '≤ 3.00 ms')
})

test('memory is that of arbiter and acceptor, without the workers', () => {
  const cases = [one('hello', 64, [sample('monoceros', 1)])]
  const mark = markFor(cases, 'hello, 64: PSS')
  assert.deepEqual([mark.measured, mark.met], ['85 MiB', true])
})

test('what was not measured is neither met nor missed', () => {
  for (const { measured, met } of marksOf({ cases: [] }))
    assert.deepEqual([measured, met], ['not measured', null])
})
