import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import type { ArbiterActions } from '../../src/arbiter/actions.ts'
import { SAMPLES_KEPT } from '../../src/arbiter/dashboard/history.ts'
import { Recorder } from '../../src/arbiter/dashboard/recorder.ts'
import { CollectedMetrics } from '../../src/arbiter/operations/collected-metrics.ts'
import { Readiness } from '../../src/arbiter/operations/readiness.ts'
import { loadSettings } from '../../src/config/load-settings.ts'
import { RequestMeter } from '../../src/metrics/request-meter.ts'
import type { Series, Snapshot } from '../../src/metrics/snapshot.ts'
import { ArbiterEvents } from '../../src/observe/arbiter-events.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { garbageCollector } from '../support/garbage.ts'
import { MemoryInUse } from '../support/memory-in-use.ts'
import { ask, metricsAddress, scrape } from '../support/metrics.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'

// What the dashboard costs the arbiter of a server with many workers, over a long time.

const WORKERS = 100
/** How long a server is watched, in samples of a second. */
const SECONDS = 12
const ACCEPTORS = 4
/** Numbers of processes that do not exist; the system's are smaller. */
const FIRST_PID = 10_000_000

afterEach(() => {
  vi.useRealTimers()
})

/** A server with many workers, each of which is replaced now and then, and that has requests. */
async function busyServer() {
  const events = new ArbiterEvents((_topic, error) => {
    throw error
  })
  const meters = new Map<number, RequestMeter>()
  const ask = async () =>
    [...meters].map(([pid, meter]) => ({ pid, answer: meter.snapshot(), reason: null }))
  const actions = { events, state: 'serving', ask } as unknown as ArbiterActions
  const { settings } = await loadSettings({ args: ['shop:app'], env: {}, cwd: '/' })
  const metrics = new CollectedMetrics(actions, new Readiness(actions), settings)
  let pid = FIRST_PID
  const workers: number[] = []
  const startAcceptor = () => {
    pid++
    events.acceptorStarted.publish({ pid } as never)
    events.acceptorReady.publish({ pid } as never)
    meters.set(pid, new RequestMeter('shop:app', false))
  }
  const startWorker = () => {
    pid++
    events.workerStarted.publish({ pid, age: null, acceptor: FIRST_PID } as never)
    events.workerReady.publish({ pid, seconds: 1, acceptor: FIRST_PID } as never)
    workers.push(pid)
  }
  for (let i = 0; i < ACCEPTORS; i++) startAcceptor()
  for (let i = 0; i < WORKERS; i++) startWorker()
  const collect = async (): Promise<Snapshot> => ({
    ...(await metrics.collect()),
    // These processes do not exist, so /proc has nothing about them.
    monoceros_process_resident_memory_bytes: workers.map(
      (_, slot): Series => ({ labels: ['worker', String(slot + 1)], value: 30_000_000 }),
    ),
  })
  const replaced = (second: number) => {
    const old = workers.shift()!
    const lost = { pid: old, cause: 'crashed', reason: 'killed by SIGKILL', acceptor: FIRST_PID }
    events.workerEnded.publish(lost as never)
    startWorker()
    for (const meter of meters.values()) {
      meter.begun(false)
      meter.ended('GET', 200, 0.01, 0.005, 0, 5, null)
      meter.worked(0.001, 0.009, null)
    }
    if (second % 60 > 0) return
    const [first] = meters.keys()
    meters.delete(first!)
    events.acceptorEnded.publish({ pid: first, expected: false } as never)
    startAcceptor()
  }
  return { collect, replaced }
}

/** What is in use when nothing can be collected any more, in bytes. */
function used(): number {
  const collectGarbage = garbageCollector()
  for (let i = 0; i < 3; i++) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('an hour of 100 workers that come and go takes what it takes at its beginning', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  const { collect, replaced } = await busyServer()
  const recorder = new Recorder(collect, (text) => expect.fail(text))
  recorder.start()
  let second = 0
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      replaced(++second)
      // Somebody looks all the time.
      await recorder.look()
      await vi.advanceTimersByTimeAsync(1000)
    }
  }
  // Until as many acceptors have ended as are kept apart, and the history has had some values.
  await pass(300)
  const before = used()
  await pass(SAMPLES_KEPT)
  const grown = used() - before
  expect(recorder.history.taken).toBeGreaterThanOrEqual(SAMPLES_KEPT)
  const { times, columns } = recorder.history.read(0)
  expect(times).toHaveLength(SAMPLES_KEPT)
  expect(columns.workersWanted).toHaveLength(SAMPLES_KEPT)
  expect(Math.max(...columns.restarts.map(Number))).toBeGreaterThanOrEqual(1)
  console.log(`An hour has grown by ${(grown / 1024).toFixed(0)} KiB`)
  expect(grown).toBeLessThan(1_000_000)
  recorder.end()
})

test.skipIf(!hasPython())('a server with 100 workers, watched all the time', async () => {
  const args = ['--workers', String(WORKERS), '--acceptors', '2', '--preload']
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  const memory = new MemoryInUse(folder.path)
  const server = await startPlain({
    args: [...args, '--metrics-bind', '127.0.0.1:0'],
    env: memory.env,
    secure: false,
  })
  const address = await metricsAddress(server)
  const read = async (path: string) => JSON.parse((await ask(address, path)).body)
  let next = 0
  const watch = async (samples: number) => {
    for (const until = next + samples; next < until; ) {
      ;({ next } = await read(`/dashboard/history?after=${next}`))
      const { status } = await read('/dashboard/details')
      expect(status).toMatchObject({ state: 'serving', workers: WORKERS })
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  await watch(5)
  const before = await memory.of(server.pid)
  await watch(SECONDS)
  const grown = (await memory.of(server.pid)) - before
  console.log(`In ${SECONDS} s, the arbiter has grown by ${(grown / 1024).toFixed(0)} KiB`)
  expect(grown).toBeLessThan(1_000_000)
  const now = await scrape(address)
  expect(now.sum('monoceros_workers', { state: 'idle' })).toBe(WORKERS)
  const process = { process: 'worker' }
  expect(now.sum('monoceros_process_resident_memory_bytes', process)).toBeGreaterThan(0)
  expect(now.count('monoceros_process_resident_memory_bytes')).toBe(1 + 2 + WORKERS)
})
