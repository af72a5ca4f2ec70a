import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TestHandle, TestTask, workerOptions } from '../../../tests/support/test-worker.ts'
import { WorkerPool } from './pool.ts'

// The scheduler is tested through the pool, which connects it with workers.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function makePool(workers: number, memory?: { over: boolean }) {
  const handles: TestHandle[] = []
  const pool = new WorkerPool({
    workers,
    timeout: 30,
    loadTimeout: 60,
    gracefulTimeout: 10,
    maxRequests: 0,
    maxRequestsJitter: 0,
    backlogLimit: 2,
    ...(memory === undefined ? {} : { memory }),
    worker: workerOptions(async (listener, { number }) => {
      const handle = new TestHandle(listener, 100 + number)
      handles.push(handle)
      return handle
    }),
    log: { log: () => {}, output: () => {} },
  })
  const started = pool.start()
  await vi.advanceTimersByTimeAsync(0)
  for (const handle of handles) handle.ready()
  await started
  const submit = (count: number) =>
    Array.from({ length: count }, () => {
      const task = new TestTask()
      return { task, handle: pool.submit(task) }
    })
  return { pool, handles, submit }
}

/** How many requests were sent to a worker. */
const requests = ({ sent }: TestHandle) => {
  const bytes = Buffer.concat(sent)
  let count = 0
  for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32LE(at))
    count += +(bytes[at + 4] === 1)
  return count
}

const flushed = () => vi.advanceTimersByTimeAsync(1)

describe('requests', () => {
  it('go to the worker with the least to do', async () => {
    const { pool, handles, submit } = await makePool(2)
    submit(4)
    await flushed()
    expect(handles.map(requests)).toEqual([2, 2])
    handles[0]!.answers(1)
    submit(1)
    await flushed()
    expect(handles.map(requests)).toEqual([3, 2])
    pool.kill()
  })

  it('wait if all workers have enough, and the next ones are refused with 503', async () => {
    const { pool, handles, submit } = await makePool(1)
    const tasks = submit(9)
    await flushed()
    // Five milliseconds of work beside the one that runs.
    expect([requests(handles[0]!), pool.waiting]).toEqual([6, 2])
    expect(tasks.map(({ task }) => task.calls)).toEqual([
      ...Array(8).fill([]),
      ['503 2 requests are waiting (backlog_limit 2)'],
    ])
    handles[0]!.answers(1)
    await flushed()
    expect(requests(handles[0]!)).toBeGreaterThan(6)
    pool.kill()
  })

  it('are recalled from a busy worker when another one is idle', async () => {
    const { pool, handles, submit } = await makePool(2)
    submit(4)
    await flushed()
    for (const handle of handles) handle.lastBegun = 1
    // The second worker is done with both; the first does not come to its second one.
    handles[1]!.lastBegun = 2
    handles[1]!.answers(1)
    handles[1]!.answers(2)
    await vi.advanceTimersByTimeAsync(20)
    expect(handles.map(requests)).toEqual([2, 3])
    pool.kill()
  })

  it('that their clients do not wait for any more are not begun', async () => {
    const { pool, handles, submit } = await makePool(1)
    const tasks = submit(8)
    tasks[6]!.task.abandonedAt = performance.now()
    tasks[7]!.handle.cancel()
    expect(pool.waiting).toBe(1)
    await flushed()
    for (let stream = 1; stream <= 6; stream++) handles[0]!.answers(stream)
    await flushed()
    expect(tasks[6]!.task.calls).toEqual([
      '503 the client had closed its side, and no worker was free in time',
    ])
    expect([tasks[7]!.task.calls, tasks[7]!.task.releases]).toEqual([[], 1])
    expect(requests(handles[0]!)).toBe(6)
    pool.kill()
  })

  it('go only to workers without any while too much memory is held', async () => {
    const memory = { over: true }
    const { pool, handles, submit } = await makePool(2, memory)
    submit(4)
    await flushed()
    expect([handles.map(requests), pool.waiting]).toEqual([[1, 1], 2])
    memory.over = false
    await vi.advanceTimersByTimeAsync(5)
    expect(pool.waiting).toBe(0)
    pool.kill()
  })

  it('leave no timer behind when all are answered', async () => {
    const { pool, handles, submit } = await makePool(1)
    submit(1)
    await flushed()
    handles[0]!.answers(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(vi.getTimerCount()).toBe(0)
    pool.kill()
  })
})
