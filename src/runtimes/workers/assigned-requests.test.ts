import { expect, it } from 'vitest'
import { testAssignment } from '../../../tests/support/test-worker.ts'
import { AssignedRequests } from './assigned-requests.ts'
import { FrameError } from './frames.ts'
import { Lookahead } from './lookahead.ts'

function makeRequests(count: number, capacity = { threads: 1, cooperative: false }) {
  const lookahead = new Lookahead(1)
  const requests = new AssignedRequests(lookahead, capacity)
  const assignments = Array.from({ length: count }, (_, n) => {
    const { assignment } = testAssignment(n + 1)
    assignment.credit = 10
    requests.add(assignment, n + 1)
    return assignment
  })
  return { lookahead, requests, assignments }
}

it('counts what keeps a thread busy', () => {
  const { lookahead, requests, assignments } = makeRequests(2)
  const [first, second] = assignments as [(typeof assignments)[0], (typeof assignments)[0]]
  expect([requests.load, requests.sharing, lookahead.movedAt]).toEqual([2, 0, 1])
  requests.release(first)
  expect([requests.load, requests.moved, first.open]).toEqual([1, 1, false])
  requests.takeBack(second)
  expect([requests.load, requests.moved, requests.byStream.size]).toEqual([0, 1, 0])
})

it('suspends what is out of credit, and resumes it when there is some', () => {
  const { requests, assignments } = makeRequests(1)
  const [assignment] = assignments as [(typeof assignments)[0]]
  requests.headSent(assignment)
  requests.spend(assignment, 10)
  expect(assignment.blocking).toBe(false) // it has no worker here
  requests.suspend(assignment)
  expect([assignment.suspended, requests.load, requests.sharing]).toEqual([true, 0, 0])
  requests.suspend(assignment)
  expect(requests.load).toBe(0)
  requests.grant(assignment, 5)
  expect([assignment.suspended, requests.load, requests.sharing]).toEqual([false, 1, 1])
  requests.release(assignment)
  expect([requests.load, requests.sharing]).toEqual([0, 0])
})

it('does not suspend what was granted credit in the meantime', () => {
  const { requests, assignments } = makeRequests(1)
  const [assignment] = assignments as [(typeof assignments)[0]]
  requests.spend(assignment, 10)
  requests.grant(assignment, 5)
  requests.suspend(assignment)
  expect([assignment.suspended, assignment.shares, requests.load]).toEqual([false, true, 1])
})

it('refuses more than there is credit for', () => {
  const { requests, assignments } = makeRequests(1)
  const [assignment] = assignments as [(typeof assignments)[0]]
  expect(() => requests.spend(assignment, 11)).toThrow(FrameError)
})

it('is crowded with three responses that have begun, for each thread', () => {
  const { requests, assignments } = makeRequests(3)
  for (const assignment of assignments) {
    expect(requests.crowded).toBe(false)
    requests.headSent(assignment)
  }
  expect(requests.crowded).toBe(true)
  requests.release(assignments[0]!)
  expect(requests.crowded).toBe(false)
})

it('gives everything back when the worker is gone', () => {
  const { requests, assignments } = makeRequests(3)
  requests.spend(assignments[1]!, 10)
  requests.suspend(assignments[1]!)
  expect(requests.removeAll()).toEqual(assignments)
  expect([requests.load, requests.sharing, requests.byStream.size]).toEqual([0, 0, 0])
  expect(assignments.every(({ open, worker }) => !open && worker === null)).toBe(true)
})

it('counts a suspended one that keeps its greenlet', () => {
  const { requests, assignments } = makeRequests(3, { threads: 4, cooperative: true })
  const [first, second] = assignments as [(typeof assignments)[0], (typeof assignments)[0]]
  requests.headSent(first)
  requests.spend(first, 10)
  requests.suspend(first)
  expect([first.suspended, requests.load, requests.sharing]).toEqual([false, 3, 0])
  expect(requests.crowded).toBe(false)
  requests.headSent(second)
  expect(requests.crowded).toBe(true)
})

it('lets requests whose answers arrive together begin one after the other', () => {
  const { lookahead, requests, assignments } = makeRequests(2)
  expect(requests.movedAt).toBe(1)
  requests.release(assignments[0]!)
  // The second one cannot have begun while its thread worked on the first.
  const before = performance.now()
  expect(requests.movedAt).toBeGreaterThan(before - 1)
  requests.moved = 0
  expect(requests.movedAt).toBe(lookahead.movedAt)
})
