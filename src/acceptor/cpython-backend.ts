import type { GatewayOptions } from '../gateway/context.ts'
import { usualEnviron } from '../gateway/environ.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { RequestHandler } from '../http/exchange.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import type { Interpreter } from '../runtimes/cpython/interpreter.ts'
import { workerProcesses } from '../runtimes/cpython/worker-process.ts'
import { WorkerPool } from '../runtimes/workers/pool.ts'
import { poolLog } from '../runtimes/workers/pool-log.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import type { Backend } from './backend.ts'
import type { AcceptorReady } from './messages.ts'

export interface CPythonBackendOptions {
  readonly interpreter: Interpreter
  readonly settings: Settings
  readonly log: ErrorLog
  readonly workers: number
  readonly tmpDir: string
  readonly gateway: GatewayOptions
}

/** A Python application in CPython worker processes. */
export class CPythonBackend implements Backend {
  readonly #options: CPythonBackendOptions
  #pool: WorkerPool | null = null
  #gateway: Gateway | null = null
  #ending = false

  constructor(options: CPythonBackendOptions) {
    this.#options = options
  }

  readonly handler: RequestHandler = (head, reply) => this.#gateway!.handle(head, reply)

  async start(): Promise<AcceptorReady> {
    const { interpreter } = this.#options
    const pool = this.#makePool(interpreter)
    this.#pool = pool
    if (this.#ending) throw new Error('stopped while starting')
    const workers = await pool.start()
    this.#gateway = new Gateway(this.#options.gateway, pool)
    return { workers, interpreter: interpreter.executable }
  }

  #makePool(interpreter: Interpreter): WorkerPool {
    const { settings, log, tmpDir, workers } = this.#options
    return new WorkerPool({
      workers,
      timeout: settings.timeout,
      gracefulTimeout: settings.gracefulTimeout,
      maxRequests: settings.maxRequests,
      maxRequestsJitter: settings.maxRequestsJitter,
      backlogLimit: settings.backlogLimit,
      worker: {
        start: workerProcesses({ interpreter, environment: settings.rawEnv, directory: tmpDir }),
        application: settings.wsgiApp,
        chdir: settings.chdir,
        pythonpath: settings.pythonpath,
        threads: settings.threads,
        window: settings.responseWindow,
        gracefulTimeout: settings.gracefulTimeout,
        multiprocess: settings.workers > 1 || settings.acceptors > 1,
        environ: { SERVER_SOFTWARE: `monoceros/${version}`, ...usualEnviron(settings.rootPath) },
      },
      log: poolLog({
        log: (level, text, pid) => log.log(level, text, pid),
        output: (pid, source, line) => log.forWorker(pid).output(source, line),
      }),
    })
  }

  async reload(): Promise<void> {
    await this.#pool?.reload()
  }

  scale(workers: number): void {
    this.#pool?.scale(workers)
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
