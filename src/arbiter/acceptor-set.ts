/**
 * The acceptors that serve one version of the settings: started together, kept complete, ended
 * together.
 */
import type { AcceptorReady } from '../acceptor/messages.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { LoadWatch } from '../runtimes/load-watch.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { AcceptorChild, AcceptorFailure, describeExit } from './acceptor-child.ts'
import { type Deferred, defer } from './deferred.ts'
import type { Listener } from './listeners.ts'

/** An acceptor that serves. */
export interface ServingAcceptor extends AcceptorReady {
  readonly pid: number
}

export interface AcceptorSetOptions {
  /** The path of the acceptor's program. */
  readonly program: string
  readonly settings: Settings
  readonly listeners: readonly Listener[]
  readonly log: ErrorLog
}

/** One acceptor's place, which its replacements take over. */
interface Place {
  readonly index: number
  child: AcceptorChild | undefined
  /** The one before, which goes on serving until `child` does. */
  retiring: AcceptorChild | undefined
  /** How many acceptors have ended young here, one after the other. */
  youngDeaths: number
  restart: NodeJS.Timeout | undefined
  /** It is not needed any more, so nobody takes it over. */
  dropped: boolean
}

function newPlace(index: number): Place {
  return {
    index,
    child: undefined,
    retiring: undefined,
    youngDeaths: 0,
    restart: undefined,
    dropped: false,
  }
}

/**
 * An acceptor that ends sooner than that, in milliseconds, may have a reason that will end the next
 * one too.
 */
const youngAge = 10_000

/**
 * Starts acceptors and replaces those that end. The listening sockets are the arbiter's, so
 * connections wait meanwhile.
 *
 * @example
 * const acceptors = new AcceptorSet({ program, settings, listeners, log })
 * await acceptors.start()
 * acceptors.stop(30_000)
 * await acceptors.gone
 */
export class AcceptorSet {
  /** Resolves when it has been stopped or killed and no process of it is left. */
  readonly gone: Promise<void>

  readonly #options: AcceptorSetOptions
  readonly #places: Place[]
  readonly #children = new Set<AcceptorChild>()
  readonly #gone = defer<void>()
  readonly #started = defer<void>()
  readonly #loads: LoadWatch
  /** Resolved when the reload that is under way is to end. */
  #abandoned: Deferred<'abandoned'> | null = null
  #workers: number
  #state: 'starting' | 'serving' | 'ending' = 'starting'

