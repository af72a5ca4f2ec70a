import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { slowStarter, TestTask, workerOptions } from '../../../tests/support/test-worker.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { encodeFrame, FAIL, START, STOP } from './frames.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'
import { WorkerStartError } from './worker-start-error.ts'

/** A pool whose workers take until the test starts them. */
function makePool(options: Partial<PoolOptions> = {}) {
  const { start, starts } = slowStarter()
  const logged: string[] = []
  const pool = new WorkerPool({
    workers: 1,
    timeout: 30,
    loadTimeout: 60,
    gracefulTimeout: 10,
    maxRequests: 0,
    maxRequestsJitter: 0,
    backlogLimit: 10,
    worker: { ...workerOptions(start), multiprocess: (options.workers ?? 1) > 1 },
    log: { log: (level, text) => void logged.push(`${level} ${text}`), output: () => {} },
    ...options,
  })
  return { pool, starts, logged }
}

/** What becomes of a promise. */
function follow(promise: Promise<unknown>) {
  const state: { value?: unknown; error?: Error } = {}
  promise.then(
    (value) => void Object.assign(state, { value: value ?? null }),
    (error: Error) => void Object.assign(state, { error }),
  )
  return state
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const soon = () => vi.advanceTimersByTimeAsync(0)

async function startedPool(options: Partial<PoolOptions> = {}) {
  const made = makePool(options)
  const starting = made.pool.start()
  const handle = made.starts[0]!.succeed()
  await soon()
  handle.ready()
  await starting
  return { ...made, handle }
}

describe('a worker whose process takes time to start', () => {
  it('is sent START when it is there, and serves when it is ready', async () => {
    const { pool, starts, logged } = makePool()
    const started = follow(pool.start())
    const task = new TestTask()
    pool.submit(task)
    await vi.advanceTimersByTimeAsync(5000)
    expect(starts[0]!.settings).toMatchObject({ number: 1, application: 'shop:app' })
    expect(started).toEqual({})
    const handle = starts[0]!.succeed()
    await soon()
    expect(handle.types).toEqual([START])
    expect(logged).toEqual(['10 Worker 101 is loading the application'])
    handle.ready()
    await soon()
    expect(started.value).toMatchObject([{ pid: 101, pythonVersion: '3.14.2' }])
    handle.answers(1)
    expect(task.answers).toBe(1)
    pool.kill()
  })

  it('makes the oldest leave if it is one too many by then', async () => {
    const { pool, starts } = makePool({ workers: 2 })
    const started = pool.start()
    const handles = starts.map((start) => start!.succeed())
    await soon()
    for (const handle of handles) handle.ready()
    await started
    pool.scale(3)
    await soon()
    pool.scale(2)
    const third = starts[2]!.succeed()
    await soon()
    third.ready()
    await soon()
    expect([...handles, third].map(({ types }) => types)).toEqual([[START, STOP], [START], [START]])
    pool.kill()
  })

  it('that cannot be started fails the start of the pool', async () => {
    const { pool, starts } = makePool({ workers: 2 })
    const started = follow(pool.start())
    starts[1]!.fail('no memory')
    await soon()
    expect(started.error).toBeInstanceOf(WorkerStartError)
    expect(started.error!.message).toBe('A worker could not be started: no memory [MONO5006]')
    // The other one is not needed any more, whenever it comes.
    expect(starts[0]!.settings.signal.aborted).toBe(true)
    const late = starts[0]!.succeed()
    await soon()
    expect(late.calls).toEqual(['kill'])
    expect(late.types).toEqual([])
  })

  it('that throws at once does the same', async () => {
    const start = () => {
      throw new Error('no threads left')
    }
    const { pool } = makePool({ worker: workerOptions(start) })
    await expect(pool.start()).rejects.toThrow('A worker could not be started: no threads left')
  })

  it('is waited for when the pool stops, and killed as soon as it is there', async () => {
    const { pool, starts } = makePool()
    const started = follow(pool.start())
    const stopped = follow(pool.stop(10_000))
    await vi.advanceTimersByTimeAsync(1000)
    expect(starts[0]!.settings.signal.aborted).toBe(true)
    expect([started, stopped]).toEqual([{}, {}])
    const handle = starts[0]!.succeed()
    await soon()
    expect(handle.calls).toEqual(['kill'])
    handle.ends('killed by SIGKILL')
    await soon()
    expect(started.error).toMatchObject({ expected: true })
    expect(stopped.value).toBe(null)
    expect(handle.calls).toEqual(['kill', 'dispose'])
  })

  it('whose starter gives up when the pool stops is not waited for', async () => {
    const { pool, starts } = makePool()
    const started = follow(pool.start())
    const stopped = follow(pool.stop(10_000))
    starts[0]!.fail('aborted')
    await soon()
    expect(started.error).toMatchObject({ expected: true })
    expect(stopped.value).toBe(null)
  })

  it('that never comes does not keep the pool from stopping for longer than its time', async () => {
    const { pool } = makePool()
    follow(pool.start())
    const stopped = follow(pool.stop(3000))
    await vi.advanceTimersByTimeAsync(4500)
    expect(stopped.value).toBe(null)
  })

  it('is given up after load_timeout, which its start is part of', async () => {
    const { pool, starts, logged } = makePool()
    const started = follow(pool.start())
    await vi.advanceTimersByTimeAsync(11_000)
    expect(logged).toEqual([
      '30 A new worker is still loading shop:app after 10 s (it is abandoned after 60 s, ' +
        'load_timeout). Its process has not been started yet. [MONO2021]',
    ])
    await vi.advanceTimersByTimeAsync(50_000)
    expect(started.error).toBeInstanceOf(ApplicationLoadError)
    expect(started.error!.message).toMatch(/within 60 s \(load_timeout\)\. Its process has not/)
    expect(starts[0]!.settings.signal.aborted).toBe(true)
    const late = starts[0]!.succeed()
    await soon()
    expect(late.calls).toEqual(['kill'])
  })

  it('is aborted, so that Python prints its stack, if it was started and is late', async () => {
    const { pool, starts } = makePool({ loadTimeout: 5 })
    const started = follow(pool.start())
    const handle = starts[0]!.succeed()
    handle.reportStack = () => Promise.resolve({ text: 'Nothing is known.', isStack: false })
    await vi.advanceTimersByTimeAsync(5200)
    expect(started.error).toBeInstanceOf(ApplicationLoadError)
    expect(handle.calls).toEqual(['abort', 'kill'])
  })

  it('is dropped with a reload that is abandoned; the old workers go on', async () => {
    const { pool, starts, handle } = await startedPool()
    const reloaded = follow(pool.reload())
    await soon()
    pool.abandonReload()
    await soon()
    expect(reloaded.error).toMatchObject({
      expected: true,
      message: 'it was not needed any more [MONO5203]',
    })
    expect(starts[1]!.settings.signal.aborted).toBe(true)
    const late = starts[1]!.succeed()
    await soon()
    expect(late.calls).toEqual(['kill'])
    const task = new TestTask()
    pool.submit(task)
    handle.answers(1)
    expect(task.answers).toBe(1)
    expect(handle.calls).toEqual([])
    pool.kill()
  })

  it('is dropped by the next reload, which is the one that counts', async () => {
    const { pool, starts, handle } = await startedPool()
    const first = follow(pool.reload())
    const second = follow(pool.reload())
    await soon()
    expect(first.error).toMatchObject({ expected: true })
    const fresh = starts[2]!.succeed()
    await soon()
    fresh.ready()
    await soon()
    expect(second.value).toBe(null)
    expect(handle.types.at(-1)).toBe(STOP)
    pool.kill()
  })

  it('that fails in a reload leaves the old workers as they are', async () => {
    const { pool, starts, handle } = await startedPool()
    const reloaded = follow(pool.reload())
    starts[1]!.fail('no memory')
    await soon()
    expect(reloaded.error!.message).toBe('A worker could not be started: no memory [MONO5006]')
    expect(handle.types).toEqual([START])
    pool.kill()
  })

  it('whose application cannot be loaded says why', async () => {
    const { pool, starts } = makePool()
    const started = follow(pool.start())
    const handle = starts[0]!.succeed()
    await soon()
    handle.says(encodeFrame(FAIL, 0, Buffer.from('no module shop')))
    handle.ends('exited with status 3')
    await soon()
    expect(started.error).toBeInstanceOf(ApplicationLoadError)
    expect(started.error!.message).toBe('no module shop')
  })

  it('is tried again, later each time, if it replaces one that has died', async () => {
    const { pool, starts, handle, logged } = await startedPool()
    await vi.advanceTimersByTimeAsync(2000)
    handle.ends('killed by SIGKILL')
    await soon()
    expect(starts.length).toBe(2)
    const gaps: number[] = []
    while (gaps.length < 5) {
      const before = starts.length
      const last = performance.now()
      starts.at(-1)!.fail('no memory')
      while (starts.length === before) await vi.advanceTimersByTimeAsync(1)
      gaps.push(Math.round((performance.now() - last) / 50) * 50)
    }
    expect(gaps).toEqual([0, 100, 200, 400, 800])
    expect(logged.filter((line) => line.includes('could not start; trying again'))).toHaveLength(5)
    pool.kill()
  })
})
