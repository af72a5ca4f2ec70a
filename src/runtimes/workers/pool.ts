import { type Coded, coded } from '../../messages/coded.ts'
import type { AcceptorState, ControlRequest, SlowRequest } from '../../observe/server-state.ts'
import type { RecycleCause, WorkerEvents } from '../../observe/worker-events.ts'
import type { RecyclingSettings } from '../recycling.ts'
import type { Runtime, Task, TaskHandle } from '../runtime.ts'
import type { Assignment } from './assignment.ts'
import { BackOff, MAX_DELAY_MS } from './back-off.ts'
import { DEBUG, ERROR, INFO, WARNING } from './log-levels.ts'
import type { ReadyPayload } from './payloads.ts'
import { PoolEvents } from './pool-events.ts'
import type { PoolLog } from './pool-log.ts'
import { queuedRequest, requestsOf, workerState } from './pool-state.ts'
import { RecyclingWatch } from './recycling-watch.ts'
import { RequestTimeouts } from './request-timeouts.ts'
import { Scheduler } from './scheduler.ts'
import { ViolationLog } from './violation-log.ts'
import { Worker, type WorkerOwner, type WorkerState } from './worker.ts'
import type { WorkerSource } from './worker-handle.ts'
import type { InspectionQuestion, WorkerFindings } from './worker-inspections.ts'
import type { WorkerOptions } from './worker-options.ts'
import { WorkerStartError } from './worker-start-error.ts'
import { WorkerStarts } from './worker-starts.ts'

/** What the pool needs, apart from the way to start a worker. Times in seconds, 0 for no limit. */
export interface PoolOptions {
  readonly worker: WorkerOptions
  readonly workers: number
  /** How long an application may produce nothing of the response that it is working on. */
  readonly timeout: number
  /** After which time the stack of a request is logged while it runs; by default never. */
  readonly slowRequest?: number
  /** How long a worker may take to start and to load the application. */
  readonly loadTimeout: number
  readonly gracefulTimeout: number
  /** Requests after which a worker is replaced; 0 for never. */
  readonly maxRequests: number
  /** Up to this many more, at random, so that workers are not all replaced at once. */
  readonly maxRequestsJitter: number
  /** When else a worker is replaced; by default never. */
  readonly recycling?: RecyclingSettings
  /** Requests that may wait for a worker. */
  readonly backlogLimit: number
  /**
   * While too much memory is held for clients, nothing is begun that could add to it. Absent if it
   * is not counted.
   */
  readonly memory?: { readonly over: boolean }
  readonly log: PoolLog
  /** Where the pool publishes what happens; by default there are no listeners. */
  readonly events?: WorkerEvents
}

/** A worker at one moment. `requests`: how many it has, begun or waiting. */
export interface WorkerReport {
  readonly pid: number
  readonly state: Exclude<WorkerState, 'gone'>
  readonly requests: number
}

/** What a pool tells of itself. */
export interface PoolState
  extends Pick<AcceptorState, 'waiting' | 'waitingLimit' | 'longestWait' | 'workers'> {
  /** The newest ones, oldest first. */
  readonly slowRequests: readonly SlowRequest[]
}

/** The requests of a pool at one moment. */
export interface PoolLoad {
  /** How many wait in the acceptor. */
  readonly waiting: number
  /** How many a worker has in addition to those that it runs. */
  readonly ahead: number
  /** How many wait for their clients without a thread. */
  readonly putAside: number
  /** How often workers were asked to give back what they had not begun, so far. */
  readonly recalls: number
  /** How many requests they have given back, so far. */
  readonly givenBack: number
}

/**
 * A worker that is exhausted ({@link WorkerListener.exhausted}) within this time after it was ready
 * is not replaced: its replacement would be exhausted as soon. Milliseconds.
 */
const EXHAUSTED_YOUNG_MS = 5000
/** How long killed processes are waited for when the time to stop is over, in milliseconds. */
const KILLED_MS = 1000

/** A reload that has not ended. */
interface PoolReload {
  /** Its new workers, and how they are started. */
  readonly workers: Worker[]
  readonly options: WorkerOptions
  abandoned: boolean
}

/**
 * The Python workers of one acceptor: it keeps their number, replaces and ends them. Its
 * {@link Scheduler} gives requests to them.
 */
