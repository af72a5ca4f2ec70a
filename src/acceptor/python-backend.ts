import { dirname } from 'node:path'
import type { GatewayOptions } from '../gateway/context.ts'
import { usualEnviron } from '../gateway/environ.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { RequestHandler } from '../http/exchange.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { coded, splitCode } from '../messages/coded.ts'
import type { ControlRequest } from '../observe/server-state.ts'
import type { WorkerEvents } from '../observe/worker-events.ts'
import { processName } from '../process/process-title.ts'
import { choosePython, type Python } from '../runtimes/choose-python.ts'
import { InterpreterError } from '../runtimes/cpython/interpreter.ts'
import { type PoolLoad, type PoolState, WorkerPool } from '../runtimes/workers/pool.ts'
import { poolLog } from '../runtimes/workers/pool-log.ts'
import type { InspectionQuestion } from '../runtimes/workers/worker-inspections.ts'
import { requestsAtOnce, type WorkerOptions } from '../runtimes/workers/worker-options.ts'
import { hasLogConfiguration, rawOutput, workerLogging } from '../settings/log-options.ts'
import { hasPythonHooks, isPythonConfiguration } from '../settings/python-configuration.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { type Backend, NO_POOL } from './backend.ts'
import type { ReadyReport, WorkerReport } from './messages.ts'

export interface PythonBackendOptions {
  readonly settings: Settings
  readonly log: ErrorLog
  readonly workers: number
  readonly tmpDir: string
  readonly gateway: GatewayOptions
  readonly events: WorkerEvents
  /** See {@link ArbiterLink.workerWanted}. */
  readonly workerWanted: () => Promise<number>
}

/** A Python application in workers: processes, or threads with the embedded Python. */
export class PythonBackend implements Backend {
  readonly #options: PythonBackendOptions
  #pool: WorkerPool | null = null
  #gateway: Gateway | null = null
  #ending = false
  /** Whether its workers are processes, and not threads. */
  #isProcesses = false
  /** How many there are to be. */
  #workers: number

  constructor(options: PythonBackendOptions) {
    this.#options = options
    this.#workers = options.workers
  }

  get handler(): RequestHandler {
    return this.#gateway!.handle
  }

  async start(): Promise<ReadyReport> {
    const { settings, tmpDir, gateway } = this.#options
    const runtime =
      settings.runtime === 'auto' ? 'auto' : (runtimeOf(settings) as 'cpython' | 'pyodide')
    const hooks = await this.#hooks()
    const python = await choosePython({
      ...settings,
      runtime,
      directory: settings.workerTmpDir ?? tmpDir,
      sockets: tmpDir,
      needed: configurationPaths(settings),
      lending: settings.lendSockets,
    })
    if (python.insteadOf !== null) {
      refuseSeveralAcceptors(settings, python.insteadOf)
      refuseGreenlets(settings, python.insteadOf)
      this.#tellOfEmbedded(python.insteadOf)
    }
    this.#isProcesses = python.runtime === 'cpython'
    const pool = this.#makePool(python, hooks)
    this.#pool = pool
    if (this.#ending) throw new Error('stopped while starting')
    const workers = await pool.start()
    python.settle()
    this.#gateway = new Gateway(gateway, pool)
    const interpreter = python.executable
    if (settings.workerClass === 'gevent')
      return { workers, interpreter, threads: null, greenlets: settings.workerConnections }
    const threads = python.runtime === 'pyodide' ? null : settings.threads
    return { workers, interpreter, threads }
  }

  #tellOfEmbedded(tried: string): void {
    const { log, settings } = this.#options
    log.info('No Python is installed: the application runs on the embedded one (--runtime pyodide)')
    log.debug(tried)
    if (settings.preloadApp)
      log.warning(coded('MONO2038', 'preload_app has no effect on the embedded Python'))
    if (settings.threads > 1)
      log.warning(
        coded(
          'MONO2038',
          `threads (${settings.threads}) has no effect on the embedded Python; use more workers`,
        ),
      )
  }

