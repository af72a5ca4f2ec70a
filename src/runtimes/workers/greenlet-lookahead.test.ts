import { expect, it } from 'vitest'
import { GreenletLookahead } from './greenlet-lookahead.ts'

const nobody = () => false
const somebody = () => true

/** A worker of 100 greenlets whose first request without a greenlet came at `since`. */
function withUnbegun(since: number | null): GreenletLookahead {
  return new GreenletLookahead(100, (now) => (since === null ? 0 : now - since))
}

it('gives a worker as many requests as it has greenlets', () => {
  const lookahead = withUnbegun(null)
  expect(lookahead.space(0)).toBe(100)
  expect(lookahead.space(99)).toBe(1)
  expect(lookahead.space(100)).toBe(0)
})

it('recalls nothing while all have begun, however long they wait', () => {
  const lookahead = withUnbegun(null)
  expect(lookahead.isRecallDue(50, 1000, true, somebody)).toBe(false)
  expect([lookahead.stuck, lookahead.isIdle(50), lookahead.isIdle(100)]).toEqual([
    false,
    true,
    false,
  ])
})

it('recalls what a greenlet that computes keeps from beginning, if another worker is free', () => {
  const lookahead = withUnbegun(1000)
  expect(lookahead.isRecallDue(3, 1004, false, somebody)).toBe(false)
  expect(lookahead.isRecallDue(3, 1006, false, nobody)).toBe(false)
  expect([lookahead.space(3), lookahead.isIdle(3)]).toEqual([0, false])
  expect(lookahead.isRecallDue(3, 1006, false, somebody)).toBe(true)
  lookahead.recalled(1006)
  expect(lookahead.isRecallDue(3, 1010, false, somebody)).toBe(false)
  expect(lookahead.isRecallDue(3, 1027, false, somebody)).toBe(true)
})

it('recalls it at once when memory is short', () => {
  expect(withUnbegun(1000).isRecallDue(3, 1001, true, nobody)).toBe(true)
})

it('gives it requests again when it has answered', () => {
  const lookahead = withUnbegun(1000)
  lookahead.isRecallDue(3, 1010, false, nobody)
  lookahead.finish(1, 1011)
  expect(lookahead.space(3)).toBe(97)
})
