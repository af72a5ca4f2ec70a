import { tmpdir } from 'node:os'
import type { GatewayOptions } from '../gateway/context.ts'
import { usualEnviron } from '../gateway/environ.ts'
import { Gateway } from '../gateway/gateway.ts'
import type { RequestHandler } from '../http/exchange.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { loadImage } from '../runtimes/pyodide/image.ts'
import { parseMount, planMounts } from '../runtimes/pyodide/mounts.ts'
import { pythonFolder } from '../runtimes/pyodide/package.ts'
import { type ThreadOptions, workerThreads } from '../runtimes/pyodide/worker-thread.ts'
import { WorkerPool } from '../runtimes/workers/pool.ts'
import { poolLog } from '../runtimes/workers/pool-log.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import type { Backend } from './backend.ts'
import type { AcceptorReady } from './messages.ts'

export interface PyodideBackendOptions {
  readonly settings: Settings
  readonly log: ErrorLog
  readonly workers: number
  readonly gateway: GatewayOptions
}

/** A Python application in threads of this process, on the embedded interpreter. */
export class PyodideBackend implements Backend {
  readonly #options: PyodideBackendOptions
  #pool: WorkerPool | null = null
  #gateway: Gateway | null = null
  #ending = false

  constructor(options: PyodideBackendOptions) {
    this.#options = options
  }

  readonly handler: RequestHandler = (head, reply) => this.#gateway!.handle(head, reply)

  /** @throws as {@link Backend.start}, and MountError */
  async start(): Promise<AcceptorReady> {
    const { settings } = this.#options
    const pool = this.#makePool({
      image: await loadImage(),
      mounts: planMounts({
        chdir: settings.chdir,
        pythonPath: settings.pythonpath,
        temporary: tmpdir(),
        asked: settings.mounts.map((mount) => parseMount(mount, settings.chdir)),
        own: [pythonFolder],
      }),
      environment: { ...(settings.inheritEnv ? inherited() : {}), ...settings.rawEnv },
      memoryLimit: settings.workerMemory,
    })
    this.#pool = pool
    if (this.#ending) throw new Error('stopped while starting')
    const workers = await pool.start()
    this.#gateway = new Gateway(this.#options.gateway, pool)
    return { workers, interpreter: 'embedded' }
  }

  #makePool(threads: ThreadOptions): WorkerPool {
    const { settings, log, workers } = this.#options
    return new WorkerPool({
      workers,
      timeout: settings.timeout,
      gracefulTimeout: settings.gracefulTimeout,
      maxRequests: settings.maxRequests,
      maxRequestsJitter: settings.maxRequestsJitter,
      backlogLimit: settings.backlogLimit,
      worker: {
        start: workerThreads(threads),
        application: settings.wsgiApp,
        chdir: settings.chdir,
        pythonpath: settings.pythonpath,
        // WebAssembly has no threads that Python could use.
        threads: 1,
        window: settings.responseWindow,
        gracefulTimeout: settings.gracefulTimeout,
        // An interpreter shares nothing with another: to an application its neighbours are processes.
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

function inherited(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