  #makePool({ start, preload, runtime }: Python, hooks: Pick<WorkerOptions, 'hooks'>): WorkerPool {
    const { settings, log } = this.#options
    const workers = this.#workers
    return new WorkerPool({
      workers,
      timeout: settings.timeout,
      slowRequest: settings.slowRequest,
      loadTimeout: settings.loadTimeout,
      gracefulTimeout: settings.gracefulTimeout,
      maxRequests: settings.maxRequests,
      maxRequestsJitter: settings.maxRequestsJitter,
      recycling: settings,
      backlogLimit: settings.backlogLimit,
      memory: this.#options.gateway.memory,
      events: this.#options.events,
      worker: {
        start,
        ...(settings.preloadApp && preload !== null ? { preload } : {}),
        application: settings.wsgiApp,
        name: processName(settings),
        chdir: settings.chdir,
        pythonpath: settings.pythonpath,
        ...requestsAtOnce(runtime, settings),
        window: settings.responseWindow,
        gracefulTimeout: settings.gracefulTimeout,
        // Embedded interpreters share nothing, like processes.
        multiprocess: workers > 1 || settings.workers > 1 || acceptorsOf(settings) > 1,
        strict: settings.strict,
        fileHeaders: fileHeaders(settings),
        reload: settings.reload,
        environ: { SERVER_SOFTWARE: `monoceros/${version}`, ...usualEnviron(settings.rootPath) },
        logging: workerLogging(settings),
        ...hooks,
      },
      log: poolLog({
        log: (level, text, pid) => log.log(level, text, pid),
        output: (pid, source, line) => log.forWorker(pid).output(source, line),
        raw: rawOutput(settings)
          ? (pid, source, lines) => log.forWorker(pid).raw(source, lines)
          : null,
      }),
    })
  }

  /** What workers need for the hooks of a Python config file; nothing if it has none. */
  async #hooks(): Promise<Pick<WorkerOptions, 'hooks'>> {
    const { settings, workerWanted } = this.#options
    const { config: location } = settings
    if (location === null || !hasPythonHooks(settings)) return {}
    // Only where it is needed: it has the whole table of settings, which takes memory and time.
    const { gunicornSettingsOf } = await import('../settings/gunicorn-view.ts')
    const config = {
      location,
      directory: process.cwd(),
      settings: gunicornSettingsOf(settings),
      server_pid: process.ppid,
    }
    return { hooks: { config, permit: workerWanted } }
  }

  async reload(): Promise<void> {
    // With `--reload`, it serves although the application could not be loaded.
    if (this.#gateway === null) await this.start()
    else await this.#pool?.reload()
  }

  abandonReload(): void {
    if (this.#gateway === null) this.#pool?.kill()
    else this.#pool?.abandonReload()
  }

  scale(workers: number): void {
    this.#workers = workers
    this.#pool?.scale(workers)
  }

  /** Workers have files open only if the user's logging configuration says so. */
  reopenLogs(): void {
    if (!hasLogConfiguration(this.#options.settings) || !this.#isProcesses) return
    for (const { pid, state } of this.report()) {
      // Until it is ready, the signal might end it; its files are new anyway.
      if (state === 'starting') continue
      try {
        process.kill(pid, 'SIGUSR1')
      } catch {
        // It has just ended.
      }
    }
  }

  load(): PoolLoad | null {
    return this.#pool?.load() ?? null
  }

  report(): readonly WorkerReport[] {
    return this.#pool?.report() ?? []
  }

  async inspect(question: InspectionQuestion, pid: number | null, early: AbortSignal) {
    return (await this.#pool?.inspect(question, pid, early)) ?? []
  }

  state(): PoolState {
    return this.#pool?.state() ?? NO_POOL
  }

  requests(): readonly ControlRequest[] {
    return this.#pool?.requests() ?? []
  }

  restart(pid: number, why: string): boolean {
    return this.#pool?.restart(pid, why) ?? false
  }

  async stop(graceMs: number): Promise<void> {
    this.#ending = true
    await this.#pool?.stop(graceMs)
  }

  kill(): void {
    this.#ending = true
    this.#pool?.kill()
  }
}

/** The response headers that name a file which is sent instead of the body. */
function fileHeaders({ sendfileRoot, accelRedirect }: Settings): string[] {
  return [
    ...(sendfileRoot.length > 0 ? ['x-sendfile'] : []),
    ...(Object.keys(accelRedirect).length > 0 ? ['x-accel-redirect'] : []),
  ]
}

/** What a worker that runs the configuration must be able to read. */
function configurationPaths({ config }: Settings): string[] {
  if (config === null || !isPythonConfiguration(config)) return []
  return [process.cwd(), ...(config.startsWith('python:') ? [] : [config, dirname(config)])]
}

/**
 * The embedded Python needs a single acceptor, because its file locks do not work across processes.
 * The acceptors have been started already, so this is an error.
 */
function refuseSeveralAcceptors({ acceptors }: Settings, tried: string): void {
  if (acceptors === 1) return
  throw cannotReplace(
    tried,
    `--acceptors ${acceptors}: its file locks do not work across processes, so SQLite databases ` +
      'could be destroyed. Leave --acceptors out to use the embedded Python.',
  )
}

function refuseGreenlets({ workerClass }: Settings, tried: string): void {
  if (workerClass !== 'gevent') return
  throw cannotReplace(tried, 'worker_class gevent: it has no sockets.')
}

/** The code is that of the whole: its page is about both, so the one of `tried` goes. */
function cannotReplace(tried: string, why: string): InterpreterError {
  const text = splitCode(tried)?.text ?? tried
  return new InterpreterError(
    coded('MONO2035', `${text}\nThe embedded Python cannot replace it with ${why}`),
  )
}
