/**
 * The acceptors that serve one version of the settings: started together, kept complete, ended
 * together.
 */
import type { BrowserChange } from '../acceptor/messages.ts'
import type { Details, QuestionName } from '../acceptor/questions.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import type { LogLevel } from '../logging/log-level.ts'
import { coded } from '../messages/coded.ts'
import type { ArbiterEvents } from '../observe/arbiter-events.ts'
import { LoadWatch } from '../runtimes/load-watch.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { AcceptorChild, type Leave } from './acceptor-child.ts'
import { type AcceptorExit, AcceptorFailure, describeExit } from './acceptor-exit.ts'
import type { AcceptorAnswer, AcceptorStatus } from './actions.ts'
import { type Deferred, defer } from './deferred.ts'
import type { Identity } from './identity.ts'
import type { ListeningSocket } from './listeners.ts'
import { describeAcceptor, type ServingAcceptor } from './start-banner.ts'

export interface AcceptorSetOptions {
  /** The path of the acceptor's program. */
  readonly program: string
  readonly settings: Settings
  /** Who the acceptors run as, if not as this process. */
  readonly identity: Identity | null
  readonly listeners: readonly ListeningSocket[]
  /** What new acceptors are given for TLS, by now; null if no listener uses it. */
  readonly tls: () => TlsMaterial | null
  readonly log: ErrorLog
  /** Where the starts and ends of acceptors are published. */
  readonly events: ArbiterEvents
  /** Null unless the application is being developed (`--reload`). */
  readonly development: SetDevelopment | null
  /**
   * Called before an acceptor starts a worker, if the settings have hooks. Resolves with the
   * worker's age: how many the server has started with it. Rejects if it must not be started.
   */
  readonly permitWorker: () => Promise<number>
}

/** What `--reload` needs of a set. */
export interface SetDevelopment {
  /** It starts even if the application cannot be loaded, and answers with the error. */
  readonly tolerant: boolean
  /** The version that browsers see. */
  version(): number
}

/** The place of one acceptor and, one after the other, of its replacements. */
interface Place {
  readonly index: number
  child: AcceptorChild | undefined
  /** The one before, which serves until `child` does. */
  retiring: AcceptorChild | undefined
  /** How many acceptors in a row ended soon after their start. */
  youngDeaths: number
  restart: NodeJS.Timeout | undefined
  /** No longer needed: its acceptor gets no replacement. */
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
 * An acceptor that ends sooner than this, in milliseconds, may have a reason that ends the next one
 * too.
 */
const YOUNG_AGE_MS = 10_000

/** How long an acceptor may take to report its workers, in milliseconds. */
const REPORT_MS = 1000

/**
 * Starts acceptors and replaces those that end. The arbiter holds the listening sockets, so new
 * connections wait in the kernel until the replacement is ready.
 *
 * @example
 * const acceptors = new AcceptorSet({ program, settings, listeners, log })
 * await acceptors.start()
 * acceptors.stop(30_000)
 * await acceptors.gone
 */
export class AcceptorSet {
  /** Resolves when it was stopped or killed, and none of its processes is left. */
  readonly gone: Promise<void>

  readonly #options: AcceptorSetOptions
  readonly #places: Place[]
  readonly #children = new Set<AcceptorChild>()
  readonly #gone = defer<void>()
  readonly #started = defer<void>()
  readonly #loads: LoadWatch
  /** Resolved to end the reload that is in progress. */
  #abandoned: Deferred<'abandoned'> | null = null
  /** Resolves when the acceptors that asked before have been replaced. */
  #retirement: Promise<void> = Promise.resolve()
  /** Null for that of the settings. */
  #logLevel: LogLevel | null = null
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

  /** How many workers it should have, in all acceptors together. */
  get workers(): number {
    return this.#workers
  }

  /**
   * Resolves when every acceptor serves.
   *
   * @throws AcceptorFailure if one of them cannot; the others are ended first
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
   * Loads the application again in every acceptor, in one after the other: the first one finds out
   * whether it is broken.
   *
   * @throws AcceptorFailure if an acceptor keeps its old workers
   */
  async reload(): Promise<void> {
    const abandoned = defer<'abandoned'>()
    this.#abandoned = abandoned
    const orAbandoned = async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => {})
      const result = await Promise.race([work, abandoned.promise])
      if (result === 'abandoned')
        throw new AcceptorFailure('other', coded('MONO5203', 'The reload was abandoned'))
      return result
    }
    for (const place of this.#places) {
      const { child } = place
      // A replacement that has not begun yet will load the current application anyway.
      if (child === undefined || this.#state !== 'serving') continue
      if (child.isReady) await orAbandoned(child.reload())
      else await orAbandoned(this.#startAnew(place, child))
    }
  }

  /** For an acceptor that is still loading: what it loads is outdated, and may never end. */
  async #startAnew(place: Place, child: AcceptorChild): Promise<void> {
    child.kill()
    this.#restart(place)
    await place.child?.ready
  }

