import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, onTestFinished } from 'vitest'
import type { Span } from '../../src/bytes/span.ts'
import { beginDict, encodePair, endDict, writeEncoded } from '../../src/gateway/marshal.ts'
import { findSystemPython, type Interpreter } from '../../src/runtimes/cpython/interpreter.ts'
import { preloadedWorkers } from '../../src/runtimes/cpython/preload.ts'
import { workerProcesses } from '../../src/runtimes/cpython/worker-process.ts'
import {
  type FileReference,
  type HeadOutcome,
  TAKEN,
  type Task,
  type TaskBody,
  type TaskHandle,
} from '../../src/runtimes/runtime.ts'
import { type PoolOptions, WorkerPool } from '../../src/runtimes/workers/pool.ts'
import { waitFor } from './wait-for.ts'

/** What the tests' applications do is in the query string, so that one is enough. */
export const APPLICATION = `
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
    elif verb == "until":
        while not os.path.exists(os.path.join(here, argument)):
            time.sleep(0.01)
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

/** The folder of the application, `tried.py`; another one for each test. */
export let directory: string
/** The Python that the suite runs with. */
export let interpreter: Interpreter

/** Gives each test of a file its own folder with the application. */
export function prepareApplication(): void {
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'monoceros-pool-'))
    writeFileSync(join(directory, 'tried.py'), APPLICATION)
    interpreter = await findSystemPython(null, directory)
  })

  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })
}

/** A task that records what becomes of it. */
export class Probe implements Task {
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

  earlyHints(): void {}

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

/** A pool, with what it has logged. */
export interface Bench {
  readonly pool: WorkerPool
  readonly logged: string[]
  output: string
  submit(number: string, query?: string, body?: TaskBody): Probe
}

/** Makes a pool of real workers, which is killed after the test. */
export function makePool(
  options: Partial<PoolOptions> & {
    threads?: number
    window?: number
    python?: Interpreter
    multiprocess?: boolean
    preload?: boolean
    forkTimeout?: number
  } = {},
): Bench {
  const {
    threads = 1,
    window = 262_144,
    python = interpreter,
    multiprocess = true,
    preload = false,
    forkTimeout = 30_000,
    ...rest
  } = options
  const logged: string[] = []
  const processes = { interpreter: python, environment: {}, directory, sockets: directory }
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
        start: workerProcesses(processes),
        ...(preload ? { preload: preloadedWorkers({ ...processes, forkTimeout }) } : {}),
        application: 'tried:application',
        chdir: directory,
        pythonpath: [],
        threads,
        workerClass: 'sync',
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

/** Makes a pool and starts it; `pids` are those of its first workers. */
export async function startPool(
  options: Parameters<typeof makePool>[0] = {},
): Promise<Bench & { pids: number[] }> {
  const bench = makePool(options)
  const pids = (await bench.pool.start()).map(({ pid }) => pid)
  return Object.assign(bench, { pids })
}

/** The lines of a file that the application has written. */
export function lines(name: string): string[] {
  const path = join(directory, name)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

/** Lets the requests end that were submitted with the query string `until=released`. */
export const release = () => writeFileSync(join(directory, 'released'), '')

/** Whether a process exists. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until every task has ended. */
export const over = (probes: Probe[]) =>
  waitFor('every task to end', () => probes.every(({ outcome }) => outcome !== null), 20_000)
