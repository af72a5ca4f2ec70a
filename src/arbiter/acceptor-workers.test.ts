import { expect, test } from 'vitest'
import { ArbiterEvents } from '../observe/arbiter-events.ts'
import { AcceptorWorkers } from './acceptor-workers.ts'

function watched() {
  const seen: unknown[] = []
  const events = new ArbiterEvents((_topic, error) => {
    throw error
  })
  for (const topic of ['workerStarted', 'workerReady', 'workerRecycled', 'workerEnded'] as const)
    events[topic].subscribe((event: object) => seen.push({ topic, ...event }))
  return { workers: new AcceptorWorkers(10, events), seen }
}

test('the events of workers are published with the number of their acceptor', () => {
  const { workers, seen } = watched()
  workers.publish({ topic: 'workerStarted', pid: 11, age: null })
  workers.publish({ topic: 'workerReady', pid: 11, seconds: 0.5 })
  workers.publish({
    topic: 'workerRecycled',
    pid: 11,
    replacement: 12,
    cause: 'told',
    reason: 'was full',
  })
  workers.publish({ topic: 'workerEnded', pid: 11, cause: 'stopped', reason: 'exited with 0' })
  expect(seen).toEqual([
    { topic: 'workerStarted', pid: 11, age: null, acceptor: 10 },
    { topic: 'workerReady', pid: 11, seconds: 0.5, acceptor: 10 },
    {
      topic: 'workerRecycled',
      pid: 11,
      replacement: 12,
      cause: 'told',
      reason: 'was full',
      acceptor: 10,
    },
    { topic: 'workerEnded', pid: 11, cause: 'stopped', reason: 'exited with 0', acceptor: 10 },
  ])
})

test('workers of an acceptor that was killed end with it, once', () => {
  const { workers, seen } = watched()
  workers.publish({ topic: 'workerStarted', pid: 11, age: null })
  workers.publish({ topic: 'workerStarted', pid: 12, age: null })
  workers.publish({ topic: 'workerEnded', pid: 11, cause: 'crashed', reason: 'killed by SIGKILL' })
  seen.length = 0
  const reason = 'Acceptor 10 was killed by SIGKILL'
  workers.ended(false, reason)
  workers.ended(false, reason)
  expect(seen).toEqual([
    {
      topic: 'workerEnded',
      pid: 12,
      acceptor: 10,
      cause: 'acceptor-ended',
      reason: 'ended with its acceptor: Acceptor 10 was killed by SIGKILL',
    },
  ])
})

test('workers of an acceptor that was told to stop are not said to have crashed', () => {
  const { workers, seen } = watched()
  workers.publish({ topic: 'workerStarted', pid: 11, age: null })
  seen.length = 0
  workers.ended(true, 'Acceptor 10 exited with status 0')
  expect(seen).toMatchObject([{ cause: 'stopped' }])
})
