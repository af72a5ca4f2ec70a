import { expect, test } from 'vitest'
import { RequestMeter } from './request-meter.ts'
import type { Series } from './snapshot.ts'

const value = (series: readonly Series[] | undefined) => series?.map((one) => one.value)

test('whatever clients send as a method, there are few series', () => {
  const meter = new RequestMeter('shop:app', false)
  for (let i = 0; i < 500; i++) {
    meter.begun(false)
    meter.ended(`METHOD${i}`, 200 + i, 0.1, 0.1, 0, 0, null)
  }
  const { monoceros_requests_total: requests } = meter.snapshot()
  expect(requests?.map(({ labels }) => labels.slice(0, 2))).toEqual([
    ['other', '2xx'],
    ['other', '3xx'],
    ['other', '4xx'],
    ['other', '5xx'],
  ])
  expect(value(requests)).toEqual([100, 100, 100, 200])
})

test('requests in progress, bytes and first bytes', () => {
  const meter = new RequestMeter('shop:app', false)
  meter.begun(false)
  meter.begun(true)
  meter.streamEnded()
  meter.ended('GET', 499, 1, -1, 10, 20, null)
  const now = meter.snapshot()
  expect(value(now.monoceros_requests_in_progress)).toEqual([1])
  expect(value(now.monoceros_request_body_bytes_total)).toEqual([10])
  expect(value(now.monoceros_response_body_bytes_total)).toEqual([20])
  expect(value(now.monoceros_http2_streams_total)).toEqual([1])
  expect(value(now.monoceros_http2_streams)).toEqual([0])
  expect(now.monoceros_request_first_byte_seconds?.[0]?.value).toMatchObject({ sum: 0 })
  expect(now.monoceros_request_duration_seconds?.[0]?.value).toMatchObject({ sum: 1 })
  expect(now.monoceros_cache_requests_total).toBeUndefined()
})

test('what the cache made of a request is its own member of Cache-Status', () => {
  const meter = new RequestMeter('shop:app', true)
  for (const text of [
    'monoceros; hit; ttl=10',
    'monoceros; fwd=uri-miss; stored',
    'monoceros; fwd=uri-miss; collapsed',
    'other; hit, monoceros; fwd=stale',
    'monoceros; fwd=evil-"1"',
  ])
    meter.cached(text)
  const counted = meter
    .snapshot()
    .monoceros_cache_requests_total?.filter(({ value }) => value !== 0)
    .map(({ labels }) => labels[0])
  expect(counted).toEqual(['hit', 'collapsed', 'uri-miss', 'stale', 'other'])
})
