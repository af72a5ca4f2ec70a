import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  TestHandle,
  TestTask,
  testAssignment,
  workerOptions,
} from '../../../tests/support/test-worker.ts'
import { Assignment } from './assignment.ts'
import { encodeFrame, INTERRUPT, INTERRUPTED } from './frames.ts'
import { RequestTimeouts } from './request-timeouts.ts'
import { TaskQueue } from './task-queue.ts'
import { Worker, type WorkerOwner } from './worker.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const nothing = () => {}
const owner: WorkerOwner = {
  stateChanged: nothing,
  loadFailed: nothing,
  progressed: nothing,
  returned: nothing,
  exited: nothing,
  exhausted: nothing,
  output: nothing,
  log: nothing,
  violation: nothing,
  filesLoaded: nothing,
}

async function makeTimeouts(threads = 1, workerClass: 'sync' | 'gevent' = 'sync') {
  let handle!: TestHandle
  const start = async (listener: TestHandle['listener']) => {
    handle = new TestHandle(listener)
    return handle
  }
  const worker = new Worker({ ...workerOptions(start, threads), workerClass }, owner)
  await worker.start(1)
  handle.ready()
  const logged: string[] = []
  const condemned = vi.fn()
  const log = { log: (level: number, text: string) => void logged.push(`${level} ${text}`) }
  const limits = { timeout: 2, slowRequest: 0, gracefulTimeout: 5, threads, condemned }
  const timeouts = new RequestTimeouts(
    { ...limits, log: { ...log, output: nothing } },
    new Set([worker]),
  )
  const queue = new TaskQueue()
  const assign = () => {
    const task = new TestTask()
    worker.assign(new Assignment(task, performance.now()), performance.now())
    return task
  }
  /** Time passes; the timeouts are checked at its end. */
  const pass = (ms: number) => {
    vi.advanceTimersByTime(ms)
    timeouts.look(queue)
  }
  return { worker, handle, logged, condemned, queue, assign, pass }
}

it('answers 503 for what has waited too long', async () => {
  const { queue, pass } = await makeTimeouts()
  const early = testAssignment()
  queue.push(early.assignment)
  vi.advanceTimersByTime(1500)
  const late = testAssignment()
  queue.push(late.assignment)
  pass(600)
  expect(early.task.calls).toEqual(['503 no worker was free for 2 s (timeout)'])
  expect(late.task.calls).toEqual([])
  expect(queue.length).toBe(1)
})

it('interrupts what takes too long, and the worker goes on', async () => {
  const { handle, logged, assign, pass, worker } = await makeTimeouts()
  const task = assign()
  handle.lastBegun = 1
  pass(1900)
  expect(task.calls).toEqual([])
  pass(200)
  expect(task.calls).toEqual(['504 the application sent nothing for 2 s (timeout)'])
  expect(handle.interrupted).toBe(1)
  expect(logged).toEqual([
    '40 Interrupting worker 7: a request ran longer than 2 s (timeout) [MONO4011]',
  ])
  handle.answers(1)
  pass(5000)
  expect([handle.calls, worker.state]).toEqual([[], 'serving'])
})

it('kills a worker that goes on with it after the interruption', async () => {
  const { handle, assign, pass, worker, condemned } = await makeTimeouts()
  assign()
  handle.lastBegun = 1
  pass(2100)
  pass(1100)
  expect([handle.calls, worker.state]).toEqual([['abort'], 'condemned'])
  expect(condemned).toHaveBeenCalled()
})

it('lets a worker go on that ended the request while the machine stood still', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts()
  assign()
  handle.lastBegun = 1
  pass(2100)
  // However much time has passed, the first timer runs, and then what has come is read.
  vi.advanceTimersToNextTimer()
  handle.answers(1)
  pass(5000)
  expect([handle.calls, worker.state]).toEqual([[], 'serving'])
})

it('kills a worker that cannot be interrupted', async () => {
  const { handle, logged, assign, pass } = await makeTimeouts()
  handle.interrupts = false
  assign()
  handle.lastBegun = 1
  pass(2100)
  expect(handle.calls).toEqual(['abort'])
  expect(logged).toEqual([
    '40 Killing worker 7: a request ran longer than 2 s (timeout) [MONO4011]',
  ])
})

