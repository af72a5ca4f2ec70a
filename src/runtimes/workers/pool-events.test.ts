import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { beginDict, encodePair, endDict, writeEncoded } from '../../gateway/marshal.ts'
import { WorkerEvents } from '../../observe/worker-events.ts'
import { findSystemPython } from '../cpython/interpreter.ts'
import { workerProcesses } from '../cpython/worker-process.ts'
import { type HeadOutcome, TAKEN, type Task, type TaskBody } from '../runtime.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'

const APPLICATION = `
import time

def application(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [])
    return [b"done"]
`

/** A request that takes that many seconds. */
class SlowTask implements Task {
  readonly body: TaskBody = { kind: 'whole', chunks: [], length: 0 }
  readonly abandonedAt = Number.POSITIVE_INFINITY
  over = false
  readonly #seconds: number

  constructor(seconds: number) {
    this.#seconds = seconds
  }

  describe(): string {
    return 'GET /'
  }

  environBound(): number {
    return 1000
  }

  writeEnviron(out: Buffer, at: number): number {
    const to = beginDict(out, at)
    return endDict(out, writeEncoded(out, to, encodePair('QUERY_STRING', String(this.#seconds))))
  }

  earlyHints(): void {}

  responseHead(_head: unknown, _body: unknown, ended: boolean): HeadOutcome {
    this.over ||= ended
    return TAKEN
  }

  responseData(): boolean {
    return false
  }

  held(): void {}

  responseEnd(): void {
    this.over = true
  }

  responseFile(): void {}

  failed(traceback: string): void {
    throw new Error(traceback)
  }

  lost(): void {
    this.over = true
  }

  wantBody(): void {}

  released(): void {}
}

/** A pool of one worker, and its events as text, with `A`, `B`, … for the workers. */
async function observedPool(source: string, options: Partial<PoolOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-pool-events-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'tried.py'), source)
  const interpreter = await findSystemPython(null, directory)
  const events = new WorkerEvents((_topic, error) => {
    throw error
  })
  const seen: string[] = []
  const names = new Map<number, string>()
  const name = (pid: number) => {
    if (!names.has(pid)) names.set(pid, String.fromCharCode(0x41 + names.size))
    return names.get(pid)
  }
  events.workerStarted.subscribe(({ pid }) => seen.push(`${name(pid)} started`))
  events.workerReady.subscribe(({ pid, seconds }) =>
    seen.push(`${name(pid)} ready${seconds > 0 && seconds < 60 ? '' : ` after ${seconds}`}`),
  )
  events.workerLoad.subscribe(({ pid, requests }) => seen.push(`${name(pid)} has ${requests}`))
  events.workerEnded.subscribe(({ pid, cause, reason }) =>
    seen.push(`${name(pid)} ${cause}: ${reason}`),
  )
  events.queueChanged.subscribe(({ waiting }) => seen.push(`${waiting} waiting`))
  const pool = new WorkerPool({
    workers: 1,
    timeout: 30,
    loadTimeout: 30,
    gracefulTimeout: 10,
    maxRequests: 0,
    maxRequestsJitter: 0,
    backlogLimit: 1000,
    events,
    ...options,
    worker: {
      start: workerProcesses({ interpreter, environment: {}, directory }),
      application: 'tried:application',
      chdir: directory,
      pythonpath: [],
      threads: 1,
      workerClass: 'sync',
      window: 262_144,
      gracefulTimeout: 10,
      multiprocess: false,
      strict: false,
      environ: {
        REQUEST_METHOD: 'GET',
        SCRIPT_NAME: '',
        PATH_INFO: '/',
        SERVER_PROTOCOL: 'HTTP/1.1',
        'wsgi.url_scheme': 'http',
      },
    },
    log: { log: () => {}, output: () => {} },
  })
  onTestFinished(async () => {
    pool.kill()
    await pool.stop(1000)
  })
  return { pool, seen, pidOf: (wanted: string) => [...names].find(([, n]) => n === wanted)![0] }
}

test('a worker starts, is ready, gets a request, finishes it, and leaves', async () => {
  const { pool, seen } = await observedPool(APPLICATION)
  await pool.start()
  const task = new SlowTask(0)
  pool.submit(task)
  await waitFor('the answer', () => task.over)
  await pool.stop(5000)
  expect(seen).toEqual([
    'A started',
    'A ready',
    'A has 1',
    'A has 0',
    expect.stringMatching(/^A stopped: /),
  ])
})

test('requests that no worker has space for wait in the queue', async () => {
  const { pool, seen } = await observedPool(APPLICATION)
  await pool.start()
  seen.length = 0
  const tasks = Array.from({ length: 40 }, () => new SlowTask(0.01))
  for (const task of tasks) pool.submit(task)
  const waiting = seen.filter((event) => event.endsWith('waiting'))
  expect(waiting.length).toBeGreaterThan(0)
  expect(waiting).toEqual(waiting.map((_, index) => `${index + 1} waiting`))
  await waitFor('every answer', () => tasks.every(({ over }) => over), 20_000)
  expect(seen.filter((event) => event.endsWith('waiting')).at(-1)).toBe('0 waiting')
  expect(seen.at(-1)).toBe('A has 0')
})

test('a worker that is killed has crashed, and another one is started', async () => {
  const { pool, seen, pidOf } = await observedPool(APPLICATION)
  await pool.start()
  process.kill(pidOf('A'), 'SIGKILL')
  await waitFor('its replacement', () => seen.includes('B ready'))
  expect(seen).toEqual([
    'A started',
    'A ready',
    expect.stringMatching(/^A crashed: killed by SIGKILL/),
    'B started',
    'B ready',
  ])
})

test('a worker whose request ran out of time is ended for that', async () => {
  const { pool, seen } = await observedPool(APPLICATION, { timeout: 0.3 })
  await pool.start()
  const task = new SlowTask(30)
  pool.submit(task)
  await waitFor('its end', () => seen.some((event) => event.startsWith('A timed-out: ')), 20_000)
  expect(task.over).toBe(true)
})

test('a worker whose application does not load, or not in time, is ended for that', async () => {
  const broken = await observedPool('raise RuntimeError')
  await expect(broken.pool.start()).rejects.toThrow('RuntimeError')
  await waitFor('its end', () => broken.seen.length === 2)
  expect(broken.seen).toEqual(['A started', expect.stringMatching(/^A load-failed: /)])

  const hanging = await observedPool('import time\ntime.sleep(100)', { loadTimeout: 0.5 })
  await expect(hanging.pool.start()).rejects.toThrow()
  await waitFor('its end', () => hanging.seen.length === 2, 20_000)
  expect(hanging.seen).toEqual(['A started', expect.stringMatching(/^A load-failed: /)])
})