  constructor(options: AcceptorSetOptions) {
    const { settings } = options
    const acceptors = acceptorsOf(settings)
    this.#options = options
    this.#workers = Math.max(settings.workers, acceptors)
    this.#places = Array.from({ length: acceptors }, (_, index) => newPlace(index))
    this.gone = this.#gone.promise
    this.#loads = new LoadWatch({
      application: settings.wsgiApp,
      timeout: settings.loadTimeout,
      warn: (text, pid) => options.log.log('warning', text, pid),
    })
  }

  /** The workers that it should have, over all acceptors. */
  get workers(): number {
    return this.#workers
  }

  /**
   * Resolves when every acceptor serves.
   *
   * @throws AcceptorFailure when one of them cannot; nothing of the set is left then
   */
  async start(): Promise<ServingAcceptor[]> {
    try {
      const children = this.#places.map((place) => this.#spawn(place))
      const serving = children.map(async (child) => ({ pid: child.pid, ...(await child.ready) }))
      const all = await Promise.all(serving)
      if (this.#state === 'starting') this.#state = 'serving'
      this.#started.resolve()
      return all
    } catch (error) {
      this.kill()
      await this.gone
      throw error
    }
  }

  /**
   * Loads the application anew in every acceptor, in one after the other, so that a broken
   * application is found by the first.
   *
   * @throws AcceptorFailure when an acceptor keeps its old workers
   */
  async reload(): Promise<void> {
    const abandoned = defer<'abandoned'>()
    this.#abandoned = abandoned
    const orAbandoned = async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => {})
      const result = await Promise.race([work, abandoned.promise])
      if (result === 'abandoned') throw new AcceptorFailure('other', 'The reload was abandoned')
      return result
    }
    for (const place of this.#places) {
      const { child } = place
      // One that is about to be replaced is so by one that loads what is there now.
      if (child === undefined || this.#state !== 'serving') continue
      if (child.isReady) await orAbandoned(child.reload())
      else await orAbandoned(this.#startAnew(place, child))
    }
  }

  /** What it is loading is not the newest any more, and may never end. */
  async #startAnew(place: Place, child: AcceptorChild): Promise<void> {
    child.kill()
    this.#restart(place)
    await place.child?.ready
  }

  /**
   * Ends a reload that is under way: its promise is rejected at once, and new workers that do not
   * serve yet are ended.
   */
  abandonReload(): void {
    this.#abandoned?.resolve('abandoned')
    for (const { child } of this.#places) child?.abandonReload()
  }

  /** Has that many workers from now on, at least one for each acceptor. Returns how many. */
  scale(workers: number): number {
    if (runtimeOf(this.#options.settings) === 'node')
      return this.#scaleAcceptors(Math.max(1, workers))
    this.#workers = Math.max(workers, this.#places.length)
    for (const { child, index } of this.#places) child?.scale(this.#share(index))
    return this.#workers
  }

  /** Where acceptors run the application themselves, they are the workers. */
  #scaleAcceptors(acceptors: number): number {
    for (const place of this.#places.splice(acceptors)) {
      clearTimeout(place.restart)
      place.dropped = true
      place.child?.stop(this.#graceMs, true)
      place.retiring?.stop(this.#graceMs, true)
    }
    for (let index = this.#places.length; index < acceptors; index++) {
      const place = newPlace(index)
      this.#places.push(place)
      this.#restart(place)
    }
    this.#workers = acceptors
    return acceptors
  }

  reopenLogs(): void {
    for (const child of this.#children) child.reopenLogs()
  }

  /**
   * What is in flight may finish, for at most that many milliseconds; see {@link
   * AcceptorChild.stop}.
   */
  stop(graceMs: number, replaced = false): void {
    // Before it serves there is nothing in flight.
    if (this.#state === 'starting') this.kill()
    else this.#end((child) => child.stop(graceMs, replaced))
  }

  /** Ends everything at once. */
  kill(): void {
    this.#end((child) => child.kill())
  }

  /** Kills every process before it returns. */
  killNow(): void {
    this.#end((child) => child.killNow())
  }

  #end(how: (child: AcceptorChild) => void): void {
    this.#state = 'ending'
    for (const place of this.#places) clearTimeout(place.restart)
    for (const child of this.#children) how(child)
    if (this.#children.size === 0) this.#gone.resolve()
  }

  get #graceMs(): number {
    return this.#options.settings.gracefulTimeout * 1000
  }

  #share(index: number): number {
    return shareOf(this.#workers, this.#places.length, index)
  }

  #spawn(place: Place): AcceptorChild {
    const { program, settings, listeners, log } = this.#options
    const workers = this.#share(place.index)
    const child = new AcceptorChild({
      program,
      settings,
      listeners,
      workers,
      log,
      loads: this.#loads,
    })
    place.child = child
    this.#children.add(child)
    void this.#replaceWhenLeaving(place, child)
    void this.#replaceWhenRetiring(place, child)
    void child.exited.then(() => {
      this.#children.delete(child)
      if (this.#state === 'ending' && this.#children.size === 0) this.#gone.resolve()
    })
    return child
  }

  async #replaceWhenRetiring(place: Place, child: AcceptorChild): Promise<void> {
    await child.retiring
    await this.#started.promise
    if (this.#state !== 'serving' || place.dropped || place.child !== child) return
    this.#options.log.info(`The acceptor ${child.pid} is due to be replaced; starting another`)
    place.retiring = child
    this.#restart(place)
  }

  /** Stops the one before, now that there is another. */
  #release(place: Place): void {
    place.retiring?.stop(this.#graceMs, true)
    place.retiring = undefined
  }

  async #replaceWhenLeaving(place: Place, child: AcceptorChild): Promise<void> {
    const { log } = this.#options
    const exit = await child.leaving
    const failure = await child.ready.then(
      () => undefined,
      (error: AcceptorFailure) => error,
    )
    // A failure during the start is the starter's to report.
    if (this.#state === 'ending' || place.dropped || (this.#state === 'starting' && failure)) return
    if (place.retiring === child) place.retiring = undefined
    if (place.child !== child) return // its replacement is on its way
    place.child = undefined
    // One that leaves in order, because somebody told it to, says nothing about the next.
    const told = exit === 'told' && failure === undefined
    const young = performance.now() - child.startedAt < youngAge
    if (!young) place.youngDeaths = 0
    else if (!told) place.youngDeaths++
    const delay = told ? 0 : restartDelay(place.youngDeaths)
    const then = delay === 0 ? 'starting another' : `starting another in ${delay / 1000} s`
    if (failure) {
      log.error(failure.message)
      log.error(`The acceptor ${child.pid} could not start; ${then}`)
    } else if (typeof exit !== 'string') {
      log.error(`The acceptor ${describeExit(child.pid, exit)}; ${then}`)
    } else {
      log.warning(`The acceptor ${child.pid} leaves; ${then}`)
    }
    place.restart = setTimeout(() => this.#restart(place), delay)
  }

  #restart(place: Place): void {
    const { log } = this.#options
    try {
      const child = this.#spawn(place)
      child.ready.then(
        (ready) => {
          log.info(describeAcceptor({ pid: child.pid, ...ready }))
          if (place.child === child) this.#release(place)
        },
        () => {
          // Told, and tried again, when the process has ended.
        },
      )
    } catch (error) {
      // No memory, no space for its directory, …: what may pass.
      const delay = restartDelay(++place.youngDeaths)
      const reason = error instanceof Error ? error.message : String(error)
      log.error(`Cannot start an acceptor: ${reason}; trying again in ${delay / 1000} s`)
      place.restart = setTimeout(() => this.#restart(place), delay)
    }
  }
}

/**
 * How many of `total` workers the acceptor number `index` of `acceptors` has: all nearly the same,
 * each at least one.
 *
 * @example [0, 1, 2].map((index) => shareOf(8, 3, index)) // [3, 3, 2]
 */
export function shareOf(total: number, acceptors: number, index: number): number {
  return Math.max(1, Math.floor(total / acceptors) + (index < total % acceptors ? 1 : 0))
}

/**
 * How long to wait, in milliseconds, before an acceptor is replaced when so many ended young before
 * it: not at all after none, then 0.1 s, doubling up to 5 s.
 */
export function restartDelay(youngDeaths: number): number {
  return youngDeaths === 0 ? 0 : Math.min(5000, 100 * 2 ** (youngDeaths - 1))
}

/** @example 'Acceptor 4712 with workers 4713, 4714' */
export function describeAcceptor({ pid, workers }: ServingAcceptor): string {
  if (workers.length === 0) return `Acceptor ${pid} runs the application`
  const pids = workers.map((worker) => worker.pid).join(', ')
  return `Acceptor ${pid} with worker${workers.length === 1 ? '' : 's'} ${pids}`
}
