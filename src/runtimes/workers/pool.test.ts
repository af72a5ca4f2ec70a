import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { waitFor } from '../../../tests/support/wait-for.ts'
import type { Span } from '../../bytes/span.ts'
import { beginDict, encodePair, endDict, writeEncoded } from '../../gateway/marshal.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { findSystemPython, type Interpreter } from '../cpython/interpreter.ts'
import { workerProcesses } from '../cpython/worker-process.ts'
import {
  type FileReference,
  type HeadOutcome,
  TAKEN,
  type Task,
  type TaskBody,
  type TaskHandle,
} from '../runtime.ts'
import { type PoolOptions, WorkerPool } from './pool.ts'
import { WorkerStartError } from './worker-start-error.ts'

/** What the tests' applications do is in the query string, so that one is enough. */
const APPLICATION = `
import os, sys, threading, time

here = os.path.dirname(__file__)

def note(name, text):
    fd = os.open(os.path.join(here, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (text + "\\n").encode())
    os.close(fd)

def application(environ, start_response):
    verb, _, argument = environ["QUERY_STRING"].partition("=")
    number = environ["PATH_INFO"]
    note("begun", number)
    if verb == "sleep":
        time.sleep(float(argument))
    elif verb == "hang_in_a_named_place":
        hang_in_a_named_place()
    elif verb == "exit":
        os._exit(7)
    elif verb == "raise":
        raise RuntimeError("as asked")
    elif verb == "fork":
        if os.fork() == 0:
            time.sleep(float(argument))
            os._exit(0)
    elif verb == "large":
        return large(start_response, int(argument), number)
    elif verb == "echo":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [str(environ["wsgi.multiprocess"]).encode() if verb == "multiprocess" else number.encode()]

def hang_in_a_named_place():
    time.sleep(3600)

def large(start_response, size, number):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    try:
        for _ in range(size // 65536):
            yield b"x" * 65536
    finally:
        note("closed", number)
`

let directory: string
let interpreter: Interpreter

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-pool-'))
  writeFileSync(join(directory, 'tried.py'), APPLICATION)
  interpreter = await findSystemPython(null, directory)
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A task that records what becomes of it. */
class Probe implements Task {
  readonly abandonedAt: number
  readonly body: TaskBody
  readonly number: string
  readonly query: string
  head: string | null = null
  bytes = 0
  text = ''
  /** `ended`, `broken`, `file`, `failed: …`, `502: …`; once. */
  outcome: string | null = null
  wasReleased = false
  wanted = 0
  handle: TaskHandle | null = null

  constructor(number: string, query = '', body?: TaskBody, abandonedAt = Number.POSITIVE_INFINITY) {
    this.number = number
    this.query = query
    this.body = body ?? { kind: 'whole', chunks: [], length: 0 }
    this.abandonedAt = abandonedAt
  }

  get pid(): string {
    return /X-Pid: (\d+)/.exec(this.head ?? '')?.[1] ?? ''
  }

  describe(): string {
    return `GET ${this.number}`
  }

  environBound(): number {
    return 1000
  }

  writeEnviron(out: Buffer, at: number): number {
    let to = beginDict(out, at)
    for (const [key, value] of [
      ['REQUEST_METHOD', 'GET'],
      ['SCRIPT_NAME', ''],
      ['PATH_INFO', this.number],
      ['QUERY_STRING', this.query],
      ['SERVER_PROTOCOL', 'HTTP/1.1'],
      ['wsgi.url_scheme', 'http'],
    ] as const) {
      to = writeEncoded(out, to, encodePair(key, value))
    }
    return endDict(out, to)
  }

