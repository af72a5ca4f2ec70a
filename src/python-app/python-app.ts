/**
 * A Python application as a TypeScript value: an application like any other, run by CPython in
 * worker processes, or by the embedded Python in worker threads if the system has none.
 *
 * Use it to run Flask, Django or any other application that follows PEP 3333 beside applications in
 * TypeScript, under a dispatcher or an Express mount, or to wrap it in middleware. For a Python
 * application alone, the command is simpler and faster: `monoceros flaskapp:app`.
 *
 * Python sees the `environ` as middleware has changed it:
 *
 * | in TypeScript | in Python |
 * |---|---|
 * | string | `str`. Directly in `environ` it holds bytes as latin-1 (PEP 3333), see `encodeText`. In arrays and objects it is any text |
 * | number, bigint | `int` if it is a whole number, otherwise `float` |
 * | boolean, `null` | `bool`, `None` |
 * | `Uint8Array` | `bytes` |
 * | array, plain object | `list`, `dict`, to any depth |
 * | `undefined`, a function, an instance of a class, a symbol | absent (`None` in an array) |
 *
 * `wsgi.input` is read through its methods, so middleware may wrap it. The other variables of PEP
 * 3333 that begin with `wsgi.` are the worker's own, except `wsgi.url_scheme`. A body of unknown
 * length is read first (unless `requestBuffering` is off), and gets its `CONTENT_LENGTH`.
 *
 * @example
 * import { dispatcher, makeServer, pythonApp } from 'monoceros'
 *
 * const flask = pythonApp('flaskapp:app', { workers: 2, chdir: 'shop' })
 * const httpd = await makeServer('', 8000, dispatcher(site, { '/api': flask }))
 * await httpd.serveForever()
 * await flask.close() // the command does this itself
 */
import { tmpdir } from 'node:os'
import { ApplicationLoadError } from '../runtimes/application-load-error.ts'
import type { Python } from '../runtimes/choose-python.ts'
import { InterpreterError } from '../runtimes/cpython/interpreter.ts'
import { MountError } from '../runtimes/pyodide/files/mounts.ts'
import { showPool } from '../runtimes/workers/application-pools.ts'
import type { WorkerPool } from '../runtimes/workers/pool.ts'
import { requestsAtOnce } from '../runtimes/workers/worker-options.ts'
import { WorkerStartError } from '../runtimes/workers/worker-start-error.ts'
import { version } from '../settings/version.ts'
import { defaultDiskLimits } from '../spool/defaults.ts'
import { DiskBudget } from '../spool/disk-budget.ts'
import { processStore } from '../spool/process-store.ts'
import type { BodyStore } from '../spool/spool.ts'
import { PythonSpans } from '../traces/python-spans.ts'
import { whenClientGone } from '../wsgi/client-gone.ts'
import { closeWithServer } from '../wsgi/lifetime.ts'
import type { StartResponse, WSGIBody, WSGIEnvironment } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { EnvironEncoder } from './environ-encoder.ts'
import { PythonCall, type PythonCallContext } from './python-call.ts'
import { PythonLoadError, PythonOptionError, PythonUnavailableError } from './python-error.ts'
import { entriesOfPool } from './python-log.ts'
import { type CheckedOptions, checkOptions, type PythonAppOptions } from './python-options.ts'
import type { PythonReload } from './python-reload.ts'
import { type Runner, sharedRunner } from './shared-runners.ts'

