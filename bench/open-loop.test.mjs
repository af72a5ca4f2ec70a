// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resultOf } from './open-loop.mjs'

const EPOCH = 1_795_950_000
/** A request, sent `sent` and answered `took` seconds later. */
const line = (number, sent, took, status = 200) => {
  const fraction = String(Math.round((sent % 1) * 1e9)).padStart(9, '0')
  const head = `${EPOCH + Math.floor(sent)}${fraction},${status},${Math.round(took * 1e9)}`
  return `${head},0,14,,,,${number},GET,http://a/,aGVhZA==`
}
const LOAD = { rate: 1000, seconds: 1, generator: 0.3 }
const near = (value, wanted) =>
  assert.ok(Math.abs(value - wanted) < 0.01, `${value}, not ${wanted}`)

test('a request that could not be sent when it was due is timed from then', () => {
  // The server stalls from 0.5 to 0.7 s: what was due in that time is sent at its end, and is fast.
  const lines = Array.from({ length: 1000 }, (_, n) =>
    line(n, n >= 500 && n < 700 ? 0.7 : n / 1000, 0.001),
  )
  const { p50, p99, errors } = resultOf(lines.join('\n'), LOAD)
  near(p50, 1)
  // The hundredth part of the 750 requests waited longest: those due first.
  near(p99, 194)
  assert.equal(errors, 0)
})

test('the time in which connections are opened is left out', () => {
  const lines = Array.from({ length: 1000 }, (_, n) => line(n, n / 1000, n < 250 ? 0.9 : 0.002))
  near(resultOf(lines.join('\n'), LOAD).p99, 2)
})

test('a percentile is not told of fewer answers than it takes', () => {
  const lines = Array.from({ length: 99 }, (_, n) => line(n, n / 50, 0.002))
  const { p50, p99, p999 } = resultOf(lines.join('\n'), { ...LOAD, rate: 50, seconds: 2 })
  near(p50, 2)
  assert.ok(Number.isNaN(p99))
  assert.ok(Number.isNaN(p999))
})

test('errors are refusals, what had no answer, and what was never sent', () => {
  const lines = [line(0, 0, 0.001), line(1, 0.001, 0.001, 503), line(2, 0.002, 0.5, 0)]
  const { requests, errors } = resultOf(lines.join('\n'), { ...LOAD, rate: 10 })
  assert.equal(requests, 1)
  assert.equal(errors, 2 + 6)
})

test('nothing is told of a server if the generator itself was late', () => {
  const lines = Array.from({ length: 1000 }, (_, n) => line(n, n / 1000, 0.002))
  const { p50, p99, requests } = resultOf(lines.join('\n'), { ...LOAD, generator: 0.95 })
  assert.ok(Number.isNaN(p50))
  assert.ok(Number.isNaN(p99))
  assert.equal(requests, 1000)
})