  #end(outcome: string): void {
    if (this.outcome !== null) throw new Error(`ended twice: ${this.outcome}, ${outcome}`)
    this.outcome = outcome
  }

  responseHead(head: Span, body: Span, ended: boolean): HeadOutcome {
    this.head = head.latin1()
    this.responseData(body)
    if (ended) this.#end('ended')
    return TAKEN
  }

  responseData(piece: Span): boolean {
    this.bytes += piece.length
    if (this.bytes < 1000) this.text += piece.latin1()
    return false
  }

  held(): void {}

  responseEnd(broken: boolean): void {
    this.#end(broken ? 'broken' : 'ended')
  }

  responseFile(_reference: FileReference): void {
    this.#end('file')
  }

  failed(traceback: string): void {
    this.#end(`failed: ${traceback}`)
  }

  lost(status: number, reason: string): void {
    this.#end(`${status}: ${reason}`)
  }

  wantBody(bytes: number): void {
    this.wanted += bytes
  }

  released(): void {
    if (this.wasReleased) throw new Error('released twice')
    this.wasReleased = true
  }
}

interface Bench {
  readonly pool: WorkerPool
  readonly logged: string[]
  output: string
  submit(number: string, query?: string, body?: TaskBody): Probe
}

function makePool(
  options: Partial<PoolOptions> & {
    threads?: number
    window?: number
    python?: Interpreter
    multiprocess?: boolean
  } = {},
): Bench {
  const {
    threads = 1,
    window = 262_144,
    python = interpreter,
    multiprocess = true,
    ...rest
  } = options
  const logged: string[] = []
  const bench: Bench = {
    logged,
    output: '',
    pool: new WorkerPool({
      workers: 2,
      timeout: 30,
      loadTimeout: 30,
      gracefulTimeout: 10,
      maxRequests: 0,
      maxRequestsJitter: 0,
      backlogLimit: 1000,
      ...rest,
      worker: {
        start: workerProcesses({ interpreter: python, environment: {}, directory }),
        application: 'tried:application',
        chdir: directory,
        pythonpath: [],
        threads,
        window,
        gracefulTimeout: 10,
        multiprocess,
        strict: false,
        environ: { SERVER_SOFTWARE: 'monoceros/test' },
      },
      log: {
        log: (level, text) => logged.push(`${level} ${text}`),
        output: (_pid, _stream, chunk) => {
          bench.output += chunk?.toString() ?? ''
        },
      },
    }),
    submit(number, query, body) {
      const probe = new Probe(number, query, body)
      probe.handle = bench.pool.submit(probe)
      return probe
    },
  }
  onTestFinished(async () => {
    bench.pool.kill()
    await bench.pool.stop(1000)
  })
  return bench
}

async function startPool(
  options: Parameters<typeof makePool>[0] = {},
): Promise<Bench & { pids: number[] }> {
  const bench = makePool(options)
  const pids = (await bench.pool.start()).map(({ pid }) => pid)
  return Object.assign(bench, { pids })
}

