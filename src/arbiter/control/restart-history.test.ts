import { expect, test } from 'vitest'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import { RestartHistory } from './restart-history.ts'

function history() {
  const events = new ArbiterEvents((_topic, error) => {
    throw error
  })
  return { events, history: new RestartHistory(events) }
}

test('the newest 100 restarts are kept, and all are counted', () => {
  const { events, history: kept } = history()
  for (let pid = 1; pid <= 250; pid++)
    events.acceptorEnded.publish({ pid, expected: false, reason: 'killed by SIGKILL' })
  events.acceptorEnded.publish({ pid: 251, expected: true, reason: 'stopped' })
  expect(kept.restarts).toHaveLength(100)
  expect(kept.restarts.at(-1)).toMatchObject({ pid: 250, kind: 'acceptor', cause: 'crashed' })
  expect(kept.counts).toEqual({ crashed: 250 })
})

test('the last reload has its cause, its result and the reason of a failure', () => {
  const { events, history: kept } = history()
  expect(kept.lastReload).toBe(null)
  events.reload.publish({ phase: 'begun', cause: 'SIGHUP' })
  expect(kept.lastReload).toMatchObject({ result: 'in-progress', cause: 'SIGHUP', seconds: null })
  events.reload.publish({ phase: 'failed', reason: 'ImportError' })
  expect(kept.lastReload).toMatchObject({
    result: 'failed',
    cause: 'SIGHUP',
    reason: 'ImportError',
  })
  events.reload.publish({ phase: 'begun', cause: 'monoceros ctl' })
  events.reload.publish({ phase: 'done' })
  expect(kept.lastReload).toMatchObject({ result: 'done', cause: 'monoceros ctl', reason: null })
})

test('the newest 20 blocked event loops are kept, with so much of their stacks', () => {
  const { events, history: kept } = history()
  for (let pid = 1; pid <= 30; pid++)
    events.loopBlocked.publish({ pid, seconds: 2, stack: 'x'.repeat(10_000) })
  expect(kept.blockedLoops).toHaveLength(20)
  expect(kept.blockedLoops.at(-1)).toMatchObject({ worker: 30, request: null, seconds: 2 })
  expect(kept.blockedLoops[0]?.stack).toHaveLength(8192)
})
