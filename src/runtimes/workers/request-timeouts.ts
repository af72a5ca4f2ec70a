import { coded } from '../../messages/coded.ts'
import type { SlowRequest } from '../../observe/server-state.ts'
import type { Assignment } from './assignment.ts'
import { ERROR } from './log-levels.ts'
import type { PoolLog } from './pool-log.ts'
import { SlowRequests } from './slow-requests.ts'
import type { TaskQueue } from './task-queue.ts'
import type { Worker } from './worker.ts'

/** How long an application may take to end after it was interrupted, in milliseconds. */
const INTERRUPT_MS = 1000
/** That time is measured in so many steps. */
const INTERRUPT_STEPS = 10
const OUT_OF_TIME = 'a request ran out of time'

/** Times in seconds. */
export interface RequestTimeoutsOptions {
  /** How long an application may produce nothing of a response; 0 for no limit. */
  readonly timeout: number
  /** After which time the stack of a request is logged while it runs; 0 for never. */
  readonly slowRequest: number
  /** How long the other requests of a condemned worker have to finish. */
  readonly gracefulTimeout: number
  /** Requests that a worker runs at once. */
  readonly threads: number
  readonly log: PoolLog
  /** Called when a worker gets no more requests, so that another may be started. */
  condemned(): void
}

/**
 * Ends requests that take longer than `timeout`: those that wait, and those whose application
 * produces nothing. The worker of the latter is interrupted if possible, and otherwise killed.
 */
export class RequestTimeouts {
  readonly #options: RequestTimeoutsOptions
  readonly #workers: ReadonlySet<Worker>
  /** Null unless stacks are logged. */
  readonly #slow: SlowRequests | null

  constructor(options: RequestTimeoutsOptions, workers: ReadonlySet<Worker>) {
    this.#options = options
    this.#workers = workers
    const { slowRequest, log } = options
    this.#slow = slowRequest === 0 ? null : new SlowRequests(slowRequest, log)
  }

  /** See {@link SlowRequests.recent}. */
  get slowRequests(): readonly SlowRequest[] {
    return this.#slow?.recent ?? []
  }

  /** Call it with each entry that a worker has logged about one of its requests. */
  logged(pid: number, stream: number, text: string): void {
    this.#slow?.logged(pid, stream, text)
  }

  /** Call it several times a second while there are requests. */
  look(queue: TaskQueue): void {
    this.#slow?.look(this.#workers)
    const { timeout } = this.#options
    if (timeout === 0) return
    const limit = performance.now() - timeout * 1000
    for (const assignment of queue.takeOlderThan(limit)) {
      assignment.settled = true
      assignment.open = false
      assignment.task.lost(503, `no worker was free for ${timeout} s (timeout)`)
    }
    for (const worker of this.#workers) this.#lookAt(worker, limit)
  }

  #lookAt(worker: Worker, limit: number): void {
    const late: Assignment[] = []
    for (const assignment of worker.silentSince(limit)) {
      if (assignment.timedOut) continue
      assignment.timedOut = true
      late.push(assignment)
      if (assignment.settled) continue
      assignment.settled = true
      const { timeout } = this.#options
      assignment.task.lost(504, `the application sent nothing for ${timeout} s (timeout)`)
    }
    if (late.length > 0) {
      if (!this.#interrupt(worker, late)) this.#condemn(worker)
      return
    }
    // Those that were interrupted keep it busy for a moment.
    const hangs = worker.state === 'serving' && worker.hangsSince(limit - INTERRUPT_MS)
    if (hangs) this.#abortHanging(worker)
  }

  /** What it has not begun goes to other workers. */
  #abortHanging(worker: Worker): void {
    const { log, timeout, condemned } = this.#options
    const text = `it has not begun a request that it has had for longer than ${timeout} s (timeout)`
    log.log(ERROR, coded('MONO4011', `Killing worker ${worker.pid}: ${text}`))
    worker.condemn()
    condemned()
    worker.abort('it did not begin a request')
  }

  /**
   * A worker that can be interrupted need not be killed: it continues with other requests, if the
   * late ones yield.
   */
  #interrupt(worker: Worker, late: readonly Assignment[]): boolean {
    for (const each of late) if (!worker.interrupt(each)) return false
    this.#say(worker, 'Interrupting')
    worker.lookahead.stuck = true
    if (worker.load > this.#options.threads) worker.recall()
    const look = () => {
      for (const each of late) if (each.open) this.#notEnded(worker, each)
    }
    afterRunning(INTERRUPT_MS, look)
    return true
  }

  /** A late request has not ended, although its worker was to raise in it. */
  #notEnded(worker: Worker, late: Assignment): void {
    // It was suspended just before, so nothing was interrupted, and the request that has the
    // thread now is not late.
    if (!worker.isAt(late)) return worker.cancel(late)
    this.#condemn(worker)
    // No greenlet gets a turn any more: no other request can finish.
    if (worker.cooperative && !late.interrupted) worker.abort(OUT_OF_TIME)
  }

  /** The worker gets no more requests, and is killed when its other threads have finished. */
  #condemn(worker: Worker): void {
    const { threads, gracefulTimeout, condemned } = this.#options
    if (worker.state === 'serving' || worker.state === 'leaving') {
      worker.condemn()
      this.#say(worker, 'Killing')
      if (worker.load > threads) worker.recall()
      condemned()
      setTimeout(() => worker.abort(OUT_OF_TIME), gracefulTimeout * 1000).unref()
    }
    this.abortWhenAlone(worker)
  }

  /** Kills a condemned worker if no other request needs it. */
  abortWhenAlone(worker: Worker): void {
    let others = 0
    for (const { timedOut } of worker.assignments) if (!timedOut) others++
    // With one thread, no other request is at work: it has not begun and goes to another worker, or
    // it waits for a turn that would not come.
    if (others === 0 || this.#options.threads === 1) worker.abort(OUT_OF_TIME)
  }

  #say({ pid }: Worker, what: string): void {
    const { log, timeout } = this.#options
    const text = `${what} worker ${pid}: a request ran longer than ${timeout} s (timeout)`
    log.log(ERROR, coded('MONO4011', text))
  }
}

/**
 * Calls `then` after `ms` milliseconds for which this process ran. A machine that stands still for
 * long takes one step of that, so what the worker has to tell is read before the time is over.
 */
function afterRunning(ms: number, then: () => void): void {
  let left = INTERRUPT_STEPS
  const step = () => {
    if (left-- === 0) then()
    else setTimeout(step, ms / INTERRUPT_STEPS).unref()
  }
  step()
}
