import { type Coded, coded } from '../../messages/coded.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { LoadWatch } from '../load-watch.ts'
import { DEBUG, WARNING } from './log-levels.ts'
import type { PoolEvents } from './pool-events.ts'
import type { PoolLog } from './pool-log.ts'
import type { Worker } from './worker.ts'
import { WorkerStartError } from './worker-start-error.ts'

export interface WorkerStartsOptions {
  readonly application: string
  /** Seconds that a worker may take until it serves; 0 for no limit. */
  readonly loadTimeout: number
  /**
   * Another process loads the application and watches how long it takes. The time of a worker
   * begins when it has been forked.
   */
  readonly preloads: boolean
  /** Its timers do not keep this process from ending. */
  readonly background: boolean
  readonly log: PoolLog
  readonly events: PoolEvents
}

interface WorkerStart {
  readonly resolve: (worker: Worker) => void
  readonly reject: (error: Error) => void
  /** Why the application could not be loaded, as the worker reports it. */
  failure: Coded | null
  /** Ends the watch over how long it takes. */
  unwatch: () => void
}

/** The workers of a pool that do not serve yet, from their start until they do. */
export class WorkerStarts {
  readonly #starts = new Map<Worker, WorkerStart>()
  readonly #loads: LoadWatch
  readonly #log: PoolLog
  readonly #events: PoolEvents
  readonly #preloads: boolean
  #number = 0

  constructor(options: WorkerStartsOptions) {
    const { application, loadTimeout, preloads, background, log, events } = options
    this.#preloads = preloads
    this.#log = log
    this.#events = events
    this.#loads = new LoadWatch({
      application,
      timeout: loadTimeout,
      background,
      warn: (text, pid) => log.log(WARNING, text, pid === 0 ? undefined : pid),
    })
  }

  /**
   * Starts a worker. Resolves when it serves.
   * @throws ApplicationLoadError, WorkerStartError
   */
  begin(worker: Worker): Promise<Worker> {
    return new Promise((resolve, reject) => {
      const unwatch = this.#preloads ? () => {} : this.#watch(worker)
      this.#starts.set(worker, { resolve, reject, failure: null, unwatch })
      void worker.start(++this.#number)
    })
  }

  #watch(worker: Worker): () => void {
    return this.#loads.begin({
      get name() {
        return worker.pid === 0 ? 'A new worker' : `Worker ${worker.pid}`
      },
      get pid() {
        return worker.pid
      },
      reportStack: () => worker.reportStack(),
      // If there is no stack, Python is made to print it as it ends.
      giveUp: (text, isStack) =>
        this.giveUp(worker, new ApplicationLoadError(coded('MONO2021', text)), !isStack),
    })
  }

  /** The process or thread of a worker has been started. */
  loading(worker: Worker): void {
    const start = this.#starts.get(worker)
    if (this.#preloads && start !== undefined) start.unwatch = this.#watch(worker)
    const what = this.#preloads ? 'was forked' : 'is loading the application'
    this.#log.log(DEBUG, `Worker ${worker.pid} ${what}`)
    this.#events.started(worker)
  }

  /** The worker serves. */
  ready(worker: Worker): void {
    this.#log.log(DEBUG, `Worker ${worker.pid} is ready`)
    this.#events.ready(worker)
    this.#remove(worker)?.resolve(worker)
  }

  /** The worker is about to exit, because its application could not be loaded. */
  loadFailed(worker: Worker, text: Coded): void {
    const start = this.#starts.get(worker)
    if (start !== undefined) start.failure = text
  }

  /** The worker has ended. @returns whether it did not serve yet */
  exited(worker: Worker, reason: string): boolean {
    const start = this.#remove(worker)
    if (start === undefined) return false
    const { failure } = start
    if (failure !== null) {
      start.reject(new ApplicationLoadError(failure))
    } else {
      const text = `A worker ${worker.pid === 0 ? reason : beforeReady(reason)}`
      start.reject(new WorkerStartError(coded('MONO5006', text), worker.expected))
    }
    return true
  }

  /** Ends a worker before it serves. Its promise is rejected at once: its end may take long. */
  giveUp(worker: Worker, error: Error, stacks = false): void {
    const start = this.#remove(worker)
    const isLate = error instanceof ApplicationLoadError
    if (isLate) this.#events.endsBecause(worker, 'load-failed')
    const reason = isLate ? 'load_timeout' : error.message
    worker.giveUpLoading(reason, stacks)
    start?.reject(error)
  }

  #remove(worker: Worker): WorkerStart | undefined {
    const start = this.#starts.get(worker)
    this.#starts.delete(worker)
    start?.unwatch()
    return start
  }
}

/** Puts the time of the end between what happened and why: `killed by SIGKILL: why`. */
function beforeReady(reason: string): string {
  const why = reason.indexOf(': ')
  const what = why < 0 ? reason : reason.slice(0, why)
  return `${what} before it was ready to serve${reason.slice(what.length)}`
}
