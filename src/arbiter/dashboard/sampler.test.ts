import { expect, test } from 'vitest'
import type { Snapshot } from '../../metrics/snapshot.ts'
import { percentile, Sampler } from './sampler.ts'

test('percentiles are estimated within their bucket', () => {
  expect(percentile([0, 10, 0, 0], [1, 2, 4], 0.5)).toBe(1.5)
  expect(percentile([5, 5, 0, 0], [1, 2, 4], 0.5)).toBe(1)
  expect(percentile([0, 0, 0, 3], [1, 2, 4], 0.99)).toBe(4)
  expect(percentile([0, 0, 0, 0], [1, 2, 4], 0.5)).toBeNaN()
})

test('a sample has rates of counters, sums of gauges, and nothing of before', () => {
  const snapshot = (requests: number, buckets: number[]): Snapshot => ({
    monoceros_requests_total: [
      { labels: ['GET', '2xx', 'app'], value: requests },
      { labels: ['GET', '5xx', 'app'], value: 1 },
    ],
    monoceros_connections: [
      { labels: ['http1', 'idle'], value: 2 },
      { labels: ['http2', 'idle'], value: 3 },
      { labels: ['http1', 'active'], value: 4 },
    ],
    monoceros_request_queue_seconds: [
      { labels: ['app'], value: { counts: [...buckets, ...Array(15).fill(0)], sum: 0 } },
    ],
  })
  const sampler = new Sampler()
  expect(sampler.sample(snapshot(100, [9, 0]), 1000)).toBeNull()
  expect(sampler.sample(snapshot(110, [9, 4]), 3000)).toMatchObject({
    status2xx: 5,
    status5xx: 0,
    connectionsIdle: 5,
    connectionsActive: 4,
    queueP50: 0.00075,
    applicationP50: Number.NaN,
  })
  // An acceptor whose counts are lost is no negative rate.
  expect(sampler.sample(snapshot(50, [0, 0]), 4000)).toMatchObject({ status2xx: 0 })
})