it.each(['sync', 'gevent'] as const)(
  'kills a %s worker that hangs between requests',
  async (workerClass) => {
    const { handle, logged, assign, pass, worker, condemned } = await makeTimeouts(1, workerClass)
    assign()
    handle.lastBegun = 1
    handle.answers(1)
    const waiting = assign()
    pass(2900)
    expect(handle.calls).toEqual([])
    pass(200)
    expect(worker.state).toBe('condemned')
    expect(condemned).toHaveBeenCalledOnce()
    expect(logged).toEqual([
      '40 Killing worker 7: it has not begun a request that it has had ' +
        'for longer than 2 s (timeout) [MONO4011]',
    ])
    vi.advanceTimersByTime(200)
    expect(handle.calls).toEqual(['abort'])
    // Another worker gets it.
    expect(waiting.calls).toEqual([])
  },
)

it('lets a worker go on that was interrupted, with what it has not begun', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts(100, 'gevent')
  assign()
  assign()
  handle.lastBegun = 1
  pass(2100)
  pass(100)
  expect([worker.state, handle.calls]).toEqual(['serving', []])
  handle.says(encodeFrame(INTERRUPTED, 1))
  handle.answers(1)
  handle.lastBegun = 2
  pass(1000)
  expect([worker.state, handle.calls]).toEqual(['serving', []])
})

it('leaves alone what waits behind a request at work', async () => {
  const { handle, logged, assign, pass, worker } = await makeTimeouts()
  assign()
  assign()
  handle.lastBegun = 1
  vi.advanceTimersByTime(1500)
  worker.assignments.get(1)!.activeAt = performance.now() // it has sent something
  pass(1000)
  expect([worker.state, handle.calls, logged]).toEqual(['serving', [], []])
})

it('lets the other threads finish first, within the graceful timeout', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts(2)
  handle.interrupts = false
  assign()
  vi.advanceTimersByTime(1000)
  assign()
  pass(1100)
  expect([handle.calls, worker.state]).toEqual([[], 'condemned'])
  vi.advanceTimersByTime(4900)
  expect(handle.calls).toEqual([])
  vi.advanceTimersByTime(200)
  expect(handle.calls).toEqual(['abort'])
})

it('is off with a timeout of 0', async () => {
  const { worker, queue } = await makeTimeouts()
  const log = { log: nothing, output: nothing }
  const off = {
    timeout: 0,
    slowRequest: 0,
    gracefulTimeout: 5,
    threads: 1,
    condemned: nothing,
    log,
  }
  const timeouts = new RequestTimeouts(off, new Set([worker]))
  const { task, assignment } = testAssignment()
  queue.push(assignment)
  vi.advanceTimersByTime(1e6)
  timeouts.look(queue)
  expect(task.calls).toEqual([])
})

it('raises in each late greenlet, and the worker goes on', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts(100, 'gevent')
  const late = [assign(), assign()]
  const begun = assign()
  handle.lastBegun = 2
  pass(2100)
  for (const task of late) expect(task.calls).toEqual([expect.stringMatching(/^504/)])
  expect(begun.calls).toEqual([]) // it has not begun
  expect(handle.types.filter((type) => type === INTERRUPT)).toHaveLength(2)
  for (const stream of [1, 2]) {
    handle.says(encodeFrame(INTERRUPTED, stream))
    handle.answers(stream)
  }
  pass(1100)
  expect([worker.state, handle.calls]).toEqual(['serving', []])
})

it('condemns the worker of a greenlet that goes on, and waits for the others', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts(100, 'gevent')
  assign()
  handle.lastBegun = 1
  vi.advanceTimersByTime(1500)
  assign()
  handle.lastBegun = 2
  pass(600)
  handle.says(encodeFrame(INTERRUPTED, 1))
  vi.advanceTimersByTime(1000)
  expect([worker.state, handle.calls]).toEqual(['condemned', []])
})

it('aborts a worker at once whose greenlets get no turn', async () => {
  const { handle, assign, pass, worker } = await makeTimeouts(100, 'gevent')
  assign()
  handle.lastBegun = 1
  vi.advanceTimersByTime(1500)
  assign()
  handle.lastBegun = 2
  pass(600)
  vi.advanceTimersByTime(1000)
  expect([worker.state, handle.calls]).toEqual(['condemned', ['abort']])
})
