/**
 * The process at the top: it holds the listening sockets, keeps the acceptors running, and carries
 * out the actions that its drivers decide on. It never sees a request.
 */
import { isDeepStrictEqual } from 'node:util'
import type { BrowserChange } from '../acceptor/messages.ts'
import type { Details, QuestionName } from '../acceptor/questions.ts'
import type { ServedTls } from '../certificates/served-tls.ts'
import type { ConfigHost } from '../config/config-host.ts'
import type { LoadedSettings } from '../config/load-settings.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { LogFileError } from '../logging/log-file.ts'
import type { LogLevel } from '../logging/log-level.ts'
import type { LogTail } from '../logging/log-tail.ts'
import { coded } from '../messages/coded.ts'
import { ArbiterEvents } from '../observe/arbiter-events.ts'
import { EXIT } from '../process/exit-status.ts'
import type { HostProcess } from '../process/host-process.ts'
import { processName, setProcessTitle } from '../process/process-title.ts'
import type { TextOutput } from '../process/text-output.ts'
import { errorLogOptions, keepsLog } from '../settings/log-options.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { usesTls } from '../settings/tls-binds.ts'
import { version } from '../settings/version.ts'
import { AcceptorFailure } from './acceptor-exit.ts'
import { defaultProgram } from './acceptor-program.ts'
import { AcceptorSet, type AcceptorSetOptions } from './acceptor-set.ts'
import type {
  AcceptorAnswer,
  ArbiterActions,
  ArbiterDriver,
  ReloadResult,
  ServerState,
  ServerStatus,
  StopMode,
  UpgradeResult,
} from './actions.ts'
import { RestartHistory } from './control/restart-history.ts'
import { defer } from './deferred.ts'
import { DrainDelay } from './drain-delay.ts'
import { Drivers } from './drivers/drivers.ts'
import { HookDriver } from './drivers/hooks.ts'
import { standardDrivers } from './drivers/standard-drivers.ts'
import { giveLogs, type Identity, identityOf } from './identity.ts'
import { addressUrl } from './listeners.ts'
import { sendArbiterMetrics } from './metrics.ts'
import { ReloadAbandoned, type ReloadAttempt } from './reload-attempt.ts'
import { Reloads } from './reloads.ts'
import { ServerLog } from './server-log.ts'
import { ServerPidfile } from './server-pidfile.ts'
import { type ChangedSockets, ServerSockets } from './server-sockets.ts'
import { readWithin } from './settings-deadline.ts'
import { plural, type ServingAcceptor, startBanner } from './start-banner.ts'
import { isStartFailure, statusOf } from './start-failure.ts'
import { type Inheritance, takeInheritance } from './upgrade/inheritance.ts'
import { type StartCommand, startCommand } from './upgrade/start-command.ts'
import { Upgrades } from './upgrade/upgrades.ts'

/** Settings, alone or as `loadSettings` returns them: with the hooks of the config file. */
export type GivenSettings = Settings | LoadedSettings

export interface ArbiterOptions {
  /**
   * Loads the settings again, for a reload; without it, a reload loads the application only. If it
   * rejects, the message goes to the log. The signal is aborted when they are not wanted any more.
   * `previous` is the `configHost` of the settings in force.
   */
  readSettings?: (signal: AbortSignal, previous: ConfigHost | null) => Promise<GivenSettings>
  /** The path of the acceptor's program. */
  acceptorProgram?: string
  host?: HostProcess
  /** How this process was started, for an upgrade; by default as Node.js tells. */
  command?: StartCommand
  /** What it got from the server that it is to replace; by default from the environment. */
  inheritance?: Inheritance | null
  /** Where to show why the server could not start, if the log is a file. */
  stderr?: TextOutput
  /** Called when the server serves. */
  serves?: () => void
  /** Who decides on the server; by default the signals of `host`, and files with `reload`. */
  drivers?: readonly ArbiterDriver[]
}

/**
 * Serves with these settings until a driver stops the server. Errors that the user can solve are
 * logged, not thrown.
 *
 * @returns the exit status, one of `EXIT.server`, when every process that it started is gone
 */
