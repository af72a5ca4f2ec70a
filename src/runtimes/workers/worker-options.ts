import type { PoolLog } from './pool-log.ts'
import type { WorkerSource, WorkerStarter } from './worker-handle.ts'

/** How a worker is started; the same for all of a pool. */
export interface WorkerOptions {
  /** Starts its process or thread. */
  readonly start: WorkerStarter
  /**
   * Makes what starts them instead, if the application is to be loaded once for all of them
   * (`preload_app`). A reload makes a new one.
   */
  readonly preload?: (job: PreloadJob) => WorkerSource
  readonly application: string
  readonly chdir: string
  readonly pythonpath: readonly string[]
  readonly threads: number
  /** Bytes of response body that may be under way for one exchange. */
  readonly window: number
  readonly gracefulTimeout: number
  readonly multiprocess: boolean
  /** Whether a violation of PEP 3333 is an error even if it is harmless. */
  readonly strict: boolean
  /** Whether modules that are imported later are reported, for `--reload`. Defaults to false. */
  readonly reload?: boolean
  /** The variables that a request's environ has unless it has its own. */
  readonly environ: Readonly<Record<string, string>>
  /** It and its channels do not keep this process from ending. Defaults to false. */
  readonly background?: boolean
}

/** What is to be loaded before workers are forked. */
export interface PreloadJob {
  readonly worker: WorkerOptions
  /** Seconds that it may take; 0 for no limit. */
  readonly loadTimeout: number
  readonly log: PoolLog
}

/** The payload of START; see `docs/reference/frames.md`. */
export function startPayload(options: WorkerOptions): object {
  return {
    application: options.application,
    chdir: options.chdir,
    pythonpath: options.pythonpath,
    threads: options.threads,
    window: options.window,
    graceful_timeout: options.gracefulTimeout,
    environ: options.environ,
    multiprocess: options.multiprocess,
    strict: options.strict,
    reload: options.reload ?? false,
  }
}
