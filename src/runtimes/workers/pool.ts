import { ApplicationLoadError } from '../application-load-error.ts'
import { LoadWatch } from '../load-watch.ts'
import type { Runtime, Task, TaskHandle } from '../runtime.ts'
import { Assignment } from './assignment.ts'
import { TaskQueue } from './task-queue.ts'
import {
  Worker,
  type WorkerOptions,
  type WorkerOwner,
  type WorkerReady,
  type WorkerState,
} from './worker.ts'

/** What the pool needs to know beside how a worker is started. Times in seconds, 0 for no limit. */
export interface PoolOptions {
  readonly worker: WorkerOptions
  readonly workers: number
  /** How long an application may go without giving anything of the response it is working on. */
  readonly timeout: number
  /** How long a worker may take to load the application. */
  readonly loadTimeout: number
  readonly gracefulTimeout: number
  /** Requests after which a worker is replaced; 0 for never. */
  readonly maxRequests: number
  /** Up to that many more, at random, so that workers are not all replaced at once. */
  readonly maxRequestsJitter: number
  /** Requests that may wait for a worker. */
  readonly backlogLimit: number
  /**
   * While too much is held for clients nothing is begun that could add to it; absent where nobody
   * counts.
   */
  readonly memory?: { readonly over: boolean }
  readonly log: PoolLog
}

export interface PoolLog {
  /** `level` as in Python's logging: 10 debug to 50 critical. */
  log(level: number, text: string, pid?: number): void
  /** Output of the application; null when that stream has ended. */
  output(pid: number, stream: 'stdout' | 'stderr', chunk: Buffer | null): void
}

/** A worker at one moment. `requests`: how many it has, begun or waiting. */
export interface WorkerReport {
  readonly pid: number
  readonly state: Exclude<WorkerState, 'gone'>
  readonly requests: number
}

/** A worker ended before it was ready, and not because of the application. */
export class WorkerStartError extends Error {
  readonly code = 'worker-start'
  /** The pool ended it itself: it was not needed any more. */
  readonly expected: boolean

  constructor(message: string, expected = false) {
    super(message)
    this.expected = expected
  }
}

/**
 * A worker that has answered nothing for this long is asked to give back what it has not begun, if
 * another has nothing to do …
 */
const RECALL_AFTER_MS = 5
/**
 * … and in any case after so many times what it usually takes: where requests take milliseconds,
 * they all would be late.
 */
const RECALL_AFTER_SERVICES = 4
/** How long after that it is asked again, if it has more than it can run. */
const RECALL_AGAIN_MS = 20
/** How long an application may take to end when it has been interrupted. */
const INTERRUPT_MS = 1000
/** How often time-outs are looked at. */
const TIMEOUT_CHECK_MS = 100
/** A worker that ends within this time of its start makes the next start wait, longer each time. */
const YOUNG_MS = 1000
/** A worker that is exhausted ({@link WorkerListener.exhausted}) at this age is not replaced yet. */
const EXHAUSTED_YOUNG_MS = 5000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 10_000
/** After the time to stop is over, how long ended processes are waited for. */
const KILLED_MS = 1000

/** There are not as many rules that are forgiven. */
const MOST_VIOLATIONS = 64

const DEBUG = 10
const INFO = 20
const WARNING = 30
const ERROR = 40

interface Starting {
  readonly resolve: (worker: Worker) => void
  readonly reject: (error: Error) => void
  /** What the worker said of why the application did not load. */
  failure: string | null
  /** Nobody need watch any more how long it takes. */
  readonly unwatch: () => void
}

/** A reload that has not come to its end. */
interface Reload {
  /** Its new workers. */
  readonly workers: Worker[]
  abandoned: boolean
}

/**
 * The Python workers of one acceptor: gives requests to them, keeps their number, and ends them.
 *
 * A request goes to the worker with the least to do. While all are busy a little is queued on each
 * (lookahead), because a worker that finds its next request at hand costs a fifth of one that must
 * be woken; if it then does not get to them within a few milliseconds they are recalled and go
 * elsewhere. A request is begun once, whatever happens.
 */