export class WorkerPool implements Runtime, WorkerOwner {
  readonly #options: PoolOptions
  readonly #workers = new Set<Worker>()
  readonly #starts: WorkerStarts
  readonly #timeouts: RequestTimeouts
  readonly #scheduler: Scheduler
  readonly #backOff = new BackOff()
  readonly #violations = new ViolationLog()
  readonly #events: PoolEvents
  #reload: PoolReload | null = null
  readonly #recycling: RecyclingWatch | null
  /** How many workers have a successor that does not serve yet. */
  #successions = 0
  /** For the workers that are started from now on. */
  #worker: WorkerOptions
  /** Starts them, if the application is loaded once for all of them. */
  #source: WorkerSource | null
  #target: number
  /** Requests that workers have given back before they began them. */
  #givenBack = 0
  /** Workers are about to be started. */
  #filling: NodeJS.Timeout | null = null
  #stopping = false
  #onEmpty: (() => void) | null = null

  constructor(options: PoolOptions) {
    const { worker, workers, timeout, loadTimeout, gracefulTimeout, log } = options
    const { application, threads, background = false } = worker
    this.#options = options
    this.#source = this.#makeSource()
    this.#worker = started(worker, this.#source)
    this.#target = workers
    const events = new PoolEvents(options.events)
    this.#events = events
    const preloads = this.#source !== null
    this.#starts = new WorkerStarts({
      ...{ application, loadTimeout, preloads, background, log, events },
    })
    const condemned = () => this.#fill()
    const { slowRequest = 0 } = options
    const limits = { timeout, slowRequest, gracefulTimeout, threads, log, condemned }
    this.#timeouts = new RequestTimeouts(limits, this.#workers)
    const { backlogLimit, memory } = options
    const bounds = {
      backlogLimit,
      background,
      events,
      ...(memory === undefined ? {} : { memory }),
    }
    this.#scheduler = new Scheduler(bounds, this.#workers, this.#timeouts)
    this.#recycling = this.#watchRecycling()
  }

  #watchRecycling(): RecyclingWatch | null {
    const { recycling, worker, log } = this.#options
    if (recycling === undefined) return null
    return new RecyclingWatch(recycling, {
      workers: this.#workers,
      log,
      background: worker.background === true,
      recycle: (...given) => this.#recycleAlone(...given),
    })
  }

  /**
   * Starts the workers; resolves when all serve.
   * @throws ApplicationLoadError, WorkerStartError
   */
  async start(): Promise<ReadyPayload[]> {
    try {
      const workers = await all(Array.from({ length: this.#target }, () => this.#spawn()))
      // A worker that serves has sent READY.
      return workers.map((worker) => worker.info!)
    } catch (error) {
      this.kill()
      throw error
    }
  }

  get waiting(): number {
    return this.#scheduler.waiting
  }

  /** Whether requests are queued or running. */
  get busy(): boolean {
    return this.waiting > 0 || [...this.#workers].some(({ assignments }) => assignments.size > 0)
  }

  submit(task: Task): TaskHandle {
    return this.#scheduler.submit(task)
  }

  // ---------------------------------------------------------------- from workers (WorkerOwner)

  stateChanged(worker: Worker, before: WorkerState): void {
    if (worker.state === 'loading') this.#starts.loading(worker)
    if (worker.state === 'condemned' && before === 'serving')
      this.#events.endsBecause(worker, 'timed-out')
    if (worker.state !== 'serving') return
    this.#starts.ready(worker)
    this.filesLoaded(worker.info!.files) // a worker that serves has sent READY
    this.#refresh(worker)
    this.#scheduler.dispatch()
  }

  loadFailed(worker: Worker, text: Coded): void {
    this.#starts.loadFailed(worker, text)
  }

  progressed(worker: Worker): void {
    this.#events.loadChanged(worker)
    if (worker.taken >= worker.retireAfter)
      this.#recycleAlone(worker, 'max-requests', 'has answered max_requests')
    if (worker.state === 'condemned') this.#timeouts.abortWhenAlone(worker)
    this.#scheduler.dispatch()
  }

  returned(worker: Worker, assignments: Assignment[]): void {
    this.#givenBack += assignments.length
    this.#scheduler.putBack(assignments)
    this.#events.loadChanged(worker)
    this.#log(DEBUG, `Worker ${worker.pid} gave back ${assignments.length} requests`)
    if (worker.state === 'condemned') this.#timeouts.abortWhenAlone(worker)
    this.#scheduler.dispatch()
  }

  exited(worker: Worker, reason: string, unbegun: Assignment[]): void {
    this.#workers.delete(worker)
    const guess =
      worker.expected || reason !== 'killed by SIGKILL' ? '' : ' (perhaps out of memory)'
    this.#events.ended(worker, reason + guess)
    if (unbegun.length > 0) this.#scheduler.putBack(unbegun)
    if (!this.#starts.exited(worker, reason)) {
      const text = `Worker ${worker.pid} ${reason}`
      if (worker.expected) this.#log(DEBUG, text)
      else this.#log(ERROR, coded('MONO5001', text + guess))
      if (!worker.expected) this.#backOff.ended(performance.now() - worker.readyAt)
    }
    if (this.#workers.size === 0) this.#onEmpty?.()
    this.#fill()
    this.#scheduler.dispatch()
  }

  exhausted(worker: Worker, why: string): void {
    if (performance.now() - worker.readyAt < EXHAUSTED_YOUNG_MS) return
    this.#recycle(worker, 'exhausted', why)
  }

  output(worker: Worker, stream: 'stdout' | 'stderr', chunk: Buffer | null): void {
    this.#options.log.output(worker.pid, stream, chunk)
  }

  log(worker: Worker, level: number, text: Coded, stream = 0): void {
    if (stream !== 0) this.#timeouts.logged(worker.pid, stream, text)
    this.#options.log.log(level, text, worker.pid)
  }

  violation(worker: Worker, rule: string, text: Coded): void {
    if (this.#violations.isNew(rule)) this.log(worker, WARNING, text)
  }

  filesLoaded(files: readonly string[]): void {
    this.#events.filesLoaded(files)
  }

  #log(level: typeof DEBUG | typeof INFO, text: string): void
  #log(level: number, text: Coded): void
  #log(level: number, text: string): void {
    this.#options.log.log(level, text as Coded)
  }

  // ---------------------------------------------------------------- how many there are

  /** Loads the application once for all workers to come; null if each one loads it. */
  #makeSource(): WorkerSource | null {
    const { worker, loadTimeout, log } = this.#options
    return worker.preload?.({ worker, loadTimeout, log }) ?? null
  }

  /** Starts a worker; resolves when it serves. */
  #spawn(reload?: PoolReload): Promise<Worker> {
    const { maxRequests, maxRequestsJitter } = this.#options
    const worker = new Worker(reload?.options ?? this.#worker, this)
    if (maxRequests > 0)
      worker.retireAfter = maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1))
    this.#workers.add(worker)
    reload?.workers.push(worker)
    return this.#starts.begin(worker)
  }

  /**
   * Starts workers until there are as many as there should be. Waits longer after each one that
   * ended early.
   */
  #fill(): void {
    if (this.#stopping || this.#filling !== null || this.#count() >= this.#target) return
    this.#filling = setTimeout(() => {
      this.#filling = null
      const missing = this.#stopping ? 0 : this.#target - this.#count()
      for (let i = 0; i < missing; i++) this.#spawnReplacement()
    }, this.#backOff.delay)
    // A pool in the background does not keep the process from ending.
    if (this.#worker.background === true) this.#filling.unref()
  }

  /** How many workers serve or are about to. */
  #count(): number {
    let count = 0
    for (const worker of this.#workers) {
      if (worker.state === 'serving' || worker.isStarting) count++
    }
    return count
  }

  #spawnReplacement(): void {
    this.#spawn().then(
      (worker) => {
        if (this.#stopping) return worker.leave()
        this.#log(INFO, `Worker ${worker.pid} serves`)
        // The number may have become smaller in the meantime. A reload leaves as many as it should.
        if (this.#reload === null) this.#retireSurplus()
      },
      (error: Error) => {
        if (this.#stopping || isExpected(error)) return
        this.#backOff.failed()
        this.#log(
          ERROR,
          coded('MONO5003', `A new worker could not start; trying again\n${error.message}`),
        )
        this.#fill()
      },
    )
  }

  /**
   * Starts a new worker; then the old one leaves, if it still serves.
   * @param why for the log, about the old one: `has answered max_requests`
   */
  #recycle(worker: Worker, cause: RecycleCause, why: string): void {
    if (worker.state !== 'serving' || worker.recycling) return
    worker.recycling = true
    this.#successions++
    const { pid } = worker
    const succession = this.#spawn()
    const over = () => {
      this.#successions--
    }
    succession.then(over, over)
    succession.then(
      (fresh) => {
        this.#log(INFO, `Worker ${fresh.pid} replaces worker ${pid}, which ${why}`)
        this.#events.recycled(worker, fresh, cause, why)
        this.#retire(worker)
        // A reload or fewer workers may have made it superfluous.
        if (this.#stopping || this.#count() > this.#target) this.#retire(fresh)
      },
      (error: Error) => {
        if (this.#stopping || isExpected(error)) return
        const text = `Worker ${pid} ${why} and stays: its replacement could not start`
        this.#log(ERROR, coded('MONO5003', `${text}\n${error.message}`))
        const again = () => {
          worker.recycling = false
        }
        setTimeout(again, MAX_DELAY_MS).unref()
      },
    )
  }

  /** The same, unless another worker is being replaced: never all of them at the same time. */
  #recycleAlone(worker: Worker, cause: RecycleCause, why: string): void {
    if (this.#successions === 0) this.#recycle(worker, cause, why)
  }

  /** Lets a worker finish what it has, within `graceful_timeout`. */
  #retire(worker: Worker): void {
    const { gracefulTimeout } = this.#options
    worker.expected = true
    worker.leave()
    const kill = () => worker.kill(`it did not leave within ${gracefulTimeout} s`)
    setTimeout(kill, gracefulTimeout * 1000).unref()
  }

  /**
   * Starts new workers; when all of them serve, the old ones leave. Abandons a reload that has not
   * ended.
   * @throws ApplicationLoadError, WorkerStartError: then the old workers stay
   */
  async reload(): Promise<void> {
    this.abandonReload()
    this.#violations.clear()
    const before = this.#source
    const source = this.#makeSource()
    const options = started(this.#worker, source)
    const reload: PoolReload = { workers: [], options, abandoned: false }
    this.#reload = reload
    try {
      await all(Array.from({ length: this.#target }, () => this.#spawn(reload)))
      if (reload.abandoned) throw notNeeded()
    } catch (error) {
      // Those that still load would only fail as well, or hang.
      this.#dropStarting(reload)
      for (const worker of reload.workers) if (worker.state === 'serving') this.#retire(worker)
      void source?.retire()
      throw error
    } finally {
      if (this.#reload === reload) this.#reload = null
    }
    this.#source = source
    this.#worker = started(this.#worker, source)
    void before?.retire()
    // Also those that have replaced others in the meantime.
    for (const worker of this.#workers) {
      if (reload.workers.includes(worker)) continue
      if (worker.state === 'serving' || worker.isStarting) this.#retire(worker)
    }
  }

  /** Ends a reload that is under way; its promise is rejected, and the old workers stay. */
  abandonReload(): void {
    const reload = this.#reload
    if (reload === null) return
    this.#reload = null
    reload.abandoned = true
    this.#dropStarting(reload)
  }

  #dropStarting({ workers }: PoolReload): void {
    for (const worker of workers) if (worker.isStarting) this.#starts.giveUp(worker, notNeeded())
  }

  /**
   * The workers at this moment, for the status of the server. The pid of one that is `starting` is
   * 0.
   */
  report(): WorkerReport[] {
    return [...this.#workers].flatMap(({ pid, state, assignments }) =>
      state === 'gone' ? [] : [{ pid, state, requests: assignments.size }],
    )
  }

  /** What its requests do at this moment, for metrics. */
  load(): PoolLoad {
    const { threads } = this.#options.worker
    let ahead = 0
    let putAside = 0
    for (const worker of this.#workers) {
      ahead += Math.max(0, worker.load - threads)
      for (const { suspended } of worker.assignments) if (suspended) putAside++
    }
    const { waiting, recalls } = this.#scheduler
    return { waiting, ahead, putAside, recalls, givenBack: this.#givenBack }
  }

  /**
   * Asks its workers for a profile or the like; those that do not serve are left out.
   *
   * @param pid only that worker, if it is not null
   * @param early ends it before its time
   */
  async inspect(
    question: InspectionQuestion,
    pid: number | null,
    early: AbortSignal,
  ): Promise<WorkerFindings[]> {
    const asked = [...this.#workers].filter(
      (worker) => worker.state === 'serving' && (pid === null || worker.pid === pid),
    )
    return await Promise.all(
      asked.map(async (worker) => {
        const { pid } = worker // later it may be gone
        return { pid, findings: await worker.inspect(question, early) }
      }),
    )
  }

  /** What waits for its workers, and what each of them is doing. */
  state(): PoolState {
    const now = performance.now()
    const [oldest] = this.#scheduler.queued()
    return {
      waiting: this.waiting,
      waitingLimit: this.#options.backlogLimit,
      longestWait: oldest === undefined ? 0 : Math.max(0, now - oldest.queuedAt) / 1000,
      workers: [...this.#workers].flatMap((worker) => workerState(worker, now) ?? []),
      slowRequests: this.#timeouts.slowRequests,
    }
  }

  /** All requests: those that workers have, and those that wait for one. */
  requests(): ControlRequest[] {
    const now = performance.now()
    return [
      ...[...this.#workers].flatMap((worker) => requestsOf(worker, now)),
      ...Array.from(this.#scheduler.queued(), (assignment) => queuedRequest(assignment, now)),
    ]
  }

  /**
   * Replaces one worker: the new one first. It is ended at once if it does not serve yet.
   *
   * @param why for the log, about the old one: `was restarted by ctl`
   * @returns false if there is none with this pid, or it is leaving already
   */
  restart(pid: number, why: string): boolean {
    const worker = [...this.#workers].find((one) => one.pid === pid)
    if (worker === undefined || pid === 0) return false
    if (worker.isStarting) worker.kill(why)
    else if (worker.state !== 'serving') return false
    else this.#recycle(worker, 'told', why)
    return true
  }

  /** Changes the number of workers. */
  scale(workers: number): void {
    this.#target = workers
    const left = this.#retireSurplus()
    if (workers > 1 && !this.#worker.multiprocess) {
      this.#worker = { ...this.#worker, multiprocess: true }
      for (const worker of left) this.#refresh(worker)
    }
    this.#fill()
  }

  /**
   * Lets the oldest workers leave, as Gunicorn does, if more serve than there should be.
   * @returns those that stay
   */
  #retireSurplus(): Worker[] {
    const serving = [...this.#workers].filter((worker) => worker.state === 'serving')
    const left = serving.splice(Math.max(0, serving.length - this.#target))
    for (const worker of serving) this.#retire(worker)
    return left
  }

  /**
   * Replaces a worker whose application was started with `wsgi.multiprocess` false, if there are
   * other workers now.
   */
  #refresh(worker: Worker): void {
    if (this.#worker.multiprocess && !worker.multiprocess)
      this.#recycle(worker, 'told', 'was the only one')
  }

  // ---------------------------------------------------------------- the end

  /**
   * Ends the workers, after they have finished what they have; resolves when all are gone. What
   * still runs after `graceMs` is killed.
   */
  async stop(graceMs: number): Promise<void> {
    this.#noMore()
    for (const worker of this.#workers) {
      worker.expected = true
      worker.leave()
    }
    if (this.#workers.size > 0) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        timer = setTimeout(() => {
          this.#killLate()
          timer = setTimeout(resolve, KILLED_MS)
        }, graceMs)
      })
      clearTimeout(timer)
    }
    this.#scheduler.stop()
    await this.#endSource()
  }

  /** The process that has loaded the application leaves last. */
  async #endSource(): Promise<void> {
    const source = this.#source
    if (source === null) return
    const timer = setTimeout(() => source.kill(), KILLED_MS)
    await source.retire()
    clearTimeout(timer)
  }

  #killLate(): void {
    for (const worker of this.#workers) {
      this.#log(WARNING, coded('MONO5002', `Worker ${worker.pid} did not exit in time; killing it`))
      worker.kill('the time to stop was over')
    }
  }

  /** Kills all workers at once. */
  kill(): void {
    this.#noMore()
    this.#scheduler.stop()
    for (const worker of this.#workers) {
      worker.expected = true
      worker.kill('the server was ended')
    }
    this.#source?.kill()
  }

  #noMore(): void {
    this.#stopping = true
    this.#recycling?.stop()
    if (this.#filling !== null) clearTimeout(this.#filling)
  }
}

/** The workers of that source, if there is one. */
function started(worker: WorkerOptions, source: WorkerSource | null): WorkerOptions {
  return source === null ? worker : { ...worker, start: source.start, loaded: source.loaded }
}

function notNeeded(): WorkerStartError {
  return new WorkerStartError(coded('MONO5203', 'it was not needed any more'), true)
}

function isExpected(error: Error): boolean {
  return error instanceof WorkerStartError && error.expected
}

/** Like Promise.all, but if one fails, the errors of the others are not reported as unhandled. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  for (const promise of promises) promise.catch(() => {})
  return await Promise.all(promises)
}
