import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { coded } from '../../messages/coded.ts'
import type { Assignment } from './assignment.ts'
import { SlowRequests } from './slow-requests.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function watched(atWork: Assignment[]) {
  const shown: [Assignment, number][] = []
  const worker = {
    pid: 7,
    atWork: () => atWork,
    logStack: (assignment: Assignment, seconds: number) => shown.push([assignment, seconds]),
  }
  const lines: string[] = []
  const log = { log: (_level: number, text: string) => lines.push(text), output: () => {} }
  return { shown, worker, lines, slow: new SlowRequests(2, log) }
}

let streams = 0
const request = () => {
  const task = { describe: () => 'GET /slow?token=secret HTTP/1.1' }
  return { task, stream: ++streams } as unknown as Assignment
}

test('the stack of a request is asked for once, when it has run for that long', () => {
  const one = request()
  const { shown, worker, slow } = watched([one])
  slow.look([worker])
  vi.advanceTimersByTime(1900)
  slow.look([worker])
  expect(shown).toEqual([])
  for (let at = 0; at < 50; at++) {
    vi.advanceTimersByTime(100)
    slow.look([worker])
  }
  expect(shown).toEqual([[one, 2]])
})

test('the time runs anew for a request that was not at work in between', () => {
  const atWork = [request()]
  const { shown, worker, slow } = watched(atWork)
  slow.look([worker])
  vi.advanceTimersByTime(1900)
  const [one] = atWork.splice(0)
  slow.look([worker])
  atWork.push(one)
  slow.look([worker])
  vi.advanceTimersByTime(1900)
  slow.look([worker])
  expect(shown).toEqual([])
})

test('many at once are counted, not shown', () => {
  const { shown, worker, lines, slow } = watched(Array.from({ length: 1000 }, request))
  for (let at = 0; at < 80; at++) {
    slow.look([worker])
    vi.advanceTimersByTime(100)
  }
  expect(shown).toHaveLength(10)
  expect(lines).toEqual([
    '990 more requests have run for 2 s (slow_request); their stacks are left out [MONO4010]',
  ])
})

test('the newest are kept with their stacks, and without their queries', () => {
  const one = request()
  const { worker, slow } = watched([one])
  slow.look([worker])
  vi.advanceTimersByTime(2500)
  slow.look([worker])
  expect(slow.recent).toMatchObject([
    { request: 'GET /slow', seconds: 2.5, worker: 7, stack: null },
  ])
  const entry = (stack: string) =>
    coded('MONO4010', `GET /slow?token=secret: has run for 2.5 s (slow_request). ${stack}`)
  slow.logged(7, one.stream + 1, entry('of another request'))
  slow.logged(8, one.stream, entry('of another worker'))
  slow.logged(7, one.stream, 'GET /slow: something else')
  const stack = `Stack (most recent call last):\n${'x'.repeat(9000)}`
  slow.logged(7, one.stream, entry(stack))
  slow.logged(7, one.stream, entry('a second one'))
  expect(slow.recent).toMatchObject([{ stack: `${stack.slice(0, 8192)} …` }])
})

test('there are never more than 20 of them', () => {
  const { slow } = watched([])
  // No more than ten stacks are asked for within five seconds.
  for (let round = 0; round < 5; round++) {
    const { worker } = watched(Array.from({ length: 10 }, request))
    slow.look([worker])
    vi.advanceTimersByTime(5500)
    slow.look([worker])
  }
  expect(slow.recent).toHaveLength(20)
  expect(streams).toBeGreaterThan(20)
})