function lines(name: string): string[] {
  const path = join(directory, name)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const over = (probes: Probe[]) =>
  waitFor('every task to end', () => probes.every(({ outcome }) => outcome !== null), 20_000)

describe('a pool of workers', () => {
  it('runs every task once and answers it once', async () => {
    const { submit, pool } = await startPool()
    const probes = Array.from({ length: 500 }, (_, i) => submit(`/${i}`))
    await over(probes)
    expect(
      probes.every(({ outcome, number, text }) => outcome === 'ended' && text === number),
    ).toBe(true)
    expect(lines('begun').sort()).toEqual(probes.map(({ number }) => number).sort())
    expect(pool.busy).toBe(false)
  })

  it('gives two tasks to two workers', async () => {
    const { submit } = await startPool()
    const probes = [submit('/1', 'sleep=0.2'), submit('/2', 'sleep=0.2')]
    await over(probes)
    expect(probes[0]!.pid).not.toBe(probes[1]!.pid)
  })

  it('reports its workers, what they do and how many requests they have', async () => {
    const { submit, pool, pids } = await startPool()
    const idle = pids.map((pid) => ({ pid, state: 'serving', requests: 0 }))
    expect(pool.report()).toEqual(idle)
    const slow = submit('/1', 'sleep=0.3')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    expect(pool.report().map(({ requests }) => requests)).toContain(1)
    await over([slow])
    expect(pool.report()).toEqual(idle)
  })

  it('lets nothing wait behind a task that takes long', async () => {
    const { submit } = await startPool()
    // So that the workers are known to be fast and something is queued on them.
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'sleep=2')
    const fast = Array.from({ length: 200 }, (_, i) => submit(`/${i}`))
    await over(fast)
    expect(slow.outcome).toBeNull()
    await over([slow])
    const onSlow = fast.filter(({ pid }) => pid === slow.pid).length
    expect(onSlow).toBe(0)
    expect(new Set(lines('begun')).size).toBe(lines('begun').length)
  })

  it('lets nothing wait behind a task that takes long, however large what is on its way', async () => {
    const { submit } = await startPool()
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'sleep=3')
    const large = Buffer.alloc(400_000, 'b')
    const fast = Array.from({ length: 30 }, (_, i) =>
      submit(`/${i}`, '', { kind: 'whole', chunks: [large], length: large.length }),
    )
    await over(fast)
    expect(slow.outcome).toBeNull()
    expect(fast.every(({ outcome }) => outcome === 'ended')).toBe(true)
    await over([slow])
  })

  it('answers 502 for what a killed worker had begun, and runs the rest elsewhere', async () => {
    const { submit, pids, logged } = await startPool({ workers: 1 })
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'sleep=30')
    const rest = Array.from({ length: 10 }, (_, i) => submit(`/${i}`))
    await waitFor('it to begin', () => lines('begun').includes('/slow'))
    process.kill(pids[0]!, 'SIGKILL')
    await over([slow, ...rest])
    expect(slow.outcome).toMatch(
      /^502: worker \d+ ended while it ran this request \(killed by SIGKILL\)$/,
    )
    expect(rest.every(({ outcome }) => outcome === 'ended')).toBe(true)
    expect(new Set(lines('begun')).size).toBe(lines('begun').length)
    expect(logged.some((line) => /^40 Worker \d+ killed by SIGKILL/.test(line))).toBe(true)
  })

  it('answers 504 for what runs out of time, shows where it was, and goes on with another worker', async () => {
    const bench = await startPool({ workers: 1, timeout: 0.5 })
    const hanging = bench.submit('/1', 'hang_in_a_named_place=')
    await over([hanging])
    expect(hanging.outcome).toMatch(/^504: /)
    await waitFor('the stack', () => bench.output.includes('in hang_in_a_named_place'))
    // On a busy machine the new worker takes longer to start than a task may wait for it.
    await waitFor('another worker to answer', async () => {
      const next = bench.submit('/2')
      await over([next])
      return next.outcome === 'ended'
    })
    expect(alive(bench.pids[0]!)).toBe(false)
  })

  it('with threads, lets the others finish before it ends a worker that is out of time', async () => {
    const bench = await startPool({ workers: 1, threads: 2, timeout: 1 })
    const hanging = bench.submit('/1', 'hang_in_a_named_place=')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    await new Promise((resolve) => setTimeout(resolve, 500))
    const other = bench.submit('/2', 'sleep=0.8')
    await over([hanging])
    expect(hanging.outcome).toMatch(/^504/)
    await over([other])
    expect(other.outcome).toBe('ended')
    await waitFor('the worker to be gone', () => !alive(bench.pids[0]!))
  })

  it('blames a timeout on what has the thread, and not on a download that waits for its turn', async () => {
    const { submit, pids } = await startPool({ workers: 1, timeout: 2 })
    const download = submit('/download', 'large=2097152')
    await waitFor('its credit to be used up', () => download.bytes === 262_144)
    const hanging = submit('/hanging', 'hang_in_a_named_place=')
    await waitFor('it to begin', () => lines('begun').includes('/hanging'))
    download.handle!.grant(131_072)
    await over([download, hanging])
    expect(hanging.outcome).toMatch(/^504: /)
    expect(download.outcome).toMatch(/^502: worker \d+ ended/)
    await waitFor('the worker to be gone', () => !alive(pids[0]!))
  })

  it('tells of an application that raises, or leaves', async () => {
    const { submit } = await startPool()
    const raising = submit('/1', 'raise=')
    const leaving = submit('/2', 'exit=')
    await over([raising, leaving])
    expect(raising.outcome).toContain('RuntimeError: as asked')
    expect(leaving.outcome).toMatch(/^502: .*exited with status 7/)
  })

  it('answers 503 when too many wait, and for what has been given up before it began', async () => {
    const { pool, submit } = await startPool({ workers: 1, backlogLimit: 3 })
    const slow = submit('/slow', 'sleep=0.5')
    await waitFor('it to begin', () => lines('begun').includes('/slow'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const abandoned = new Probe('/abandoned', '', undefined, performance.now() + 50)
    pool.submit(abandoned)
    const waiting = [submit('/1'), submit('/2')]
    const refused = submit('/3')
    await over([refused])
    expect(refused.outcome).toMatch(/^503: .*backlog_limit 3/)
    waiting[0]!.handle!.cancel()
    expect(waiting[0]!.wasReleased).toBe(true)
    const taken = submit('/4') // what has been cancelled takes no place
    await over([slow, waiting[1]!, taken, abandoned])
    expect(abandoned.outcome).toMatch(/^503/)
    expect(lines('begun')).toEqual(['/slow', '/2', '/4'])
  })

  it('cancels a task in whatever state it is, and lets go of it', async () => {
    const { pool, submit } = await startPool({ workers: 1 })
    const putAside = submit('/aside', 'large=2000000')
    await waitFor('its credit to be used up', () => putAside.bytes === 262_144)
    const running = submit('/running', 'sleep=0.3')
    await waitFor('it to begin', () => lines('begun').includes('/running'))
    const queued = submit('/queued')
    for (const probe of [queued, running, putAside]) probe.handle!.cancel()
    expect(queued.wasReleased || !running.wasReleased).toBe(true)
    await waitFor('all to be let go', () =>
      [queued, running, putAside].every(({ wasReleased }) => wasReleased),
    )
    await waitFor('the end of the iterable', () => lines('closed').includes('/aside'))
    expect([queued, running, putAside].map(({ outcome }) => outcome)).toEqual([null, null, null])
    expect(lines('begun')).not.toContain('/queued')
    await waitFor('nothing to be left', () => !pool.busy)
    const after = submit('/after')
    await over([after])
    expect(after.outcome).toBe('ended')
  })

  it('keeps to the window, and does something else while a client is slow', async () => {
    const { submit } = await startPool({ workers: 1 })
    const size = 2_097_152
    const large = submit('/large', `large=${size}`)
    await waitFor('its credit to be used up', () => large.bytes === 262_144)
    const probes = Array.from({ length: 20 }, (_, i) => submit(`/${i}`))
    await over(probes)
    expect(large.bytes).toBe(262_144)
    while (large.outcome === null) {
      const before = large.bytes
      large.handle!.grant(131_072)
      await waitFor(
        'more',
        () => large.bytes === Math.min(size, before + 131_072) || large.outcome !== null,
      )
      if (large.bytes === size) await over([large])
    }
    expect(large.bytes).toBe(size)
    expect(large.outcome).toBe('ended')
    // Everything is counted back: as many at once as before, none of them waiting for what is not
    // there.
    const again = Array.from({ length: 50 }, (_, i) => submit(`/again/${i}`))
    await over(again)
    expect(again.every(({ outcome }) => outcome === 'ended')).toBe(true)
  })

  it('streams a request body as it is asked for', async () => {
    const { submit } = await startPool({ workers: 1 })
    const probe = submit('/', 'echo=', { kind: 'stream' })
    await waitFor('it to ask', () => probe.wanted > 0)
    probe.handle!.sendBody(Buffer.from('abc'), false)
    probe.handle!.sendBody(Buffer.from('def'), true)
    await over([probe])
    expect(probe.text).toBe('abcdef')
    const broken = submit('/', 'echo=', { kind: 'stream' })
    await waitFor('it to ask', () => broken.wanted > 0)
    broken.handle!.abortBody()
    await over([broken])
    expect(broken.outcome).toMatch(/^(failed|502)/)
  })

  it('replaces a worker after max_requests, the new one first', async () => {
    const { submit, pids } = await startPool({ workers: 1, maxRequests: 5 })
    for (let i = 0; i < 12; i++) {
      const probe = submit(`/${i}`)
      await over([probe])
      expect(probe.outcome).toBe('ended')
    }
    await waitFor('the first to be gone', () => !alive(pids[0]!))
    const last = submit('/last')
    await over([last])
    expect(last.outcome).toBe('ended')
  })

  it('keeps the old workers when a reload fails, and replaces them when it does not', async () => {
    const { pool, submit, pids } = await startPool()
    writeFileSync(join(directory, 'tried.py'), 'raise RuntimeError("broken meanwhile")\n')
    await expect(pool.reload()).rejects.toThrow(/broken meanwhile/)
    const probe = submit('/1')
    await over([probe])
    expect(pids).toContain(Number(probe.pid))
    writeFileSync(join(directory, 'tried.py'), APPLICATION)
    const running = submit('/running', 'sleep=0.5')
    await pool.reload()
    await over([running])
    expect(running.outcome).toBe('ended')
    await waitFor('the old ones to be gone', () => !pids.some(alive))
    const next = submit('/2')
    await over([next])
    expect(pids).not.toContain(Number(next.pid))
  })

  it('has as many workers as it is told to', async () => {
    const { pool, submit, pids } = await startPool()
    pool.scale(1)
    await waitFor('one to be gone', () => pids.filter(alive).length === 1)
    pool.scale(3)
    await waitFor('three to serve', async () => {
      const probes = Array.from({ length: 3 }, (_, i) => submit(`/${i}`, 'sleep=0.1'))
      await over(probes)
      return new Set(probes.map(({ pid }) => pid)).size === 3
    })
  })

  it('replaces one that was alone when others join it, so that wsgi.multiprocess is true', async () => {
    const { pool, submit, pids } = await startPool({ workers: 1, multiprocess: false })
    const ask = async (number: number) => {
      const probes = Array.from({ length: number }, (_, i) => submit(`/${i}`, 'multiprocess'))
      await over(probes)
      for (const probe of probes) expect(probe.outcome).toBe('ended')
      return new Set(probes.map(({ text }) => text))
    }
    expect(await ask(4)).toEqual(new Set(['False']))
    pool.scale(2)
    await waitFor('the one that was alone to be gone', () => !pids.some(alive))
    expect(await ask(20)).toEqual(new Set(['True']))
  })

  it('stops: what runs is finished, and no process is left', async () => {
    const { pool, submit, pids } = await startPool()
    const running = submit('/', 'sleep=0.4')
    await waitFor('it to begin', () => lines('begun').length === 1)
    await pool.stop(5000)
    expect(running.outcome).toBe('ended')
    expect(pids.some(alive)).toBe(false)
  })

  it('stops while it starts', async () => {
    const { pool } = makePool()
    const starting = pool.start()
    const started = expect(starting).rejects.toThrow(WorkerStartError)
    await pool.stop(5000)
    await started
    expect(pool.busy).toBe(false)
  })

  it('kills what does not stop in time', async () => {
    const { pool, submit, pids, logged } = await startPool({ workers: 1 })
    const running = submit('/', 'sleep=60')
    await waitFor('it to begin', () => lines('begun').length === 1)
    await pool.stop(200)
    expect(running.outcome).toMatch(/^502/)
    expect(pids.some(alive)).toBe(false)
    expect(logged.some((line) => line.includes('did not exit in time'))).toBe(true)
  })

  it('does not wait for processes that the application left behind', async () => {
    const { pool, submit, pids } = await startPool({ workers: 1 })
    await over([submit('/', 'fork=3')])
    const running = submit('/1', 'sleep=60')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    process.kill(pids[0]!, 'SIGKILL')
    const since = performance.now()
    await over([running])
    expect(performance.now() - since).toBeLessThan(2000)
    expect(running.outcome).toMatch(/^502/)
    await pool.stop(1000)
  })

  it('holds on to no descriptors over many workers', async () => {
    const { pool, submit } = await startPool({ workers: 1 })
    const count = () => readdirSync('/proc/self/fd').length
    await pool.reload()
    await waitFor('the old one to be gone', () => !pool.busy)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const before = count()
    for (let i = 0; i < 4; i++) await pool.reload()
    await over([submit('/')])
    await waitFor('the descriptors to be closed', () => count() <= before)
  })

  it('says why an application cannot be loaded', async () => {
    writeFileSync(join(directory, 'tried.py'), 'import nowhere_to_be_found\n')
    const { pool } = makePool()
    const failure = await pool.start().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApplicationLoadError)
    expect((failure as Error).message).toContain('nowhere_to_be_found')
  })

  describe('an application that never comes to be loaded', () => {
    const hung =
      'def wait_in_a_named_place():\n    while True:\n        pass\n\nwait_in_a_named_place()\n'

    it('is warned of, and given up with the place where it stands, and no process is left', async () => {
      writeFileSync(join(directory, 'tried.py'), hung)
      const { pool, logged } = makePool({ loadTimeout: 6 })
      const failure = await pool.start().catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ApplicationLoadError)
      expect((failure as Error).message).toMatch(
        /^tried:application could not be loaded within 6 s \(load_timeout\)\. Stack .*wait_in_a_named_place\n/s,
      )
      // The application's frames, not ours.
      expect((failure as Error).message).not.toMatch(/python\/monoceros|importlib/)
      const warnings = logged.filter((line) =>
        line.includes('is still loading tried:application after 3 s'),
      )
      expect(warnings).toHaveLength(2)
      expect(warnings.join('\n')).toContain('in wait_in_a_named_place')
      const given = warnings.map((line) => Number(/Worker (\d+)/.exec(line)![1]))
      await waitFor('both to be gone', () => !given.some(alive))
    })

    it('costs a reload, and nobody else; another reload ends it at once', async () => {
      const { pool, submit, pids } = await startPool({ loadTimeout: 60 })
      writeFileSync(join(directory, 'tried.py'), `import os\nopen("hung", "w").close()\n${hung}`)
      const first = pool.reload().then(
        () => 'reloaded',
        () => 'abandoned',
      )
      await waitFor('it to hang', () => existsSync(join(directory, 'hung')))
      const meanwhile = submit('/1')
      await over([meanwhile])
      expect(pids).toContain(Number(meanwhile.pid))
      writeFileSync(join(directory, 'tried.py'), APPLICATION)
      await pool.reload()
      expect(await first).toBe('abandoned')
      await waitFor('the old ones to be gone', () => !pids.some(alive))
      const next = submit('/2')
      await over([next])
      expect(pids).not.toContain(Number(next.pid))
    })

    it('is tried again where it replaces a worker that has died', async () => {
      const { submit, pids, logged } = await startPool({ workers: 1, loadTimeout: 6 })
      writeFileSync(join(directory, 'tried.py'), hung)
      process.kill(pids[0]!, 'SIGKILL')
      await waitFor('a try that is given up', () =>
        logged.some((line) =>
          /could not start; trying again\n.*load_timeout.*wait_in_a_named_place/s.test(line),
        ),
      )
      writeFileSync(join(directory, 'tried.py'), APPLICATION)
      const probe = submit('/1')
      await over([probe])
      expect(probe.outcome).toBe('ended')
    })

    it('makes a reload that another worker has failed fail at once', async () => {
      const { pool } = await startPool({ loadTimeout: 60 })
      // Whoever makes the folder hangs, the other one raises.
      const first =
        'import os\ntry:\n    os.mkdir("first")\nexcept FileExistsError:\n    raise ' +
        'RuntimeError("second")\n'
      writeFileSync(join(directory, 'tried.py'), `${first}${hung}`)
      await expect(pool.reload()).rejects.toThrow(/second/)
    })
  })

  it('waits longer each time a replacement does not live', async () => {
    const { pids, logged } = await startPool({ workers: 1 })
    writeFileSync(join(directory, 'tried.py'), 'raise RuntimeError("broken meanwhile")\n')
    process.kill(pids[0]!, 'SIGKILL')
    const tries = () =>
      logged.filter((line) => line.includes('could not start; trying again')).length
    await waitFor('a first try', () => tries() >= 2)
    const some = tries()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(tries() - some).toBeLessThan(6)
  })
})

