import { expect, it } from 'vitest'
import { testAssignment } from '../../../tests/support/test-worker.ts'
import type { Assignment } from './assignment.ts'
import { assignmentsAtWork } from './at-work.ts'

function assignments(...changes: Partial<Assignment>[]): Assignment[] {
  return changes.map((change, n) => Object.assign(testAssignment(n + 1).assignment, change))
}

const threads = (count: number) => ({ threads: count, cooperative: false })
const streams = (of: Assignment[]) => of.map(({ stream }) => stream)

it('with threads, the first ones are at work, except for those that are suspended', () => {
  const all = assignments({}, { suspended: true }, {}, {})
  expect(streams(assignmentsAtWork(all, threads(2), () => 0))).toEqual([1, 3])
})

it('with one thread, the last that has begun is', () => {
  const all = assignments({}, {}, {})
  expect(streams(assignmentsAtWork(all, threads(1), () => 2))).toEqual([2])
  expect(assignmentsAtWork(all, threads(1), () => 0)).toEqual([])
})

it('one that has the thread to itself keeps those from it that share', () => {
  const all = assignments({ shares: true, turn: 1 }, {}, {})
  expect(streams(assignmentsAtWork(all, threads(1), () => 2))).toEqual([2])
})

it('of those that share, the one that has waited longest has its turn', () => {
  const all = assignments({ shares: true, turn: 9 }, { shares: true, turn: 5 })
  expect(streams(assignmentsAtWork(all, threads(1), () => 2))).toEqual([2])
  const suspended = assignments({ shares: true, turn: 9 }, { turn: 5, suspended: true })
  expect(streams(assignmentsAtWork(suspended, threads(1), () => 2))).toEqual([1])
})

it('with greenlets, all that have begun are', () => {
  const all = assignments({}, { suspended: true }, {}, {})
  const greenlets = { threads: 1000, cooperative: true }
  expect(streams(assignmentsAtWork(all, greenlets, () => 3))).toEqual([1, 3])
})