/** A Python application. See {@link pythonApp}. */
export interface PythonApplication {
  (environ: WSGIEnvironment, startResponse: StartResponse): Promise<WSGIBody>
  /**
   * Starts the workers, unless they are running. Resolves when all have loaded the application.
   * Otherwise the first request starts them, and waits.
   *
   * @throws PythonLoadError, PythonUnavailableError
   */
  ready(): Promise<void>
  /**
   * Loads the application again: starts new workers, then the old ones finish their requests and
   * leave.
   *
   * @throws PythonLoadError, PythonUnavailableError: then the old workers stay
   */
  reload(): Promise<void>
  /**
   * Takes no more requests, lets running requests finish (for up to `gracefulTimeout`), and ends
   * the workers. May be called again.
   *
   * The process can end without this call: workers do not keep it alive, and leave when it is gone.
   * Their last output is then lost.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes an application of a Python application. Nothing is started before the first request, or
 * {@link PythonApplication.ready}.
 *
 * The application throws {@link PythonError} if Python raised, `PythonLoadError` if it could not be
 * loaded (the next request tries again), and `PythonUnavailableError` with a `status` if no worker
 * could answer. The body of a response throws if the response is not complete.
 *
 * @param application `MODULE:NAME`, as for the command: `flaskapp:app`, `mysite.wsgi`,
 * `shop:create_app("production")`
 * @throws PythonOptionError for a wrong option
 */
export function pythonApp(application: string, options: PythonAppOptions = {}): PythonApplication {
  if (typeof application !== 'string' || application === '') {
    throw new PythonOptionError(
      "pythonApp: the application must be MODULE:NAME, such as 'flaskapp:app', " +
        `not ${describeValue(application)}`,
    )
  }
  const checked = checkOptions(options)
  const runner: Runner = checked.shared
    ? sharedRunner({ application, options: checked, make })
    : make(application, checked)
  const app = (environ: WSGIEnvironment, startResponse: StartResponse) =>
    runner.call(environ, startResponse)
  Object.defineProperty(app, 'name', { value: `pythonApp(${application})` })
  return Object.assign(app, {
    ready: () => runner.ready(),
    reload: () => runner.reload(),
    close: () => runner.close(),
    [Symbol.asyncDispose]: () => runner.close(),
  })
}

function make(application: string, options: CheckedOptions): Runner {
  return new PythonRunner(application, options)
}

/** The longest time of a timer, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** An application's workers, and the calls that are under way. */
class PythonRunner implements PythonCallContext, Runner {
  readonly encoder = new EnvironEncoder()
  readonly requestBuffering: boolean
  readonly bodyStore: BodyStore
  readonly window: number
  readonly spans: PythonSpans
  readonly #application: string
  readonly #options: CheckedOptions
  readonly #calls = new Set<PythonCall>()
  #pool: WorkerPool | null = null
  #starting: Promise<WorkerPool> | null = null
  /** The pool that is being started, so that it can be ended. */
  #unready: WorkerPool | null = null
  #closing: Promise<void> | null = null
  #reloading: Promise<void> | null = null
  /** The reload after it, for all calls in the meantime. */
  #nextReload: Promise<void> | null = null
  /** Watches the application's files; null without the option `reload`. */
  #watch: PythonReload | null = null
  /** Why the application could not be loaded again after a change. */
  #failure: unknown = null
  /** How often files have changed. */
  #changes = 0
  /** A file has changed while the application was loaded for the first time. */
  #startAgain = false
  /** Closing has run out of time: nothing is started any more. */
  #expired = false
  /** Removes this from what the server closes; null if it is not there. */
  #forget: (() => void) | null = null
  /** Ends that the server lists the workers; null if there are none. */
  #hidePool: (() => void) | null = null
  #onNoCalls: (() => void) | null = null
  /**
   * Keeps the process alive while something is waited for. The workers' channels do not: holding
   * and releasing one handle costs less than ten.
   */
  #alive: NodeJS.Timeout | null = null
  #holds = 0

  constructor(application: string, options: CheckedOptions) {
    this.#application = application
    this.#options = options
    this.requestBuffering = options.requestBuffering
    this.bodyStore = bodyStoreOf(options)
    this.window = options.responseWindow
    this.spans = new PythonSpans(application, version)
  }

  get busy(): boolean {
    return this.#holds > 0
  }

