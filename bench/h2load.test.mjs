// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resultOf } from './h2load.mjs'

const PRINTED = `
Application protocol: h2
finished in 2.02s, 1216.50 req/s, 48.06KB/s
requests: 5 total, 69 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 0 5xx
traffic: 96.12KB (98424) total, 22.04KB (22569) headers (space savings 90.34%), 30.89KB (31629) data
`
const LOG =
  '1795929726693976\t200\t1000\n1795929726693977\t200\t12000\n1795929726693978\t404\t3000\n'
const LOAD = { connections: 64, seconds: 2 }

test('what h2load prints is a result', () => {
  assert.deepEqual(resultOf(PRINTED, LOG, LOAD), {
    requests: 3,
    seconds: 2,
    bytes: 98424,
    p50: 3,
    p99: 12,
    errors: 1,
    unanswered: 60,
  })
})

test('a server that speaks HTTP/1.1 only is not compared', () => {
  const printed = PRINTED.replace('protocol: h2', 'protocol: http/1.1')
  assert.throws(() => resultOf(printed, LOG, LOAD), /chose http\/1.1, not h2/)
})

test('a run without a result is an error with what was printed', () => {
  assert.throws(() => resultOf('cannot connect', '', LOAD), /no result: cannot connect/)
})
