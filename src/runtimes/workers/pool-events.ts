import {
  type RecycleCause,
  type WorkerEndCause,
  WorkerEvents,
} from '../../observe/worker-events.ts'
import type { Worker } from './worker.ts'

/** Publishes what happens to the workers of a pool, to those who listen. */
export class PoolEvents {
  readonly #events: WorkerEvents
  /** When workers were started, in milliseconds of `performance.now()`. */
  readonly #startedAt = new WeakMap<Worker, number>()
  /** Why workers end, unless they were just told to. */
  readonly #causes = new WeakMap<Worker, WorkerEndCause>()

  /** @param events by default there are no listeners */
  constructor(events = new WorkerEvents(() => {})) {
    this.#events = events
  }

  /** The process or thread of a worker has been started. */
  started(worker: Worker): void {
    this.#startedAt.set(worker, performance.now())
    const { workerStarted } = this.#events
    if (workerStarted.hasListeners) workerStarted.publish({ pid: worker.pid, age: worker.age })
  }

  /** The worker serves. */
  ready(worker: Worker): void {
    const { workerReady } = this.#events
    if (!workerReady.hasListeners) return
    const now = performance.now()
    const seconds = (now - (this.#startedAt.get(worker) ?? now)) / 1000
    workerReady.publish({ pid: worker.pid, seconds })
  }

  /** The worker has got a request, finished one or given one back. */
  loadChanged(worker: Worker): void {
    const { workerLoad } = this.#events
    if (!workerLoad.hasListeners) return
    workerLoad.publish({ pid: worker.pid, requests: worker.assignments.size })
  }

  /** The queue has become longer or shorter. An arrow function, because it is passed on. */
  readonly queueChanged = (waiting: number): void => {
    const { queueChanged } = this.#events
    if (queueChanged.hasListeners) queueChanged.publish({ waiting })
  }

  /** The worker is about to be ended for this. */
  endsBecause(worker: Worker, cause: WorkerEndCause): void {
    this.#causes.set(worker, cause)
  }

  /** `fresh` serves in place of the worker, which is about to leave. */
  recycled(worker: Worker, fresh: Worker, cause: RecycleCause, reason: string): void {
    const { workerRecycled } = this.#events
    if (!workerRecycled.hasListeners) return
    workerRecycled.publish({ pid: worker.pid, replacement: fresh.pid, cause, reason })
  }

  /** Workers have loaded these files. */
  filesLoaded(files: readonly string[]): void {
    const { filesLoaded } = this.#events
    if (filesLoaded.hasListeners) filesLoaded.publish({ files })
  }

  /** The worker has ended. A worker whose process could not be started has no events at all. */
  ended(worker: Worker, reason: string): void {
    const { workerEnded } = this.#events
    if (!workerEnded.hasListeners || !this.#startedAt.has(worker)) return
    const served = worker.readyAt !== Number.POSITIVE_INFINITY
    const unexpected = served ? 'crashed' : 'load-failed'
    const cause = this.#causes.get(worker) ?? (worker.expected ? 'stopped' : unexpected)
    workerEnded.publish({ pid: worker.pid, cause, reason })
  }
}