  call(environ: WSGIEnvironment, startResponse: StartResponse): Promise<WSGIBody> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== null) return reject(this.#closedError())
      const call = new PythonCall(this, environ, startResponse, { resolve, reject })
      this.#calls.add(call)
      this.#hold()
      call.begin()
      // After the head, the body's close() tells that the rest is not wanted.
      whenClientGone(environ, () => call.abandon())
    })
  }

  async ready(): Promise<void> {
    if (this.#closing !== null) throw this.#closedError()
    await this.#held(async () => {
      await this.runtime()
    })
  }

  /**
   * One at a time. A call during a reload starts another one after it, because that one may have
   * loaded the code from before the call.
   */
  reload(): Promise<void> {
    if (this.#nextReload !== null) return this.#nextReload
    const current = this.#reloading
    if (current === null) {
      const reload = this.#reloadOnce().finally(() => {
        this.#reloading = null
      })
      this.#reloading = reload
      return reload
    }
    const begin = () => {
      this.#nextReload = null
      return this.reload()
    }
    this.#nextReload = current.then(begin, begin)
    return this.#nextReload
  }

  async #reloadOnce(): Promise<void> {
    const pool = this.#pool
    if (pool === null) return await this.ready()
    if (this.#closing !== null) throw this.#closedError()
    await this.#held(async () => {
      try {
        await pool.reload()
      } catch (error) {
        throw this.#startError(error)
      }
      this.#failure = null
    })
  }

  /**
   * Loads the application again after a change, at once: a load that is under way is given up,
   * because it may be one that does not end.
   *
   * @returns false if another change came, or it is being closed
   * @throws PythonLoadError, PythonUnavailableError: requests get it, too, until the next change
   */
  async #reloadForChange(): Promise<boolean> {
    if (this.#closing !== null) return false
    const unready = this.#unready
    if (unready !== null) {
      this.#startAgain = true
      unready.kill()
    }
    const pool = this.#pool
    if (pool === null) {
      await this.ready()
      return true
    }
    const change = ++this.#changes
    try {
      await this.#held(() => pool.reload())
    } catch (error) {
      if (change !== this.#changes || this.#closing !== null) return false
      this.#failure = this.#startError(error)
      throw this.#failure
    }
    this.#failure = null
    return change === this.#changes
  }

  close(): Promise<void> {
    this.#closing ??= this.#held(() => this.#close())
    return this.#closing
  }

  // ---------------------------------------------------------------- for calls (PythonCallContext)

  runtime(): WorkerPool | Promise<WorkerPool> {
    if (this.#failure !== null) throw this.#failure
    if (this.#pool !== null) return this.#pool
    this.#starting ??= this.#start()
    return this.#starting
  }

  multiprocess(environ: WSGIEnvironment): boolean {
    return environ['wsgi.multiprocess'] === true && this.#options.workers === 1
  }

  over(call: PythonCall): void {
    this.#calls.delete(call)
    if (this.#calls.size === 0) this.#onNoCalls?.()
    this.#release()
  }

  // ----------------------------------------------------------------

  async #start(): Promise<WorkerPool> {
    this.#forget ??= closeWithServer(this)
    try {
      // Only now: a program may make the application and never call it.
      const { choosePython } = await import('../runtimes/choose-python.ts')
      const { WorkerPool: Pool } = await import('../runtimes/workers/pool.ts')
      const python = await choosePython({
        ...this.#options,
        directory: tmpdir(),
        option: 'the option python',
      })
      if (this.#options.reload) await this.#watchFiles()
      const pool = await this.#startPool(python, Pool)
      python.settle()
      this.#pool = pool
      this.#watch?.loaded()
      return pool
    } catch (error) {
      const startError = this.#startError(error)
      this.#watch?.loadFailed(startError)
      throw startError
    } finally {
      this.#unready = null
      this.#starting = null // after a failure the next request tries again
    }
  }

  async #startPool(python: Python, Pool: typeof WorkerPool): Promise<WorkerPool> {
    for (;;) {
      if (this.#expired) throw this.#closedError()
      const pool = this.#makePool(python, Pool)
      this.#startAgain = false
      this.#unready = pool
      const embedded = python.runtime === 'pyodide'
      this.#hidePool = showPool({ application: this.#application, pool, embedded })
      try {
        await pool.start()
        return pool
      } catch (error) {
        this.#hidePool()
        if (!this.#startAgain || this.#closing !== null) throw error
      }
    }
  }

  async #watchFiles(): Promise<void> {
    if (this.#watch !== null) return
    // Only here: it is of no use in production.
    const { PythonReload } = await import('./python-reload.ts')
    const watch = new PythonReload(this.#application, this.#options, () => this.#reloadForChange())
    this.#watch = watch
    await watch.start()
  }

  #makePool({ start, runtime }: Python, Pool: typeof WorkerPool): WorkerPool {
    const options = this.#options
    return new Pool({
      workers: options.workers,
      timeout: options.timeout,
      loadTimeout: options.loadTimeout,
      gracefulTimeout: options.gracefulTimeout,
      maxRequests: options.maxRequests,
      maxRequestsJitter: options.maxRequestsJitter,
      backlogLimit: options.backlogLimit,
      worker: {
        start,
        application: this.#application,
        chdir: options.chdir,
        pythonpath: options.pythonpath,
        ...requestsAtOnce(runtime, options),
        window: options.responseWindow,
        gracefulTimeout: options.gracefulTimeout,
        multiprocess: options.workers > 1,
        strict: options.strict,
        // No defaults: a variable that middleware has removed must not come back.
        environ: {},
        background: true,
        reload: options.reload,
      },
      log: entriesOfPool(options.log),
      ...(this.#watch === null ? {} : { events: this.#watch.events }),
    })
  }

  #startError(error: unknown): unknown {
    if (error instanceof ApplicationLoadError)
      return new PythonLoadError(this.#application, error.message)
    if (
      error instanceof InterpreterError ||
      error instanceof WorkerStartError ||
      error instanceof MountError
    ) {
      const application = `The Python application ${this.#application}`
      const text = `${application} could not be started: ${error.message}`
      return new PythonUnavailableError('python-start', text, { cause: error })
    }
    return error
  }

  #closedError(): PythonUnavailableError {
    return new PythonUnavailableError(
      'python-closed',
      `The Python application ${this.#application} has been closed`,
    )
  }

  async #close(): Promise<void> {
    const until = performance.now() + this.#options.gracefulTimeout * 1000
    await this.#watch?.close()
    if (!(await this.#finished(until))) {
      this.#expired = true
      this.#unready?.kill()
    }
    const pool = this.#pool ?? (await this.#starting?.catch(() => null)) ?? null
    await pool?.stop(Math.max(0, until - performance.now()))
    this.#hidePool?.()
    for (const call of [...this.#calls]) call.fail(this.#closedError())
    // Also one that a start, which was waited for, has made.
    await this.#watch?.close()
    this.#forget?.()
  }

  /** Waits for the calls, and for a running start. @returns false if the time is over */
  async #finished(until: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), until - performance.now())
    })
    const calls = new Promise<void>((resolve) => {
      if (this.#calls.size === 0) resolve()
      else this.#onNoCalls = resolve
    })
    const all = Promise.allSettled([this.#starting, calls]).then(() => true)
    const finished = await Promise.race([all, late])
    clearTimeout(timer)
    return finished
  }

  async #held<T>(work: () => Promise<T>): Promise<T> {
    this.#hold()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  #hold(): void {
    if (this.#holds++ > 0) return
    if (this.#alive === null) this.#alive = setInterval(() => {}, MAX_TIMER_MS)
    else this.#alive.ref()
  }

  #release(): void {
    if (--this.#holds > 0) return
    this.#alive!.unref()
    if (this.#closing === null) return
    clearInterval(this.#alive!)
    this.#alive = null
  }
}

/** The budgets are those of the process, except that a separate folder has its own for the disk. */
function bodyStoreOf({ requestBufferSize, tmpUploadDir }: CheckedOptions): BodyStore {
  const store = processStore()
  if (tmpUploadDir === null) return { ...store, bodyMemory: requestBufferSize }
  const disk = new DiskBudget(defaultDiskLimits(tmpUploadDir))
  return { ...store, bodyMemory: requestBufferSize, disk, directory: tmpUploadDir }
}