  /**
   * Ends a reload that is in progress: its promise is rejected, and new workers that do not serve
   * yet are ended.
   */
  abandonReload(): void {
    this.#abandoned?.resolve('abandoned')
    for (const { child } of this.#places) child?.abandonReload()
  }

  /** Changes the number of workers; each acceptor has at least one. Returns the new number. */
  scale(workers: number): number {
    if (runtimeOf(this.#options.settings) === 'node')
      return this.#scaleAcceptors(Math.max(1, workers))
    this.#workers = Math.max(workers, this.#places.length)
    for (const { child, index } of this.#places) child?.scale(this.#share(index))
    return this.#workers
  }

  /** Acceptors that run the application themselves are the workers. */
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

  /** Has requests answered with this error, or with the application again if it is null. */
  showFailure(text: string | null): void {
    for (const child of this.#children) child.showFailure(text)
  }

  /** Has health checks answered with 503, while everything goes on. */
  notReady(): void {
    for (const child of this.#children) child.notReady()
  }

  refreshBrowsers(version: number, change: BrowserChange): void {
    for (const child of this.#children) child.refreshBrowsers(version, change)
  }

  /** Has new connections use these certificates. */
  useTls(material: TlsMaterial): void {
    for (const child of this.#children) child.useTls(material)
  }

  reopenLogs(): void {
    for (const child of this.#children) child.reopenLogs()
  }

  /** The acceptors, also those that are stopping. */
  async status(): Promise<AcceptorStatus[]> {
    const retiring = new Set(this.#places.map((place) => place.retiring))
    return await Promise.all(
      [...this.#children].map(async (child) => ({
        pid: child.pid,
        state: child.isStopping
          ? ('stopping' as const)
          : retiring.has(child)
            ? ('retiring' as const)
            : child.isReady
              ? ('serving' as const)
              : ('starting' as const),
        startedAt: Math.round(performance.timeOrigin + child.startedAt),
        workers: (await child.ask('workers', null, REPORT_MS)).answer,
      })),
    )
  }

  /**
   * Replaces a worker, or an acceptor.
   *
   * @param why for the log, about a worker: `was restarted by monoceros ctl`
   * @returns false if none that serves has this pid
   */
  async restart(pid: number, why: string): Promise<boolean> {
    for (const { child } of this.#places) {
      if (child?.pid !== pid || child.isStopping || !child.isReady) continue
      child.retire()
      return true
    }
    const answers = await this.ask('restart', { pid, why }, REPORT_MS)
    return answers.some(({ answer }) => answer === true)
  }

  /** Of these acceptors, and of their replacements. */
  setLogLevel(level: LogLevel): void {
    this.#logLevel = level
    void this.ask('log-level', { level }, REPORT_MS)
  }

  /** Asks all acceptors, also those that are stopping; see {@link ArbiterActions.ask}. */
  async ask<Name extends QuestionName>(
    question: Name,
    details: Details<Name>,
    deadlineMs: number,
  ): Promise<AcceptorAnswer<Name>[]> {
    const children = [...this.#children]
    return await Promise.all(
      children.map(async (child) => ({
        pid: child.pid,
        ...(await child.ask(question, details, deadlineMs)),
      })),
    )
  }

  /** Lets requests finish, for up to `graceMs`; see {@link AcceptorChild.stop}. */
  stop(graceMs: number, replaced = false): void {
    // Before it serves, there are no requests to finish.
    if (this.#state === 'starting') this.kill()
    else this.#end((child) => child.stop(graceMs, replaced))
  }

  /** Ends everything immediately. */
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
    const { program, settings, identity, listeners, tls, log, events, development, permitWorker } =
      this.#options
    const workers = this.#share(place.index)
    const child = new AcceptorChild({
      program,
      settings,
      identity,
      listeners,
      tls: tls(),
      workers,
      log,
      loads: this.#loads,
      development: development && {
        // The replacement of one that serves is better than none.
        tolerant: development.tolerant || this.#state === 'serving',
        version: development.version(),
      },
      events,
      permitWorker,
      cacheDropped: (dropped) => {
        for (const other of this.#children) if (other !== child) other.dropCached(dropped)
      },
    })
    place.child = child
    this.#children.add(child)
    child.ready.then(
      () => {
        const level = this.#logLevel
        if (level !== null) void child.ask('log-level', { level }, REPORT_MS)
      },
      () => {},
    )
    void this.#replaceWhenLeaving(place, child)
    void this.#replaceWhenRetiring(place, child)
    this.#publish(child)
    void child.exited.then(() => {
      this.#children.delete(child)
      if (this.#state === 'ending' && this.#children.size === 0) this.#gone.resolve()
    })
    return child
  }

  #publish(child: AcceptorChild): void {
    const { acceptorStarted, acceptorReady, acceptorEnded } = this.#options.events
    const { pid } = child
    acceptorStarted.publish({ pid })
    child.ready.then(
      ({ workers, failure }) =>
        acceptorReady.publish({
          pid,
          workers: workers.length,
          loaded: failure === undefined,
        }),
      () => {
        // It ends, which is the event.
      },
    )
    void child.exited.then((exit) => {
      const expected = child.stopRequested
      acceptorEnded.publish({ pid, expected, reason: describeExit(pid, exit) })
    })
  }

  async #replaceWhenRetiring(place: Place, child: AcceptorChild): Promise<void> {
    await child.retiring
    await this.#started.promise
    const endTurn = await this.#retirementTurn()
    if (this.#state !== 'serving' || place.dropped || place.child !== child) return endTurn()
    this.#options.log.info(`Acceptor ${child.pid} asked to be replaced; starting a replacement`)
    place.retiring = child
    this.#restart(place)
    const successor = place.child
    if (successor === child) return endTurn() // it could not be started; #restart tries again
    await successor.ready.catch(() => {})
    endTurn()
  }

  /**
   * Resolves when no other acceptor waits for its replacement, so that they are not all replaced at
   * the same time. The result is to be called at the end.
   */
  async #retirementTurn(): Promise<() => void> {
    const before = this.#retirement
    const turn = defer<void>()
    this.#retirement = turn.promise
    await before
    return () => turn.resolve()
  }

  /** Stops the acceptor before, now that its replacement serves. */
  #release(place: Place): void {
    place.retiring?.stop(this.#graceMs, true)
    place.retiring = undefined
  }

  async #replaceWhenLeaving(place: Place, child: AcceptorChild): Promise<void> {
    const exit = await child.leaving
    const failure = await child.ready.then(
      () => undefined,
      (error: AcceptorFailure) => error,
    )
    // `start` throws a failure during the start.
    if (this.#state === 'ending' || place.dropped || (this.#state === 'starting' && failure)) return
    if (place.retiring === child) place.retiring = undefined
    if (place.child !== child) return // its replacement has been started
    place.child = undefined
    // The end of an acceptor that was told to leave does not predict that of its replacement.
    const told = exit === 'told' && failure === undefined
    const young = performance.now() - child.startedAt < YOUNG_AGE_MS
    if (!young) place.youngDeaths = 0
    else if (!told) place.youngDeaths++
    const delay = told ? 0 : restartDelay(place.youngDeaths)
    this.#logEnd(child.pid, exit, failure, delay)
    place.restart = setTimeout(() => this.#restart(place), delay)
  }

  #logEnd(
    pid: number,
    exit: AcceptorExit | Leave,
    failure: AcceptorFailure | undefined,
    delay: number,
  ): void {
    const { log } = this.#options
    const then = `starting a replacement${delay === 0 ? '' : ` in ${delay / 1000} s`}`
    if (failure !== undefined) {
      log.error(failure.message)
      log.error(coded('MONO5102', `Acceptor ${pid} could not start; ${then}`))
    } else if (typeof exit === 'string')
      log.warning(coded('MONO5103', `Acceptor ${pid} is leaving; ${then}`))
    else log.error(coded('MONO5101', `${describeExit(pid, exit)}; ${then}`))
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
          // Logged and tried again when the process has ended.
        },
      )
    } catch (error) {
      // No memory, no space for its directory, …: the next attempt may succeed.
      const delay = restartDelay(++place.youngDeaths)
      const reason = error instanceof Error ? error.message : String(error)
      log.error(
        coded('MONO5102', `Cannot start an acceptor: ${reason}; trying again in ${delay / 1000} s`),
      )
      place.restart = setTimeout(() => this.#restart(place), delay)
    }
  }
}

/**
 * How many of `total` workers the acceptor number `index` of `acceptors` has: as even as possible,
 * at least one.
 *
 * @example [0, 1, 2].map((index) => shareOf(8, 3, index)) // [3, 3, 2]
 */
export function shareOf(total: number, acceptors: number, index: number): number {
  return Math.max(1, Math.floor(total / acceptors) + (index < total % acceptors ? 1 : 0))
}

/**
 * How long to wait before an acceptor is replaced, in milliseconds: 0 if none has ended young, then
 * 0.1 s, doubling up to 5 s.
 *
 * @param youngDeaths how many acceptors in a row ended soon after their start
 */
export function restartDelay(youngDeaths: number): number {
  return youngDeaths === 0 ? 0 : Math.min(5000, 100 * 2 ** (youngDeaths - 1))
}