export class WorkerPool implements Runtime, WorkerOwner {
  readonly #options: PoolOptions
  readonly #workers = new Set<Worker>()
  readonly #starting = new Map<Worker, Starting>()
  readonly #queue = new TaskQueue()
  readonly #loads: LoadWatch
  #reload: Reload | null = null
  /** What those get that are started from now on. */
  #worker: PoolOptions['worker']
  /** The rules that the application broke and that the log has a line of. */
  readonly #violations = new Set<string>()
  #target: number
  #number = 0
  #watch: NodeJS.Timeout | null = null
  #timeouts: NodeJS.Timeout | null = null
  #restart: NodeJS.Timeout | null = null
  #earlyEnds = 0
  #stopping = false
  #onEmpty: (() => void) | null = null

  constructor(options: PoolOptions) {
    this.#options = options
    this.#worker = options.worker
    this.#target = options.workers
    this.#loads = new LoadWatch({
      application: options.worker.application,
      timeout: options.loadTimeout,
      background: options.worker.background === true,
      warn: (text, pid) => options.log.log(WARNING, text, pid),
    })
  }

  /**
   * Starts the workers; resolves when all serve.
   * @throws ApplicationLoadError, WorkerStartError
   */
  async start(): Promise<WorkerReady[]> {
    try {
      const workers = await all(Array.from({ length: this.#target }, () => this.#spawn()))
      return workers.map((worker) => worker.info!)
    } catch (error) {
      this.kill()
      throw error
    }
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Requests that are queued or running. */
  get busy(): boolean {
    return (
      this.#queue.length > 0 || [...this.#workers].some((worker) => worker.assignments.size > 0)
    )
  }

  // ---------------------------------------------------------------- requests

  submit(task: Task): TaskHandle {
    const now = performance.now()
    const assignment = new Assignment(task, now)
    if (this.#queue.length === 0) {
      const worker = this.#roomiest()
      if (worker !== null) {
        worker.assign(assignment, now)
        this.#keepWatch()
        return assignment
      }
    }
    if (this.#queue.length >= this.#options.backlogLimit) {
      assignment.open = false
      queueMicrotask(() => {
        if (assignment.settled) return
        assignment.settled = true
        task.lost(
          503,
          `${this.#queue.length} requests are waiting (backlog_limit ${this.#options.backlogLimit})`,
        )
      })
      return assignment
    }
    this.#queue.push(assignment)
    this.#keepWatch()
    return assignment
  }

  /** The worker with the least to do of those that have room. */
  #roomiest(): Worker | null {
    // One that holds nothing may begin: what is held for requests that wait is given back by
    // running them.
    if (this.#options.memory?.over) return this.#unused()
    let best: Worker | null = null
    for (const worker of this.#workers) {
      if (worker.room > 0 && (best === null || worker.load < best.load)) best = worker
    }
    return best
  }

  #unused(): Worker | null {
    for (const worker of this.#workers) {
      if (worker.state === 'serving' && worker.assignments.size === 0) return worker
    }
    return null
  }

  #dispatch(): void {
    const now = performance.now()
    while (this.#queue.length > 0) {
      const worker = this.#roomiest()
      if (worker === null) return
      const assignment = this.#queue.shift()
      if (assignment === undefined) return
      if (assignment.task.abandonedAt <= now) {
        assignment.settled = true
        assignment.open = false
        assignment.task.lost(503, 'the client had closed its side, and no worker was free in time')
        continue
      }
      worker.assign(assignment, now)
    }
  }

  progressed(worker: Worker): void {
    if (worker.taken >= worker.retireAfter) this.#recycle(worker, 'has answered max_requests')
    if (worker.state === 'condemned') this.#abortWhenAlone(worker)
    if (this.#queue.length > 0) this.#dispatch()
  }

  returned(worker: Worker, assignments: Assignment[]): void {
    for (const assignment of assignments) assignment.open = true
    this.#queue.unshift(assignments)
    this.#options.log.log(DEBUG, `Worker ${worker.pid} gave back ${assignments.length} requests`)
    if (worker.state === 'condemned') this.#abortWhenAlone(worker)
    this.#dispatch()
  }

  #keepWatch(): void {
    if (this.#watch !== null) return
    this.#watch = this.#held(setInterval(() => this.#look(), RECALL_AFTER_MS))
    this.#timeouts ??= this.#held(setInterval(() => this.#lookForTimeouts(), TIMEOUT_CHECK_MS))
  }

  #look(): void {
    const now = performance.now()
    const { threads } = this.#options.worker
    let busy = this.#queue.length > 0
    const over = this.#options.memory?.over ?? false
    if (busy) this.#dispatch()
    for (const worker of this.#workers) {
      if (worker.assignments.size > 0) busy = true
      if (over && worker.load > threads && now - worker.recalledAt > RECALL_AGAIN_MS)
        worker.recall()
      if (worker.load < threads) continue
      const late = now - worker.movedAt
      if (late <= RECALL_AFTER_MS) continue
      if (late <= worker.service * RECALL_AFTER_SERVICES && !this.#someoneIdle()) continue
      // Again after a while: what was still on its way to the worker then was not given back.
      const recallable =
        worker.load > threads && (!worker.stuck || now - worker.recalledAt > RECALL_AGAIN_MS)
      worker.stuck = true
      if (recallable) worker.recall()
    }
    if (busy) return
    clearInterval(this.#watch!)
    this.#watch = null
    if (this.#timeouts !== null) clearInterval(this.#timeouts)
    this.#timeouts = null
  }

  #someoneIdle(): boolean {
    for (const worker of this.#workers) {
      if (worker.state === 'serving' && worker.load === 0) return true
    }
    return false
  }

  #lookForTimeouts(): void {
    const { timeout } = this.#options
    if (timeout === 0) return
    const limit = performance.now() - timeout * 1000
    for (const assignment of this.#queue.takeOlderThan(limit)) {
      assignment.settled = true
      assignment.open = false
      assignment.task.lost(503, `no worker was free for ${timeout} s`)
    }
    for (const worker of this.#workers) {
      let late: Assignment | null = null
      for (const assignment of worker.silentSince(limit)) {
        if (assignment.timedOut) continue
        assignment.timedOut = true
        late = assignment
        if (!assignment.settled) {
          assignment.settled = true
          assignment.task.lost(504, `the application gave nothing for ${timeout} s (timeout)`)
        }
      }
      if (late !== null && !this.#interrupt(worker, late)) this.#condemn(worker)
    }
  }

  /**
   * Where a worker can be interrupted it need not be ended: it goes on with the next request, if
   * the late one yields.
   */
  #interrupt(worker: Worker, late: Assignment): boolean {
    if (!worker.interrupt(late)) return false
    const { timeout, worker: options } = this.#options
    this.#options.log.log(
      ERROR,
      `Worker ${worker.pid} is interrupted: a request ran longer than timeout (${timeout} s)`,
    )
    worker.stuck = true
    if (worker.load > options.threads) worker.recall()
    setTimeout(() => {
      if (!late.open) return
      if (worker.isAt(late)) this.#condemn(worker)
      // It had been put aside just before, so nothing was interrupted; whoever has the thread now
      // has done nothing wrong.
      else worker.cancel(late)
    }, INTERRUPT_MS).unref()
    return true
  }

  /**
   * One of its requests ran out of time: no more for this worker, which is ended as soon as its
   * other threads have finished.
   */
  #condemn(worker: Worker): void {
    if (worker.state === 'serving' || worker.state === 'leaving') {
      if (worker.state === 'serving') worker.state = 'condemned'
      this.#options.log.log(
        ERROR,
        `Worker ${worker.pid} is ended: a request ran longer than timeout (${this.#options.timeout} s)`,
      )
      if (worker.load > this.#options.worker.threads) worker.recall()
      this.#fill()
      const grace = this.#options.gracefulTimeout * 1000
      setTimeout(() => worker.abort('a request ran out of time'), grace).unref()
    }
    this.#abortWhenAlone(worker)
  }

  #abortWhenAlone(worker: Worker): void {
    let others = 0
    for (const assignment of worker.assignments.values()) {
      if (!assignment.timedOut) others++
    }
    // With one thread no other is at work: it has not begun and goes elsewhere, or waits for a turn
    // that would not come.
    if (others === 0 || this.#options.worker.threads === 1)
      worker.abort('a request ran out of time')
  }

  // ---------------------------------------------------------------- workers

  /** Resolves when it serves. The worker is put into `batch`, too, as soon as there is one. */
  #spawn(batch: Worker[] = []): Promise<Worker> {
    const { maxRequests, maxRequestsJitter } = this.#options
    return new Promise((resolve, reject) => {
      let worker: Worker
      try {
        worker = new Worker(this.#worker, this, ++this.#number)
      } catch (error) {
        reject(new WorkerStartError(`A worker could not be started: ${(error as Error).message}`))
        return
      }
      if (maxRequests > 0)
        worker.retireAfter = maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1))
      this.#workers.add(worker)
      batch.push(worker)
      const unwatch = this.#loads.begin({
        name: `Worker ${worker.pid}`,
        pid: worker.pid,
        where: () => worker.where(),
        // Where the stack is not known, Python is made to print it as it ends.
        giveUp: (text, isStack) =>
          this.#giveUpLoading(worker, new ApplicationLoadError(text), !isStack),
      })
      this.#starting.set(worker, { resolve, reject, failure: null, unwatch })
      this.#options.log.log(DEBUG, `Worker ${worker.pid} is loading the application`)
    })
  }

  /** Forgets that it is starting. */
  #started(worker: Worker): Starting | undefined {
    const starting = this.#starting.get(worker)
    this.#starting.delete(worker)
    starting?.unwatch()
    return starting
  }

  /** It is ended, and whoever waits for it told at once: it may be long in ending. */
  #giveUpLoading(worker: Worker, error: Error, stacks = false): void {
    const starting = this.#started(worker)
    worker.giveUpLoading(
      error instanceof ApplicationLoadError ? 'load_timeout' : error.message,
      stacks,
    )
    starting?.reject(error)
  }

  ready(worker: Worker): void {
    const starting = this.#started(worker)
    this.#options.log.log(DEBUG, `Worker ${worker.pid} is ready`)
    starting?.resolve(worker)
    this.#refresh(worker)
    this.#dispatch()
  }

  loadFailed(worker: Worker, text: string): void {
    const starting = this.#starting.get(worker)
    if (starting !== undefined) starting.failure = text
  }

  exited(worker: Worker, reason: string, unbegun: Assignment[]): void {
    const { log } = this.#options
    this.#workers.delete(worker)
    const starting = this.#started(worker)
    if (unbegun.length > 0) {
      for (const assignment of unbegun) assignment.open = true
      this.#queue.unshift(unbegun)
    }
    if (starting !== undefined) {
      starting.reject(
        starting.failure === null
          ? new WorkerStartError(
              `A worker ${worker.pid === 0 ? reason : beforeReady(reason)}`,
              worker.expected,
            )
          : new ApplicationLoadError(starting.failure),
      )
    } else if (worker.expected) {
      log.log(DEBUG, `Worker ${worker.pid} ${reason}`)
    } else {
      log.log(ERROR, `Worker ${worker.pid} ${reason}`)
      this.#earlyEnds = performance.now() - worker.readyAt < YOUNG_MS ? this.#earlyEnds + 1 : 0
    }
    if (this.#workers.size === 0) this.#onEmpty?.()
    this.#fill()
    this.#dispatch()
  }

  exhausted(worker: Worker, why: string): void {
    // A worker that is exhausted as soon as it serves would only be replaced by another like it.
    if (performance.now() - worker.readyAt < EXHAUSTED_YOUNG_MS) return
    this.#recycle(worker, why)
  }

  output(worker: Worker, stream: 'stdout' | 'stderr', chunk: Buffer | null): void {
    this.#options.log.output(worker.pid, stream, chunk)
  }

  log(worker: Worker, level: number, text: string): void {
    this.#options.log.log(level, text, worker.pid)
  }

  violation(worker: Worker, rule: string, text: string): void {
    // All workers run the same application, and each says it once.
    if (this.#violations.has(rule) || this.#violations.size >= MOST_VIOLATIONS) return
    this.#violations.add(rule)
    this.log(worker, WARNING, text)
  }

  /**
   * Starts workers until there are as many as there should be; waits longer each time one does not
   * live.
   */
  #fill(): void {
    if (this.#stopping || this.#restart !== null) return
    const missing = this.#target - this.#count()
    if (missing <= 0) return
    const delay =
      this.#earlyEnds === 0
        ? 0
        : Math.min(FIRST_DELAY_MS * 2 ** (this.#earlyEnds - 1), LONGEST_DELAY_MS)
    const restart = setTimeout(() => {
      this.#restart = null
      const wanted = this.#stopping ? 0 : this.#target - this.#count()
      for (let i = 0; i < wanted; i++) this.#spawnReplacement()
    }, delay)
    this.#restart = this.#held(restart)
  }

  /** A pool in the background keeps no process from ending, and neither do its timers. */
  #held(timer: NodeJS.Timeout): NodeJS.Timeout {
    return this.#options.worker.background === true ? timer.unref() : timer
  }

  /** Workers that serve, or are about to. */
  #count(): number {
    let count = 0
    for (const worker of this.#workers)
      if (worker.state === 'serving' || worker.state === 'starting') count++
    return count
  }

  #spawnReplacement(): void {
    this.#spawn().then(
      (worker) => {
        if (this.#stopping) worker.leave()
        else this.#options.log.log(INFO, `Worker ${worker.pid} serves`)
      },
      (error: Error) => {
        if (this.#stopping || (error instanceof WorkerStartError && error.expected)) return
        this.#earlyEnds++
        this.#options.log.log(ERROR, `A new worker could not start; trying again\n${error.message}`)
        this.#fill()
      },
    )
  }

  /**
   * A new worker first, then the old one leaves, if it still serves; `why` is said of the old one.
   */
  #recycle(worker: Worker, why: string): void {
    if (worker.state !== 'serving' || worker.recycling) return
    worker.recycling = true
    this.#spawn().then(
      (fresh) => {
        this.#options.log.log(
          INFO,
          `Worker ${fresh.pid} replaces worker ${worker.pid}, which ${why}`,
        )
        this.#retire(worker)
        // A reload or fewer workers may have taken its place away.
        if (this.#stopping || this.#count() > this.#target) this.#retire(fresh)
      },
      (error: Error) => {
        if (this.#stopping || (error instanceof WorkerStartError && error.expected)) return
        this.#options.log.log(
          ERROR,
          `Worker ${worker.pid} ${why} and stays: its replacement could not start\n${error.message}`,
        )
        const again = setTimeout(() => {
          worker.recycling = false
        }, LONGEST_DELAY_MS)
        again.unref()
      },
    )
  }

  /** Lets a worker finish what it has, within the time that there is for it. */
  #retire(worker: Worker): void {
    worker.expected = true
    worker.leave()
    const grace = this.#options.gracefulTimeout * 1000
    setTimeout(() => {
      if (worker.state !== 'gone')
        worker.kill(`it did not leave within ${this.#options.gracefulTimeout} s`)
    }, grace).unref()
  }

  /**
   * New workers first; when all of them serve the old ones leave. A reload that has not come to its
   * end is abandoned.
   * @throws ApplicationLoadError, WorkerStartError: then the old ones stay
   */
  async reload(): Promise<void> {
    this.abandonReload()
    this.#violations.clear() // it may be another application
    const old = [...this.#workers].filter(
      (worker) => worker.state === 'serving' || worker.state === 'starting',
    )
    const reload: Reload = { workers: [], abandoned: false }
    this.#reload = reload
    const fresh = Array.from({ length: this.#target }, () => this.#spawn(reload.workers))
    try {
      await all(fresh)
      if (reload.abandoned) throw abandoned()
    } catch (error) {
      // Those that still load would only fail as well, or hang.
      this.#dropStarting(reload)
      for (const worker of reload.workers) if (worker.state === 'serving') this.#retire(worker)
      throw error
    } finally {
      if (this.#reload === reload) this.#reload = null
    }
    for (const worker of old) this.#retire(worker)
  }

  /** Ends a reload that is under way; its promise is rejected, and the old workers stay. */
  abandonReload(): void {
    const reload = this.#reload
    if (reload === null) return
    this.#reload = null
    reload.abandoned = true
    this.#dropStarting(reload)
  }

  #dropStarting({ workers }: Reload): void {
    for (const worker of workers)
      if (worker.state === 'starting') this.#giveUpLoading(worker, abandoned())
  }

  /** The workers at this moment, for the status of the server. */
  report(): WorkerReport[] {
    return [...this.#workers].flatMap(({ pid, state, assignments }) =>
      state === 'gone' ? [] : [{ pid, state, requests: assignments.size }],
    )
  }

  /** From now on that many workers. */
  scale(workers: number): void {
    this.#target = workers
    const serving = [...this.#workers].filter((worker) => worker.state === 'serving')
    for (const worker of serving.slice(workers)) this.#retire(worker)
    if (workers > 1 && !this.#worker.multiprocess) {
      this.#worker = { ...this.#worker, multiprocess: true }
      for (const worker of serving.slice(0, workers)) this.#refresh(worker)
    }
    this.#fill()
  }

  /**
   * Replaces a worker whose application was told that no other process runs it
   * (`wsgi.multiprocess`), if others do by now.
   */
  #refresh(worker: Worker): void {
    if (this.#worker.multiprocess && !worker.multiprocess) this.#recycle(worker, 'was the only one')
  }

  /**
   * Ends the workers, those that have finished first; resolves when all are gone. What still runs
   * after `graceMs` is killed.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    for (const worker of this.#workers) {
      worker.expected = true
      worker.leave()
    }
    if (this.#workers.size > 0) {
      let timer: NodeJS.Timeout
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        timer = setTimeout(() => {
          for (const worker of this.#workers) {
            this.#options.log.log(
              WARNING,
              `Worker ${worker.pid} did not leave in time and is killed`,
            )
            worker.kill('the time to stop was over')
          }
          timer = setTimeout(resolve, KILLED_MS)
        }, graceMs)
      })
      clearTimeout(timer!)
    }
    if (this.#watch !== null) clearInterval(this.#watch)
    if (this.#timeouts !== null) clearInterval(this.#timeouts)
  }

  /** Ends all workers at once. */
  kill(): void {
    this.#stopping = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    if (this.#watch !== null) clearInterval(this.#watch)
    if (this.#timeouts !== null) clearInterval(this.#timeouts)
    for (const worker of this.#workers) {
      worker.expected = true
      worker.kill('the server was ended')
    }
  }
}

function abandoned(): WorkerStartError {
  return new WorkerStartError('it was not needed any more', true)
}

/** `killed by SIGKILL: why` with when, in front of the why. */
function beforeReady(reason: string): string {
  const why = reason.indexOf(': ')
  const what = why < 0 ? reason : reason.slice(0, why)
  return `${what} before it was ready to serve${reason.slice(what.length)}`
}

/** Like Promise.all, but none of the others goes unheard when one fails. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  for (const promise of promises) promise.catch(() => {})
  return await Promise.all(promises)
}
