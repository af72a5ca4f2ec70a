import type { Task, TaskHandle } from '../runtime.ts'
import { Assignment } from './assignment.ts'
import type { PoolEvents } from './pool-events.ts'
import type { RequestTimeouts } from './request-timeouts.ts'
import { TaskQueue } from './task-queue.ts'
import type { Worker } from './worker.ts'

/** How often workers are checked for requests that they should give back, in milliseconds. */
const LOOK_MS = 5
/** How often timeouts are checked, in milliseconds. */
const TIMEOUT_CHECK_MS = 100

export interface SchedulerOptions {
  /** Requests that may wait for a worker. */
  readonly backlogLimit: number
  /**
   * While too much memory is held for clients, nothing is begun that could add to it. Absent if it
   * is not counted.
   */
  readonly memory?: { readonly over: boolean }
  /** Its timers do not keep this process from ending. */
  readonly background: boolean
  readonly events: PoolEvents
}

/**
 * Gives requests to workers.
 *
 * A request goes to the worker with the least to do. While all are busy, a few are queued on each
 * ({@link Lookahead}); if the worker does not get to them within a few milliseconds, they are
 * recalled and go to another one. A request is begun once, whatever happens.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #workers: ReadonlySet<Worker>
  readonly #timeouts: RequestTimeouts
  readonly #queue: TaskQueue
  /** How often workers were asked to give back what they had not begun. */
  recalls = 0
  #looks: NodeJS.Timeout | null = null
  #timeoutChecks: NodeJS.Timeout | null = null

  constructor(options: SchedulerOptions, workers: ReadonlySet<Worker>, timeouts: RequestTimeouts) {
    this.#options = options
    this.#workers = workers
    this.#timeouts = timeouts
    this.#queue = new TaskQueue(options.events.queueChanged)
  }

  /** How many requests wait for a worker. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Those that wait, the next one first. */
  queued(): Iterable<Assignment> {
    return this.#queue.waiting()
  }

  submit(task: Task): TaskHandle {
    const now = performance.now()
    const assignment = new Assignment(task, now)
    if (this.#queue.length === 0) {
      const worker = this.#leastBusy()
      if (worker !== null) {
        worker.assign(assignment, now)
        this.#options.events.loadChanged(worker)
        this.#keepLooking()
        return assignment
      }
    }
    if (this.#queue.length >= this.#options.backlogLimit) {
      this.#refuse(assignment)
      return assignment
    }
    this.#queue.push(assignment)
    this.#keepLooking()
    return assignment
  }

  #refuse(assignment: Assignment): void {
    assignment.open = false
    queueMicrotask(() => {
      if (assignment.settled) return
      assignment.settled = true
      const { backlogLimit } = this.#options
      const reason = `${this.#queue.length} requests are waiting (backlog_limit ${backlogLimit})`
      assignment.task.lost(503, reason)
    })
  }

  /** Gives as many waiting requests to workers as they have space for. */
  dispatch(): void {
    if (this.#queue.length === 0) return
    const now = performance.now()
    while (this.#queue.length > 0) {
      const worker = this.#leastBusy()
      if (worker === null) return
      const assignment = this.#queue.shift()
      if (assignment === undefined) return
      if (assignment.task.abandonedAt <= now) {
        assignment.settled = true
        assignment.open = false
        const reason = 'the client had closed its side, and no worker was free in time'
        assignment.task.lost(503, reason)
        continue
      }
      worker.assign(assignment, now)
      this.#options.events.loadChanged(worker)
    }
  }

  /** Requests that a worker had and did not begin: they are the next. */
  putBack(assignments: readonly Assignment[]): void {
    for (const assignment of assignments) assignment.open = true
    this.#queue.unshift(assignments)
  }

  /** The worker with the least to do of those that have space. */
  #leastBusy(): Worker | null {
    // A worker without requests may begin one: what is held for requests that wait is released by
    // running them.
    if (this.#options.memory?.over) return this.#unused()
    let best: Worker | null = null
    for (const worker of this.#workers) {
      if (worker.space > 0 && (best === null || worker.load < best.load)) best = worker
    }
    return best
  }

  #unused(): Worker | null {
    for (const worker of this.#workers) {
      if (worker.state === 'serving' && worker.assignments.size === 0) return worker
    }
    return null
  }

  #keepLooking(): void {
    if (this.#looks !== null) return
    this.#looks = setInterval(() => this.#look(), LOOK_MS)
    this.#timeoutChecks = setInterval(() => this.#timeouts.look(this.#queue), TIMEOUT_CHECK_MS)
    if (!this.#options.background) return
    this.#looks.unref()
    this.#timeoutChecks.unref()
  }

  #look(): void {
    const now = performance.now()
    const memoryOver = this.#options.memory?.over ?? false
    let busy = this.#queue.length > 0
    this.dispatch()
    for (const worker of this.#workers) {
      if (worker.assignments.size > 0) busy = true
      const { lookahead, load } = worker
      if (!lookahead.isRecallDue(load, now, memoryOver, this.#isSomeoneIdle)) continue
      this.recalls++
      worker.recall()
    }
    if (!busy) this.stop()
  }

  readonly #isSomeoneIdle = (): boolean => {
    for (const worker of this.#workers) {
      if (worker.state === 'serving' && worker.lookahead.isIdle(worker.load)) return true
    }
    return false
  }

  /** Stops its timers; the next request starts them again. */
  stop(): void {
    if (this.#looks !== null) clearInterval(this.#looks)
    if (this.#timeoutChecks !== null) clearInterval(this.#timeoutChecks)
    this.#looks = null
    this.#timeoutChecks = null
  }
}