export async function runArbiter(
  given: GivenSettings,
  options: ArbiterOptions = {},
): Promise<number> {
  const loaded = asLoaded(given)
  const errorLog = errorLogOptions(loaded.settings)
  try {
    const { host = process, inheritance = takeInheritance(process.env) } = options
    const standard = { settings: loaded.settings, host, isUpgrade: inheritance !== null }
    const drivers = options.drivers ?? (await standardDrivers(standard))
    const complete = { ...options, host, inheritance, drivers }
    return await new Arbiter(loaded, complete, new ErrorLog(errorLog)).run()
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error
    const { stderr = process.stderr } = options
    stderr.write(`monoceros: ${error.message}\n`)
    return EXIT.server.FAILED
  }
}

type CompleteOptions = ArbiterOptions &
  Required<Pick<ArbiterOptions, 'host' | 'inheritance' | 'drivers'>>

/** What makes one set of acceptors different from others. */
type SetFacts = Pick<AcceptorSetOptions, 'settings' | 'identity' | 'listeners' | 'log'> & {
  readonly tls: ServedTls | null
}

/** What the arbiter uses of loaded settings. */
type UsedSettings = Pick<LoadedSettings, 'settings' | 'configuration' | 'configHost' | 'origins'>

function asLoaded(given: GivenSettings): UsedSettings {
  if ('configHost' in given) return given
  return { settings: given, configuration: null, configHost: null, origins: {} }
}

