import { expect, test, vi } from 'vitest'
import { RequestEvents } from '../observe/request-events.ts'
import { measureRequests } from './server-metrics.ts'
import { openStatsd, StatsdClient } from './statsd-client.ts'

function client(options: { prefix?: string; tags?: string } = {}) {
  const sent: string[] = []
  const sender = { send: (text: string) => sent.push(text), close: async () => {} }
  return { sent, client: new StatsdClient(sender, { prefix: '', tags: '', ...options }) }
}

test('counts are added up, values are sent one by one', () => {
  const { sent, client: statsd } = client({ prefix: 'shop..', tags: 'env:prod' })
  statsd.count('a')
  statsd.count('a', 2)
  statsd.timer('b', 1.5)
  statsd.timer('b', 2)
  statsd.gauge('c', 3)
  statsd.histogram('d', 4)
  statsd.flush()
  expect(sent).toEqual([
    [
      'shop.b:1.5|ms|#env:prod',
      'shop.b:2|ms|#env:prod',
      'shop.c:3|g|#env:prod',
      'shop.d:4|h|#env:prod',
      'shop.a:3|c|@1.0|#env:prod',
    ].join('\n'),
  ])
})

test('a datagram has at most 1,400 bytes, and whole metrics', () => {
  const { sent, client: statsd } = client()
  for (let i = 0; i < 1000; i++) statsd.timer('gunicorn.request.duration', i)
  statsd.flush()
  expect(sent.every((datagram) => datagram.length <= 1400)).toBe(true)
  const metrics = sent.flatMap((datagram) => datagram.split('\n'))
  expect(metrics).toEqual([...Array(1000).keys()].map((i) => `gunicorn.request.duration:${i}|ms`))
})

test('what is collected is sent soon, and at the end', async () => {
  const { sent, client: statsd } = client()
  statsd.count('a')
  expect(sent).toEqual([])
  await vi.waitFor(() => expect(sent).toEqual(['a:1|c|@1.0']), 25_000)
  statsd.count('b')
  await statsd.close()
  expect(sent).toEqual(['a:1|c|@1.0', 'b:1|c|@1.0'])
})

test('a request that is refused before it begins is counted, and one that begins only once', () => {
  const { sent, client: statsd } = client()
  const events = new RequestEvents((_, error) => {
    throw error
  })
  measureRequests(statsd, events)
  const refused = {
    remoteAddress: '',
    requestLine: '',
    reason: '',
    code: 'bare-lf',
    clientGaveUp: false,
    startedAt: null,
  }
  events.requestRefused.publish({ ...refused, status: 400, begun: false })
  events.requestRefused.publish({ ...refused, status: 413, begun: true })
  statsd.flush()
  expect(sent[0]!.split('\n').sort()).toEqual([
    'gunicorn.request.duration:0|ms',
    'gunicorn.request.status.400:1|c|@1.0',
    'gunicorn.requests:1|c|@1.0',
  ])
})

test('a daemon whose name nobody knows is told of, and holds up nothing', async () => {
  const told: string[] = []
  const settings = { statsdPrefix: '', dogstatsdTags: '', python: null, chdir: '.' }
  const statsd = openStatsd({ ...settings, statsdHost: 'no-such-host.invalid:8125' }, (text) =>
    told.push(text),
  )!
  statsd.count('a')
  await vi.waitFor(() => expect(told).toHaveLength(1), 60_000)
  expect(told[0]).toMatch(/^Cannot send metrics: .* \[MONO8101\]$/)
  await statsd.close()
})
