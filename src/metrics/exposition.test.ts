import { expect, test } from 'vitest'
import { exposition, formatFor } from './exposition.ts'

test.each([
  [undefined, 'prometheus'],
  ['*/*', 'prometheus'],
  ['text/plain;version=0.0.4', 'prometheus'],
  ['application/openmetrics-text', 'openmetrics'],
  [
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3',
    'openmetrics',
  ],
  ['application/openmetrics-text;q=0.2, text/plain', 'prometheus'],
  ['application/openmetrics-text;q=0', 'prometheus'],
  ['application/openmetrics-text;version=0.0.1,text/plain;q=0.5', 'prometheus'],
  ['application/openmetrics-text;q=x', 'prometheus'],
])('who accepts %s gets %s', (accept, format) => {
  expect(formatFor(accept)).toBe(format)
})

const snapshot = {
  monoceros_requests_total: [{ labels: ['GET', '2xx', 'a"\\\nb'], value: 3 }],
  monoceros_event_loop_delay_seconds: [
    {
      labels: ['1'],
      value: {
        counts: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        sum: 20.5,
        exemplars: [
          { traceId: 'abc', value: 0.0005, at: 17 },
          ...Array.from({ length: 13 }, () => null),
        ],
      },
    },
  ],
} as const

test('Prometheus: labels are escaped, and buckets are cumulative', async () => {
  const { text, contentType } = await exposition(snapshot, 'prometheus')
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain(
    'monoceros_requests_total{method="GET",status="2xx",application="a\\"\\\\\\nb"} 3\n',
  )
  expect(text).toContain('monoceros_event_loop_delay_seconds_bucket{slot="1",le="0.001"} 1\n')
  expect(text).toContain('monoceros_event_loop_delay_seconds_bucket{slot="1",le="0.005"} 3\n')
  expect(text).toContain('monoceros_event_loop_delay_seconds_bucket{slot="1",le="+Inf"} 4\n')
  expect(text).toContain('monoceros_event_loop_delay_seconds_sum{slot="1"} 20.5\n')
  expect(text).toContain('monoceros_event_loop_delay_seconds_count{slot="1"} 4\n')
  expect(text).not.toContain('trace_id')
})

test('OpenMetrics: exemplars, and counters whose family has no _total', async () => {
  const { text } = await exposition(snapshot, 'openmetrics')
  expect(text).toContain('# TYPE monoceros_requests counter\nmonoceros_requests_total{')
  expect(text).toContain('{slot="1",le="0.001"} 1 # {trace_id="abc"} 0.0005 17\n')
  expect(text.endsWith('\n# EOF\n')).toBe(true)
})
