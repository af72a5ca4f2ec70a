import { expect, test } from 'vitest'
import { loadSettings } from '../../config/load-settings.ts'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { ArbiterActions } from '../actions.ts'
import { CollectedMetrics } from './collected-metrics.ts'
import { Readiness } from './readiness.ts'

/** The metrics of a server without acceptors, and its events. */
async function metricsOf() {
  const events = new ArbiterEvents((_topic, error) => {
    throw error
  })
  const ask = async () => []
  const actions = { events, state: 'serving', ask } as unknown as ArbiterActions
  const { settings } = await loadSettings({ args: ['shop:app'], env: {}, cwd: '/' })
  return { events, metrics: new CollectedMetrics(actions, new Readiness(actions), settings) }
}

test('a worker that a limit has replaced ends because of that limit, and no other one', async () => {
  const { events, metrics } = await metricsOf()
  for (const [pid, cause] of [
    [11, 'max-requests'],
    [12, 'max-memory'],
    [13, 'max-lifetime'],
    [14, 'exhausted'],
    [15, 'told'],
  ] as const) {
    events.workerRecycled.publish({ pid, replacement: 99, cause, reason: 'as logged', acceptor: 1 })
    events.workerEnded.publish({ pid, cause: 'stopped', reason: 'exited with 0', acceptor: 1 })
  }
  const { monoceros_worker_ends_total: ends = [] } = await metrics.collect()
  const counted = ends.filter(({ value }) => value !== 0)
  expect(counted.map(({ labels, value }) => [labels[0], value])).toEqual([
    ['stopped', 1],
    ['max-requests', 1],
    ['max-memory', 1],
    ['max-lifetime', 1],
    ['exhausted', 1],
  ])
})
