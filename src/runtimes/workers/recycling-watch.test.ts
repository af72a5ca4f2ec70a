import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  slowStarter,
  type TestHandle,
  TestTask,
  workerOptions,
} from '../../../tests/support/test-worker.ts'
import { WorkerEvents } from '../../observe/worker-events.ts'
import { STOP } from './frames.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'

const MIB = 1024 ** 2
const never = {
  maxWorkerMemory: 0,
  maxWorkerMemoryJitter: 0,
  maxWorkerLifetime: 0,
  maxWorkerLifetimeJitter: 0,
}

/** A pool of two workers that serve. */
async function makePool(options: Partial<PoolOptions>) {
  const { start, starts } = slowStarter()
  const logged: string[] = []
  const pool = new WorkerPool({
    workers: 2,
    timeout: 0,
    loadTimeout: 0,
    gracefulTimeout: 1000,
    maxRequests: 0,
    maxRequestsJitter: 0,
    backlogLimit: 10,
    worker: workerOptions(start),
    log: { log: (level, text) => void logged.push(`${level} ${text}`), output: () => {} },
    ...options,
  })
  const starting = pool.start()
  const handles: TestHandle[] = []
  const serveNext = async () => {
    const handle = starts[handles.length]!.succeed()
    handles.push(handle)
    await soon()
    handle.ready()
    await soon()
    return handle
  }
  await serveNext()
  await serveNext()
  await starting
  return { pool, starts, handles, logged, serveNext }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const soon = () => vi.advanceTimersByTimeAsync(0)
const seconds = (number: number) => vi.advanceTimersByTimeAsync(number * 1000)
const leaves = (handle: TestHandle) => handle.types.includes(STOP)

/** Gives each worker a request and has it answered. */
async function serveOne(pool: WorkerPool, handles: readonly TestHandle[]): Promise<void> {
  for (const _ of handles) pool.submit(new TestTask())
  await soon()
  for (const handle of handles) handle.answers(1)
  await soon()
}

describe('workers that have served for max_worker_lifetime', () => {
  const recycling = { ...never, maxWorkerLifetime: 60 }

  it('are replaced one after the other, the new one first', async () => {
    const { starts, handles, serveNext, logged } = await makePool({ recycling })
    await seconds(58)
    expect(starts.length).toBe(2)
    await seconds(4)
    expect(starts.length).toBe(3)
    // As long as its successor does not serve, nobody leaves and nobody else is replaced.
    await seconds(30)
    expect(starts.length).toBe(3)
    expect(handles.map(leaves)).toEqual([false, false])
    await serveNext()
    expect(handles.map(leaves)).toEqual([true, false, false])
    expect(logged.join()).toMatch(
      /replaces worker \d+, which has served for \d+ s \(max_worker_life/,
    )
    await seconds(2)
    expect(starts.length).toBe(4)
    await serveNext()
    expect(handles.map(leaves)).toEqual([true, true, false, false])
  })
})

describe('a worker that uses more than max_worker_memory', () => {
  const recycling = { ...never, maxWorkerMemory: 100 * MIB }

  it('is replaced', async () => {
    const { pool, starts, handles, serveNext, logged } = await makePool({ recycling })
    await serveOne(pool, handles)
    await seconds(10)
    expect(starts.length).toBe(2)
    handles[1]!.memory = 120 * MIB
    await seconds(2)
    expect(starts.length).toBe(3)
    await serveNext()
    expect(handles.map(leaves)).toEqual([false, true, false])
    expect(logged.join()).toMatch(/which uses 120 MiB \(max_worker_memory 100M\)/)
  })

  it('stays if it is young, or has not had a request', async () => {
    const { pool, starts, handles, logged } = await makePool({ recycling })
    for (const handle of handles) handle.memory = 120 * MIB
    await seconds(4)
    expect(logged.filter((line) => line.includes('uses'))).toEqual([])
    await seconds(20)
    expect(starts.length).toBe(2)
    expect(
      logged.filter((line) => /before its first request.* \[MONO5008\]$/.test(line)).length,
    ).toBe(1)
    await serveOne(pool, handles)
    await seconds(2)
    expect(starts.length).toBe(3)
  })
})

it('a replaced worker has an event with its cause', async () => {
  const events = new WorkerEvents((_topic, error) => {
    throw error
  })
  const causes: string[] = []
  events.workerRecycled.subscribe(({ cause }) => causes.push(cause))
  const recycling = { ...never, maxWorkerMemory: 100 * MIB, maxWorkerLifetime: 60 }
  const { pool, handles, serveNext } = await makePool({ events, recycling, maxRequests: 3 })
  await serveOne(pool, handles)
  await seconds(10)
  handles[0]!.memory = 120 * MIB
  await seconds(2)
  await serveNext()
  await seconds(52)
  await serveNext()
  pool.restart([...handles].at(-1)!.pid, 'was restarted by ctl')
  await serveNext()
  expect(causes).toEqual(['max-memory', 'max-lifetime', 'told'])
})

it('a pool that has ended looks no more', async () => {
  const { pool, handles } = await makePool({ recycling: { ...never, maxWorkerMemory: 1 } })
  const looks = handles.map((handle) => vi.spyOn(handle, 'memoryUse'))
  await seconds(3)
  expect(looks.map((look) => look.mock.calls.length)).toEqual([1, 1])
  const stopped = pool.stop(1000)
  await seconds(30)
  for (const handle of handles) handle.ends('exited with status 0')
  await stopped
  expect(looks.map((look) => look.mock.calls.length)).toEqual([1, 1])
})
