import type { WorkerLogging } from '../../settings/log-options.ts'
import type { PoolLog } from './pool-log.ts'
import type { WorkerSource, WorkerStarter } from './worker-handle.ts'

/**
 * For how long a client may take nothing of a response that a worker sends on its socket, in
 * milliseconds; then the worker gives the socket back. The same as for responses that come here
 * (`gateway/slow-readers.ts`).
 */
const LEND_MS = 10

/** How a worker runs its requests. */
export type WorkerClass = 'sync' | 'gthread' | 'gevent'

/**
 * How the settings say that workers run requests, for {@link WorkerOptions}. An embedded Python has
 * neither threads nor greenlets.
 */
export function requestsAtOnce(
  runtime: 'cpython' | 'pyodide',
  settings: Pick<WorkerOptions, 'workerClass' | 'threads'> & { readonly workerConnections: number },
): Pick<WorkerOptions, 'workerClass' | 'threads'> {
  const { workerClass, threads, workerConnections } = settings
  if (runtime === 'pyodide') return { workerClass: 'sync', threads: 1 }
  return { workerClass, threads: workerClass === 'gevent' ? workerConnections : threads }
}

/** How many requests a worker runs at once, and how. */
export interface WorkerCapacity {
  readonly threads: number
  /** In greenlets of one thread, so that one that computes keeps all others waiting. */
  readonly cooperative: boolean
}

/** The capacity that some settings amount to. */
export function capacityOf({
  workerClass,
  threads,
}: Pick<WorkerOptions, 'workerClass' | 'threads'>): WorkerCapacity {
  return { threads, cooperative: workerClass === 'gevent' }
}

/** How a worker is started; the same for all of a pool. */
export interface WorkerOptions {
  /** Starts its process or thread. */
  readonly start: WorkerStarter
  /**
   * Makes what starts them instead, if the application is to be loaded once for all of them
   * (`preload_app`). A reload makes a new one.
   */
  readonly preload?: (job: PreloadJob) => WorkerSource
  /** What is waited for before a worker is started: see {@link WorkerSource}. */
  readonly loaded?: WorkerSource['loaded']
  readonly application: string
  /** For its title in ps(1); absent if it keeps its command line. */
  readonly name?: string
  readonly chdir: string
  readonly pythonpath: readonly string[]
  /** How many requests each runs at once: its threads, or its greenlets with gevent. */
  readonly threads: number
  /** `gevent` runs requests in greenlets. With all others, each has a thread. */
  readonly workerClass: WorkerClass
  /** Bytes of response body that may be under way for one exchange. */
  readonly window: number
  readonly gracefulTimeout: number
  readonly multiprocess: boolean
  /** Whether a violation of PEP 3333 is an error even if it is harmless. */
  readonly strict: boolean
  /**
   * Names of response headers, in lower case, for which the server sends a file instead of the
   * body. Defaults to none.
   */
  readonly fileHeaders?: readonly string[]
  /** Whether modules that are imported later are reported, for `--reload`. Defaults to false. */
  readonly reload?: boolean
  /** The variables that a request's environ has unless it has its own. */
  readonly environ: Readonly<Record<string, string>>
  /** It and its channels do not keep this process from ending. Defaults to false. */
  readonly background?: boolean
  /** Absent if no configuration has hooks. */
  readonly hooks?: WorkerHooks
  /** For the loggers of Python; absent if the worker is not a server's. */
  readonly logging?: WorkerLogging
}

/** The hooks of a configuration that concern workers. */
export interface WorkerHooks {
  readonly config: WorkerConfig
  /**
   * Asked before each worker is started. Resolves with its age: how many workers the server has
   * started, this one included. Rejects if it must not be started.
   */
  permit(): Promise<number>
}

/** What a worker needs to call the hooks of a configuration; a part of START. */
export interface WorkerConfig {
  /** An absolute path, or `python:MODULE`. */
  readonly location: string
  /** The working directory in which it runs. */
  readonly directory: string
  /** The settings in force, by Gunicorn's names. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The process of the arbiter. */
  readonly server_pid: number
}

/** What is to be loaded before workers are forked. */
export interface PreloadJob {
  readonly worker: WorkerOptions
  /** Seconds that it may take; 0 for no limit. */
  readonly loadTimeout: number
  readonly log: PoolLog
}

/**
 * The payload of START; see `docs/reference/frames.md`.
 *
 * @param age of the worker; 0 for a preload parent
 * @param lend whether clients' sockets may be lent to it
 */
export function startPayload(options: WorkerOptions, age = 0, lend = false): object {
  return {
    application: options.application,
    ...(options.name === undefined ? {} : { name: options.name }),
    chdir: options.chdir,
    pythonpath: options.pythonpath,
    threads: options.threads,
    worker_class: options.workerClass,
    window: options.window,
    graceful_timeout: options.gracefulTimeout,
    environ: options.environ,
    multiprocess: options.multiprocess,
    strict: options.strict,
    ...(options.fileHeaders?.length ? { file_headers: options.fileHeaders } : {}),
    reload: options.reload ?? false,
    ...(lend ? { lend: LEND_MS } : {}),
    ...(options.logging === undefined ? {} : { logging: options.logging }),
    ...(options.hooks === undefined ? {} : { config: { ...options.hooks.config, age } }),
  }
}