class Arbiter implements ArbiterActions {
  readonly events = new ArbiterEvents((topic, error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log.error(coded('MONO5901', `A listener of ${topic} failed: ${text}`))
  })
  readonly history: RestartHistory
  readonly #options: ArbiterOptions
  readonly #host: HostProcess
  readonly #drivers: Drivers
  readonly #program: string
  readonly #startedAt = Date.now()
  readonly #upgrades: Upgrades
  readonly #stopRequested = defer<void>()
  /** All that have processes: the one that serves, those it has replaced, and its successor. */
  readonly #sets = new Set<AcceptorSet>()
  #settings: Settings
  #origins: Readonly<Record<string, string>>
  /** The level of the log, if it was changed since the last reload. */
  #logLevel: LogLevel | null = null
  /** What the settings were read from, for the log. */
  readonly #configuration: string | null
  /** Runs the hooks of the settings that serve, if there are any. */
  #configHost: ConfigHost | null
  readonly #log: ServerLog
  readonly #sockets: ServerSockets
  readonly #pidfile: ServerPidfile
  /** Who acceptors run as, if not as this process. */
  #identity: Identity | null = null
  /** The certificates that are in use; null if there are none. */
  #tls: ServedTls | null = null
  #endMetrics: () => Promise<void>
  #serving: AcceptorSet | undefined
  #generation = 1
  /** Whether `#serving` was stopped, without the server. */
  #drained = false
  /** How many to start with after that; null for as many as the settings say. */
  #workersAfterDrain: number | null = null
  /** What browsers compare with that of a page. A server that starts later has a higher one. */
  #browserVersion = Date.now()
  /** Gives up the first load and begins again; null if that is not possible. */
  #giveUpStart: (() => void) | null = null
  /** How many workers were started, if somebody counts them. */
  #workersStarted = 0
  #stopping: StopMode | null = null
  readonly #drainDelay = new DrainDelay()
  readonly #reloads = new Reloads({
    attempt: (cause, attempt) => this.#observedReload(cause, attempt),
    abandoned: (cause) =>
      this.#log.info(`${cause}: abandoning the reload in progress, to begin again`),
    stopping: () => this.#stopping !== null,
  })

  constructor(loaded: UsedSettings, options: CompleteOptions, log: ErrorLog) {
    this.#settings = loaded.settings
    this.#origins = loaded.origins
    this.#configuration = loaded.configuration
    this.#configHost = loaded.configHost
    this.#options = options
    this.#host = options.host
    const drivers = [...options.drivers, new HookDriver(loaded, this.#host.pid)]
    this.#drivers = new Drivers(drivers, this.#stopRequested.promise)
    this.#program = options.acceptorProgram ?? defaultProgram()
    this.#log = new ServerLog(log)
    this.history = new RestartHistory(this.events)
    if (keepsLog(loaded.settings)) this.#log.keep()
    this.#upgrades = new Upgrades({
      pid: this.#host.pid,
      command: options.command ?? startCommand(process.cwd()),
      inheritance: options.inheritance,
      events: this.events,
      log: this.#log,
    })
    const { pid } = this.#host
    this.#sockets = new ServerSockets({ pid, upgrades: this.#upgrades, log: this.#log })
    this.#pidfile = new ServerPidfile({
      pid,
      predecessor: () => this.#upgrades.predecessor,
      log: this.#log,
    })
    this.#endMetrics = this.#sendMetrics(null)
  }

  async run(): Promise<number> {
    this.#log.info(`Starting monoceros ${version}`)
    if (this.#configuration !== null) this.#log.info(`Configuration: ${this.#configuration}`)
    this.#showTitle()
    this.#watchHost()
    // Listening sockets do not keep a process from ending, and after a drain there is nothing else.
    const staysAlive = setInterval(() => {}, 2 ** 30)
    try {
      await this.#drivers.start(this, this.#log)
      this.#identity = this.#identify(this.#settings)
      this.#pidfile.write(this.#settings.pidfile)
      this.#upgrades.whenPromoted((before) => {
        this.#pidfile.moveTo(this.#settings.pidfile, before)
        this.#showTitle()
      })
      await this.#sockets.open(this.#settings, this.#identity)
      if (this.#stopping === null) await this.#drivers.listening()
      if (this.#stopping === null) await this.#start()
      await this.#stopRequested.promise
      await this.#gone()
      this.#log.info('Stopped')
      return EXIT.server.STOPPED
    } catch (error) {
      // It could not start because it was stopped meanwhile.
      if (this.#stopping !== null && error instanceof AcceptorFailure) return EXIT.server.STOPPED
      return this.#explain(error)
    } finally {
      await this.#drivers.end()
      this.#tls?.close()
      this.#sockets.close()
      this.#pidfile.remove()
      await this.#configHost?.close()
      this.#upgrades.end()
      await this.#endMetrics()
      await this.#log.current.settle()
      clearInterval(staysAlive)
    }
  }

  #showTitle(): void {
    if (this.#host !== process) return
    const name = processName(this.#settings)
    setProcessTitle('master', this.#upgrades.predecessor === null ? name : `${name}.2`)
  }

  get state(): ServerState {
    if (this.#stopping !== null) return 'stopping'
    if (this.#serving === undefined) return 'starting'
    if (this.#drained) return 'drained'
    return this.#reloads.inProgress ? 'reloading' : 'serving'
  }

  get quitMode(): StopMode {
    // With threads, Gunicorn takes sync for gthread.
    const { workerClass, threads } = this.#settings
    if (workerClass === 'gevent') return 'quick'
    return workerClass === 'gthread' || threads > 1 ? 'graceful' : 'quick'
  }

  stop(mode: StopMode, cause: string): void {
    // Whoever asks again does not want to wait for the delay.
    if (this.#stopping === mode) this.#drainDelay.end()
    if (this.#stopping === 'quick' || this.#stopping === mode) return
    const delay = mode === 'quick' || this.#drainDelay.isPending ? 0 : this.#delayBefore(cause)
    this.#stopping = mode
    this.#stopRequested.resolve()
    this.events.stopping.publish({ mode, cause })
    this.#drainDelay.begin(delay, () => this.#stopNow(mode, cause))
  }

  /**
   * Has health checks answered with 503, if that is to be known for a while before a stop.
   *
   * @returns how long, in seconds
   */
  #delayBefore(cause: string): number {
    const { drainDelay } = this.#settings
    const serving = this.#drained ? undefined : this.#serving
    if (serving === undefined || drainDelay === 0 || this.#upgrades.sharesSockets) return 0
    serving.notReady()
    this.#log.info(`${cause}: not ready any more, and stopping in ${drainDelay} s (drain_delay)`)
    return drainDelay
  }

  #stopNow(mode: StopMode, cause: string): void {
    const { gracefulTimeout } = this.#settings
    if (this.#serving === undefined || mode === 'quick') {
      this.#log.info(`${cause}: stopping immediately`)
      for (const set of this.#sets) set.kill()
    } else {
      // Then idle connections get one more answer: their clients have another server to go to.
      const replaced = this.#upgrades.sharesSockets || this.#settings.reusePort
      for (const set of this.#sets) set.stop(gracefulTimeout * 1000, replaced)
      // After that: who reads it may count on answers that announce the end of their connection.
      this.#log.info(
        `${cause}: stopping; requests in progress have ${gracefulTimeout} s to finish ` +
          '(graceful_timeout)',
      )
    }
    // New connections are refused from now on, instead of waiting in the kernel for nothing.
    this.#sockets.close()
  }

  reload(cause: string): Promise<ReloadResult> {
    if (this.#stopping !== null)
      return Promise.resolve({ reloaded: false, reason: 'The server is stopping' })
    if (this.#serving === undefined) {
      const reason = 'The server is still starting'
      if (this.#giveUpStart !== null) {
        this.#log.info(`${cause}: starting again`)
        this.#giveUpStart()
        return Promise.resolve({ reloaded: false, reason })
      }
      this.#log.warning(coded('MONO5201', `${cause}: cannot reload. ${reason}; restart it instead`))
      return Promise.resolve({ reloaded: false, reason })
    }
    this.#workersAfterDrain = null
    return this.#reloads.request(cause)
  }

  async #observedReload(cause: string, attempt: ReloadAttempt): Promise<ReloadResult> {
    const { reload } = this.events
    reload.publish({ phase: 'begun', cause })
    const before = this.#serving
    const result = await this.#reloadOnce(cause, attempt)
    if (result.reloaded) {
      reload.publish({ phase: 'done' })
      // Browsers that waited for news from other acceptors come to the new ones, and see.
      if (this.#serving === before) this.#showFailure(null)
    } else if (attempt.abandoned || this.#stopping !== null) {
      reload.publish({ phase: 'abandoned' })
    } else {
      reload.publish({ phase: 'failed', reason: result.reason })
      this.#showFailure(result.reason)
    }
    return result
  }

  /**
   * While the application is broken, requests are answered with the error: who develops it must not
   * see the old one (`--reload`).
   */
  #showFailure(reason: string | null): void {
    if (!this.#settings.reload) return
    this.#serving?.showFailure(reason)
    this.refreshBrowsers({ kind: 'page' })
  }

  refreshBrowsers(change: BrowserChange): void {
    if (this.#settings.reloadBrowser) this.#serving?.refreshBrowsers(++this.#browserVersion, change)
  }

  async #reloadOnce(cause: string, attempt: ReloadAttempt): Promise<ReloadResult> {
    const serving = this.#serving! // `reload` has made sure that there is one
    this.#log.info(`${cause}: reloading`)
    let read: UsedSettings | undefined
    try {
      read = await attempt.unlessAbandoned(this.#readSettings(attempt))
      const next = read ?? { settings: this.#settings, configHost: this.#configHost }
      const { settings } = next
      await this.#drivers.reloading(next, attempt)
      // A module that was imported stays in its process, so a TypeScript application needs new
      // processes.
      const sameSettings = isDeepStrictEqual(settings, this.#settings)
      if (runtimeOf(settings) !== 'node' && sameSettings && !this.#drained)
        await this.#reloadInPlace(serving, attempt)
      else await this.#replace(serving, settings, attempt)
      if (this.#stopping !== null) return { reloaded: false, reason: 'The server is stopping' }
      if (read !== undefined) {
        this.#useConfigHost(read.configHost)
        this.#origins = read.origins
      }
      this.#resetLogLevel()
      this.#generation++
      this.#log.info('Reloaded')
      return { reloaded: true }
    } catch (error) {
      const host = read?.configHost ?? null
      // After the event of the failure, which makes the hooks of before those in force again.
      if (host !== this.#configHost) setImmediate(() => void host?.close())
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#stopping === null && !attempt.abandoned) {
        this.#log.error(coded('MONO5202', reason))
        this.#log.error(
          coded(
            'MONO5202',
            this.#drained
              ? 'Reload failed; nothing serves until another one succeeds'
              : this.#settings.reload
                ? 'Reload failed; answering requests with this error until a change mends it'
                : 'Reload failed; the previous application and settings stay in use',
          ),
        )
      }
      return { reloaded: false, reason }
    }
  }

  async #readSettings(attempt: ReloadAttempt): Promise<UsedSettings | undefined> {
    const { readSettings } = this.#options
    if (readSettings === undefined) return undefined
    const log = this.#log
    const unwanted = new AbortController()
    attempt.ending(() => unwanted.abort())
    try {
      const read = await readWithin(() => readSettings(unwanted.signal, this.#configHost), {
        seconds: this.#settings.loadTimeout,
        pid: this.#host.pid,
        warn: (text) => log.warning(text),
      })
      return asLoaded(read)
    } catch (error) {
      unwanted.abort()
      throw error
    }
  }

  #useConfigHost(next: ConfigHost | null): void {
    const before = this.#configHost
    this.#configHost = next
    if (before !== next) void before?.close()
  }

  async #reloadInPlace(serving: AcceptorSet, attempt: ReloadAttempt): Promise<void> {
    const useCertificates = this.#tls?.read()
    const reloaded = serving.reload()
    attempt.ending(() => serving.abandonReload())
    await reloaded
    useCertificates?.()
  }

  /**
   * Changed settings need new acceptors. They take over when they serve; the old ones finish their
   * requests.
   */
  async #replace(old: AcceptorSet, settings: Settings, attempt: ReloadAttempt): Promise<void> {
    const identity = this.#identify(settings)
    const log = new ErrorLog(errorLogOptions(settings))
    let sockets: ChangedSockets | undefined
    let next: AcceptorSet
    let nextTls: ServedTls | null
    let acceptors: ServingAcceptor[]
    try {
      const tls = await this.#openTls(settings)
      sockets = await this.#sockets.changed(settings, identity)
      if (this.#stopping !== null)
        throw new AcceptorFailure('other', coded('MONO5203', 'The server is stopping'))
      const set = this.#newSet({ settings, identity, listeners: sockets.all, log, tls })
      nextTls = tls
      next = set
      if (this.#workersAfterDrain !== null)
        set.scale(Math.min(this.#workersAfterDrain, set.workers))
      const started = set.start()
      attempt.ending(() => set.kill())
      acceptors = await started
      if (attempt.abandoned) throw new ReloadAbandoned()
      attempt.ending(() => {})
    } catch (error) {
      for (const listener of sockets?.added ?? []) listener.close()
      log.close()
      throw error
    }
    const graceMs = this.#settings.gracefulTimeout * 1000
    const oldLog = this.#log.current
    this.#settings = settings
    this.#identity = identity
    this.#log.current = log
    void this.#endMetrics()
    this.#endMetrics = this.#sendMetrics(next.workers)
    this.#serving = next
    this.#useTls(nextTls, next)
    this.#workersChanged(next.workers, this.#drained ? 0 : old.workers)
    this.#drained = false
    this.#drainDelay.cancel()
    this.#sockets.use(sockets)
    this.#pidfile.moveTo(settings.pidfile)
    this.#showTitle()
    old.stop(graceMs, true)
    void old.gone.then(() => oldLog.close())
    this.#announce(acceptors)
  }

  scale(by: number, cause: string): number | null {
    if (this.#serving === undefined) return null
    return this.scaleTo((this.#drained ? 0 : this.#serving.workers) + by, cause)
  }

  scaleTo(wanted: number, cause: string): number | null {
    if (this.#serving === undefined || this.#stopping !== null) return null
    if (this.#drained) return this.#startAgain(wanted, cause)
    const before = this.#serving.workers
    const workers = this.#serving.scale(wanted)
    this.#workersChanged(workers, before)
    this.#log.info(`${cause}: changing to ${plural(workers, 'worker')}`)
    return workers
  }

  /** After a drain. Like a reload, it can be abandoned, and fail. */
  #startAgain(wanted: number, cause: string): number | null {
    if (wanted < 1) return null
    this.#workersAfterDrain = wanted
    void this.#reloads.request(cause)
    return wanted
  }

  drain(cause: string): void {
    const serving = this.#serving
    if (serving === undefined || this.#stopping !== null || this.#drained) return
    const delay = this.#delayBefore(cause)
    this.#drained = true
    this.#workersChanged(0, serving.workers)
    this.#reloads.cancel()
    this.#drainDelay.begin(delay, () => this.#drainNow(serving, cause))
  }

  #drainNow(serving: AcceptorSet, cause: string): void {
    const { gracefulTimeout } = this.#settings
    this.#log.info(
      `${cause}: stopping the workers; requests in progress have ${gracefulTimeout} s to finish ` +
        '(graceful_timeout). The sockets stay open; SIGHUP starts the workers again',
    )
    serving.stop(gracefulTimeout * 1000, this.#upgrades.sharesSockets)
  }

  async upgrade(cause: string): Promise<UpgradeResult> {
    const reason =
      this.#stopping !== null
        ? 'The server is stopping'
        : this.#serving === undefined
          ? 'The server is still starting'
          : null
    if (reason === null)
      return await this.#upgrades.start(cause, this.#sockets.all, () => this.#drivers.upgrading())
    this.#log.warning(coded('MONO5301', `${cause}: cannot upgrade. ${reason}`))
    return { upgraded: false, reason }
  }

  #workersChanged(workers: number, before: number | null): void {
    const { workersChanged } = this.events
    if (workers !== before && workersChanged.hasListeners)
      workersChanged.publish({ workers, before })
  }

  reopenLogs(cause: string): void {
    this.#log.current.reopen()
    this.#giveLogs(this.#settings, this.#identity)
    for (const set of this.#sets) set.reopenLogs()
    this.#log.info(`${cause}: reopened the log files`)
  }

  async restart(pid: number, cause: string): Promise<boolean> {
    if (this.#stopping !== null || this.#serving === undefined || this.#drained) return false
    const restarts = await this.#serving.restart(pid, `was restarted by ${cause}`)
    if (restarts) this.#log.info(`${cause}: replacing process ${pid}`)
    return restarts
  }

  get logLevel(): LogLevel {
    return this.#log.current.level
  }

  setLogLevel(level: LogLevel, cause: string): LogLevel {
    const before = this.logLevel
    this.#log.info(`${cause}: the level of the error log is ${level}; it was ${before}`)
    this.#logLevel = level
    this.#log.current.level = level
    for (const set of this.#sets) set.setLogLevel(level)
    return before
  }

  #resetLogLevel(): void {
    if (this.#logLevel === null) return
    this.#logLevel = null
    const { logLevel } = this.#settings
    this.#log.current.level = logLevel
    for (const set of this.#sets) set.setLogLevel(logLevel)
  }

  get configuration(): { settings: Settings; origins: Readonly<Record<string, string>> } {
    return { settings: this.#settings, origins: this.#origins }
  }

  get logTail(): LogTail | null {
    return this.#log.tail
  }

  async status(): Promise<ServerStatus> {
    const settings = this.#settings
    const acceptors = await Promise.all([...this.#sets].map((set) => set.status()))
    return {
      version,
      pid: this.#host.pid,
      state: this.state,
      startedAt: this.#startedAt,
      generation: this.#generation,
      application: settings.wsgiApp,
      runtime: runtimeOf(settings),
      config: settings.config,
      addresses: this.#sockets.all.map(addressUrl),
      workers: this.#serving?.workers ?? settings.workers,
      acceptors: acceptors.flat(),
    }
  }

  async ask<Name extends QuestionName>(
    question: Name,
    details: Details<Name>,
    deadlineMs: number,
  ): Promise<readonly AcceptorAnswer<Name>[]> {
    const sets = [...this.#sets]
    const answers = await Promise.all(sets.map((set) => set.ask(question, details, deadlineMs)))
    return answers.flat()
  }

  async #start(): Promise<void> {
    const tls = await this.#openTls(this.#settings)
    if (this.#stopping !== null) return
    const acceptors = this.#newSet({
      tls,
      settings: this.#settings,
      identity: this.#identity,
      listeners: this.#sockets.all,
      log: this.#log.current,
    })
    this.#workersChanged(acceptors.workers, null)
    const serving = await this.#startUnlessChanged(acceptors)
    if (serving === 'changed') {
      acceptors.kill()
      await acceptors.gone
      return await this.#start()
    }
    this.#serving = acceptors
    this.#useTls(tls, acceptors)
    if (this.#stopping !== null) return
    this.#announce(serving)
    const { wsgiApp: application } = this.#settings
    this.events.serving.publish({ application, workers: acceptors.workers })
    const { failure } = serving.find((acceptor) => acceptor.failure !== undefined) ?? {}
    if (failure !== undefined) this.events.reload.publish({ phase: 'failed', reason: failure })
  }

  /** With `--reload`, a load that may never end is given up when a file changes. */
  async #startUnlessChanged(acceptors: AcceptorSet): Promise<ServingAcceptor[] | 'changed'> {
    const starts = acceptors.start()
    if (!this.#settings.reload) return await starts
    starts.catch(() => {})
    const changed = defer<'changed'>()
    this.#giveUpStart = () => changed.resolve('changed')
    try {
      return await Promise.race([starts, changed.promise])
    } finally {
      this.#giveUpStart = null
    }
  }

  #announce(acceptors: readonly ServingAcceptor[]): void {
    // The first has the most workers, so its warnings include those of the others.
    for (const warning of acceptors[0]?.warnings ?? []) this.#log.warning(warning)
    for (const { failure } of acceptors) if (failure !== undefined) this.#log.error(failure)
    const banner = startBanner({
      application: this.#settings.wsgiApp,
      pid: this.#host.pid,
      acceptors,
      listeners: this.#sockets.all,
    })
    for (const line of banner) this.#log.info(line)
    this.#upgrades.serves()
    this.#options.serves?.()
  }

  /** @throws IdentityError */
  #identify(settings: Settings): Identity | null {
    const identity = identityOf(settings)
    if (identity !== null && identity.gid === 0 && settings.group === null) {
      this.#log.warning(
        coded(
          'MONO3107',
          `User ${settings.user} has no group of its own, so the group of its processes is root. ` +
            'Give one with --group.',
        ),
      )
    }
    return identity
  }

  #giveLogs(settings: Settings, identity: Identity | null): void {
    if (identity !== null) giveLogs([settings.errorLogfile, settings.accessLogfile], identity)
  }

  /**
   * Reads the certificates of settings; null if they have none.
   *
   * @throws CertificateError
   */
  async #openTls(settings: Settings): Promise<ServedTls | null> {
    if (!usesTls(settings)) return null
    const { openTls } = await import('./open-tls.ts')
    return await openTls(settings, this.#log, this.#tls)
  }

  #useTls(next: ServedTls | null, acceptors: AcceptorSet): void {
    this.#tls?.close()
    this.#tls = next
    next?.watch((material) => acceptors.useTls(material))
  }

  #newSet(facts: SetFacts): AcceptorSet {
    const { settings, identity, tls } = facts
    this.#giveLogs(settings, identity)
    this.#browserVersion++
    const set = new AcceptorSet({
      ...facts,
      program: this.#program,
      tls: () => tls?.material ?? null,
      events: this.events,
      development: settings.reload
        ? { tolerant: this.#serving === undefined, version: () => this.#browserVersion }
        : null,
      permitWorker: () => this.#permitWorker(),
    })
    this.#sets.add(set)
    void set.gone.then(() => this.#sets.delete(set))
    return set
  }

  async #permitWorker(): Promise<number> {
    const age = ++this.#workersStarted
    await this.#drivers.startingWorker(age)
    return age
  }

  /** Resolves when no set is left, which is after a stop. */
  async #gone(): Promise<void> {
    while (this.#sets.size > 0) await Promise.all([...this.#sets].map((set) => set.gone))
  }

  /** As the settings say. @returns ends it */
  #sendMetrics(workers: number | null): () => Promise<void> {
    return sendArbiterMetrics({
      settings: this.#settings,
      log: this.#log.current,
      events: this.events,
      workers,
      descriptors: () => this.#sockets.all.map(({ fd }) => fd),
    })
  }

  #watchHost(): void {
    this.#host.on('exit', () => this.#leaveNothing())
    this.#host.on('uncaughtException', (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#log.critical(coded('MONO5902', `Bug in the arbiter, please report it: ${text}`))
      this.#leaveNothing()
      this.#host.exit(EXIT.server.INTERNAL_ERROR)
    })
  }

  /** For an end that cannot wait for promises. */
  #leaveNothing(): void {
    for (const set of this.#sets) set.killNow()
    this.#stopRequested.resolve()
    this.#sockets.close()
    this.#pidfile.remove()
  }

  /** Logs why the server could not start, and returns the exit status for that. */
  #explain(error: unknown): number {
    if (!isStartFailure(error)) throw error
    this.#log.error(error.message)
    // If the log is a file, the terminal would show nothing. A daemon has no terminal.
    const { stderr = process.stderr } = this.#options
    if (this.#settings.errorLogfile !== '-' || stderr !== process.stderr)
      stderr.write(`monoceros: ${error.message}\n`)
    return statusOf(error)
  }
}