describe('an interpreter that does not do what it should', () => {
  /** A worker that greets and then writes what `after` (Python) says. */
  function impostor(after: string): Interpreter {
    const command = join(directory, 'impostor')
    writeFileSync(
      command,
      `#!${interpreter.executable}
import json, os, struct, sys, time
def frame(kind, stream, payload=b"", flags=0):
    os.write(3, struct.pack("<IBBHI", len(payload), kind, flags, 0, stream) + payload)
def ready(**more):
    frame(0x81, 0, json.dumps({"protocol": 2, "pid": os.getpid(), "python": "3", "implementation": "x", **more}).encode())
${after}
time.sleep(60)
`,
    )
    chmodSync(command, 0o755)
    return { ...interpreter, command }
  }

  it.each([
    ['another protocol', 'ready(protocol=3)'],
    ['no READY at all', 'frame(0x81, 0, b"null")'],
    ['READY that is not JSON', 'frame(0x81, 0, b"{")'],
    ['READY without a version', 'frame(0x81, 0, b\'{"protocol": 2}\')'],
    ['an answer to nothing', 'frame(0x85, 1, b"", 1)'],
    ['an unknown frame', 'frame(0x42, 0)'],
    ['its end', 'sys.exit(0)'],
    ['a closed channel', 'os.close(3)'],
  ])('%s ends it before it serves', async (_, after) => {
    const { pool } = makePool({ workers: 1, python: impostor(after) })
    await expect(pool.start()).rejects.toThrow(WorkerStartError)
  })

  it('says when and why it ended', async () => {
    const silent = makePool({ workers: 1, python: impostor('sys.exit(7)') })
    await expect(silent.pool.start()).rejects.toThrow(
      /^A worker exited with status 7 before it was ready to serve$/,
    )
    const confused = makePool({ workers: 1, python: impostor('frame(0x42, 0)') })
    await expect(confused.pool.start()).rejects.toThrow(
      /^A worker killed by SIGKILL before it was ready to serve: it broke the protocol$/,
    )
  })

  it.each([
    ['DATA before HEAD', 'frame(0x83, 1, b"x")'],
    ['END with a payload', 'frame(0x85, 1, b"x")'],
    ['a HEAD longer than its frame', 'frame(0x82, 1, struct.pack("<I", 100) + b"200 OK\\r\\n")'],
    [
      'two HEADs',
      'h = struct.pack("<I", 8) + b"200 OK\\r\\n"; frame(0x82, 1, h); frame(0x82, 1, h)',
    ],
    [
      'more body than its credit',
      'h = struct.pack("<I", 8) + b"200 OK\\r\\n"; frame(0x82, 1, h + b"x" * 2000)',
    ],
    ['RETURNED of what it does not have', 'frame(0x88, 0, struct.pack("<II", 1, 9))'],
    ['RETURNED twice the same', 'frame(0x88, 0, struct.pack("<II", 1, 1))'],
    ['a stream that never was', 'frame(0x85, 99, b"", 1)'],
    [
      'FILE that names nothing',
      'frame(0x82, 1, struct.pack("<I", 8) + b"200 OK\\r\\n"); frame(0x84, 1, b"[]")',
    ],
    ['READY again', 'ready()'],
  ])('%s ends it, and what it had is answered', async (_, after) => {
    const begun = 'ledger = os.pwrite(5, struct.pack("<I", 1), 0)'
    const { submit, logged } = await startPool({
      workers: 1,
      window: 1000,
      python: impostor(`ready()\nos.read(3, 100000)\n${begun}\n${after}`),
    })
    const probe = submit('/1')
    await over([probe])
    expect(probe.outcome).toMatch(/^502/)
    expect(logged.some((line) => line.includes('broke the protocol'))).toBe(true)
  })

  it('a command that is not there is one clear error', async () => {
    const { pool } = makePool({
      workers: 2,
      python: { ...interpreter, command: join(directory, 'missing') },
    })
    await expect(pool.start()).rejects.toThrow(/^A worker could not be started: .*ENOENT$/)
  })
})
