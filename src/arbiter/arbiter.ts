/**
 * The process at the top: it holds the listening sockets, keeps the acceptors running, and carries
 * out the actions that its drivers decide on. It never sees a request.
 */
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import type { ConfigHost } from '../config/config-host.ts'
import type { LoadedSettings } from '../config/load-settings.ts'
import { ErrorLog, type ErrorLogOptions } from '../logging/error-log.ts'
import { LogFileError } from '../logging/log-file.ts'
import { ArbiterEvents } from '../observe/arbiter-events.ts'
import { EXIT } from '../process/exit-status.ts'
import type { HostProcess } from '../process/host-process.ts'
import { formatBindAddress } from '../settings/bind-address.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { AcceptorFailure } from './acceptor-exit.ts'
import { AcceptorSet } from './acceptor-set.ts'
import type {
  ArbiterActions,
  ArbiterDriver,
  DriverLog,
  ReloadResult,
  ServerState,
  ServerStatus,
  StopMode,
} from './actions.ts'
import { SignalDriver } from './drivers/signals.ts'
import { addressUrl, ListenError, type ListeningSocket, listenAt } from './listeners.ts'
import { Pidfile, PidfileError } from './pidfile.ts'
import { ReloadAbandoned, type ReloadAttempt } from './reload-attempt.ts'
import { Reloads } from './reloads.ts'
import { readWithin } from './settings-deadline.ts'
import { plural, type ServingAcceptor, startBanner } from './start-banner.ts'

/** Settings, alone or as `loadSettings` returns them: with the hooks of the config file. */
export type GivenSettings = Settings | LoadedSettings

export interface ArbiterOptions {
  /**
   * Loads the settings again, for a reload; without it, a reload loads the application only. If it
   * rejects, the message goes to the log. The signal is aborted when they are not wanted any more.
   */
  readSettings?: (signal: AbortSignal) => Promise<GivenSettings>
  /** The path of the acceptor's program. */
  acceptorProgram?: string
  host?: HostProcess
  /** Who decides on the server; by default the signals of `host`. */
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
    return await new Arbiter(loaded, options, new ErrorLog(errorLog)).run()
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error
    process.stderr.write(`monoceros: ${error.message}\n`)
    return EXIT.server.FAILED
  }
}

/** What the arbiter uses of loaded settings. */
type UsedSettings = Pick<LoadedSettings, 'settings' | 'configuration' | 'configHost'>

function asLoaded(given: GivenSettings): UsedSettings {
  if ('configHost' in given) return given
  return { settings: given, configuration: null, configHost: null }
}

class Arbiter implements ArbiterActions {
  readonly events = new ArbiterEvents((topic, error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log.error(`A listener of ${topic} failed: ${text}`)
  })
  readonly #options: ArbiterOptions
  readonly #host: HostProcess
  readonly #drivers: readonly ArbiterDriver[]
  readonly #program: string
  readonly #startedAt = Date.now()
  /** All that have processes: the one that serves, those it has replaced, and its successor. */
  readonly #sets = new Set<AcceptorSet>()
  #settings: Settings
  /** What the settings were read from, for the log. */
  readonly #configuration: string | null
  /** Runs the hooks of the settings that serve, if there are any. */
  #configHost: ConfigHost | null
  #log: ErrorLog
  #listeners: readonly ListeningSocket[] = []
  #pidfile: Pidfile | undefined
  #serving: AcceptorSet | undefined
  #generation = 1
  #stopping: StopMode | null = null
  readonly #reloads = new Reloads({
    attempt: (cause, attempt) => this.#observedReload(cause, attempt),
    abandoned: (cause) =>
      this.#log.info(`${cause}: abandoning the reload in progress, to begin again`),
    stopping: () => this.#stopping !== null,
  })

  constructor(loaded: UsedSettings, options: ArbiterOptions, log: ErrorLog) {
    this.#settings = loaded.settings
    this.#configuration = loaded.configuration
    this.#configHost = loaded.configHost
    this.#options = options
    this.#host = options.host ?? process
    this.#drivers = options.drivers ?? [new SignalDriver(this.#host)]
    this.#program = options.acceptorProgram ?? defaultProgram()
    this.#log = log
  }

  async run(): Promise<number> {
    this.#log.info(`Starting monoceros ${version}`)
    if (this.#configuration !== null) this.#log.info(`Configuration: ${this.#configuration}`)
    this.#watchHost()
    const drivers: ArbiterDriver[] = []
    try {
      for (const driver of this.#drivers) {
        drivers.push(driver)
        await driver.start(this, this.#driverLog())
      }
      const { pidfile, bind, backlog } = this.#settings
      if (pidfile !== null) this.#pidfile = new Pidfile(pidfile, this.#host.pid)
      this.#listeners = await listenAt(bind, backlog)
      if (this.#stopping === null) await this.#start()
      await this.#gone()
      this.#log.info('Stopped')
      return EXIT.server.STOPPED
    } catch (error) {
      // It could not start because it was stopped meanwhile.
      if (this.#stopping !== null && error instanceof AcceptorFailure) return EXIT.server.STOPPED
      return this.#explain(error)
    } finally {
      for (const driver of drivers) await driver.end?.()
      for (const listener of this.#listeners) listener.close()
      this.#pidfile?.remove()
      await this.#configHost?.close()
    }
  }

  get state(): ServerState {
    if (this.#stopping !== null) return 'stopping'
    if (this.#serving === undefined) return 'starting'
    return this.#reloads.inProgress ? 'reloading' : 'serving'
  }

  stop(mode: StopMode, cause: string): void {
    if (this.#stopping === 'quick' || this.#stopping === mode) return
    this.#stopping = mode
    const { gracefulTimeout } = this.#settings
    if (this.#serving === undefined || mode === 'quick') {
      this.#log.info(`${cause}: stopping immediately`)
      for (const set of this.#sets) set.kill()
    } else {
      this.#log.info(
        `${cause}: stopping; requests in progress have ${gracefulTimeout} s to finish ` +
          '(graceful_timeout)',
      )
      for (const set of this.#sets) set.stop(gracefulTimeout * 1000)
    }
    // New connections are refused from now on, instead of waiting in the kernel for nothing.
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
  }

  reload(cause: string): Promise<ReloadResult> {
    if (this.#stopping !== null)
      return Promise.resolve({ reloaded: false, reason: 'The server is stopping' })
    if (this.#serving === undefined) {
      const reason = 'The server is still starting'
      this.#log.warning(`${cause}: cannot reload. ${reason}; restart it instead`)
      return Promise.resolve({ reloaded: false, reason })
    }
    return this.#reloads.request(cause)
  }

  async #observedReload(cause: string, attempt: ReloadAttempt): Promise<ReloadResult> {
    const { reload } = this.events
    reload.publish({ phase: 'begun' })
    const result = await this.#reloadOnce(cause, attempt)
    if (result.reloaded) reload.publish({ phase: 'done' })
    else if (attempt.abandoned || this.#stopping !== null) reload.publish({ phase: 'abandoned' })
    else reload.publish({ phase: 'failed', reason: result.reason })
    return result
  }

  async #reloadOnce(cause: string, attempt: ReloadAttempt): Promise<ReloadResult> {
    const serving = this.#serving! // `reload` has made sure that there is one
    this.#log.info(`${cause}: reloading`)
    let read: UsedSettings | undefined
    try {
      read = await attempt.unlessAbandoned(this.#readSettings(attempt))
      const { settings } = read ?? { settings: this.#settings }
      // A module that was imported stays in its process, so a TypeScript application needs new
      // processes.
      if (runtimeOf(settings) !== 'node' && isDeepStrictEqual(settings, this.#settings))
        await this.#reloadInPlace(serving, attempt)
      else await this.#replace(serving, settings, attempt)
      if (this.#stopping !== null) return { reloaded: false, reason: 'The server is stopping' }
      if (read !== undefined) this.#useConfigHost(read.configHost)
      this.#generation++
      this.#log.info('Reloaded')
      return { reloaded: true }
    } catch (error) {
      if (read !== undefined && read.configHost !== this.#configHost) void read.configHost?.close()
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#stopping === null && !attempt.abandoned) {
        this.#log.error(reason)
        this.#log.error('Reload failed; the previous application and settings stay in use')
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
      const read = await readWithin(() => readSettings(unwanted.signal), {
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
    const reloaded = serving.reload()
    attempt.ending(() => serving.abandonReload())
    await reloaded
  }

  /**
   * Changed settings need new acceptors. They take over when they serve; the old ones finish their
   * requests.
   */
  async #replace(old: AcceptorSet, settings: Settings, attempt: ReloadAttempt): Promise<void> {
    const wanted = new Set(settings.bind.map(formatBindAddress))
    const kept = this.#listeners.filter((listener) => wanted.has(listener.requested))
    const held = new Set(kept.map((listener) => listener.requested))
    const log = new ErrorLog(errorLogOptions(settings))
    let added: ListeningSocket[] = []
    let next: AcceptorSet
    let acceptors: ServingAcceptor[]
    try {
      added = await listenAt(
        settings.bind.filter((address) => !held.has(formatBindAddress(address))),
        settings.backlog,
      )
      if (this.#stopping !== null) throw new AcceptorFailure('other', 'The server is stopping')
      const set = this.#newSet(settings, [...kept, ...added], log)
      next = set
      const started = set.start()
      attempt.ending(() => set.kill())
      acceptors = await started
      if (attempt.abandoned) throw new ReloadAbandoned()
      attempt.ending(() => {})
    } catch (error) {
      for (const listener of added) listener.close()
      log.close()
      throw error
    }
    const dropped = this.#listeners.filter((listener) => !kept.includes(listener))
    const graceMs = this.#settings.gracefulTimeout * 1000
    const oldLog = this.#log
    this.#settings = settings
    this.#log = log
    this.#serving = next
    this.#workersChanged(next.workers, old.workers)
    this.#listeners = [...kept, ...added]
    for (const listener of dropped) listener.close()
    old.stop(graceMs, true)
    void old.gone.then(() => oldLog.close())
    this.#announce(acceptors)
  }

  scale(by: number, cause: string): number | null {
    if (this.#serving === undefined || this.#stopping !== null) return null
    const before = this.#serving.workers
    const workers = this.#serving.scale(before + by)
    this.#workersChanged(workers, before)
    this.#log.info(`${cause}: changing to ${plural(workers, 'worker')}`)
    return workers
  }

  #workersChanged(workers: number, before: number | null): void {
    const { workersChanged } = this.events
    if (workers !== before && workersChanged.hasListeners)
      workersChanged.publish({ workers, before })
  }

  reopenLogs(cause: string): void {
    this.#log.reopen()
    for (const set of this.#sets) set.reopenLogs()
    this.#log.info(`${cause}: reopened the log files`)
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
      addresses: this.#listeners.map(({ address }) => addressUrl(address)),
      workers: this.#serving?.workers ?? settings.workers,
      acceptors: acceptors.flat(),
    }
  }

  async #start(): Promise<void> {
    const acceptors = this.#newSet(this.#settings, this.#listeners, this.#log)
    this.#workersChanged(acceptors.workers, null)
    const serving = await acceptors.start()
    this.#serving = acceptors
    if (this.#stopping === null) this.#announce(serving)
  }

  #announce(acceptors: readonly ServingAcceptor[]): void {
    // The first has the most workers, so its warnings include those of the others.
    for (const warning of acceptors[0]?.warnings ?? []) this.#log.warning(warning)
    const banner = startBanner({
      application: this.#settings.wsgiApp,
      pid: this.#host.pid,
      acceptors,
      listeners: this.#listeners,
    })
    for (const line of banner) this.#log.info(line)
  }

  #newSet(settings: Settings, listeners: readonly ListeningSocket[], log: ErrorLog): AcceptorSet {
    const set = new AcceptorSet({
      program: this.#program,
      settings,
      listeners,
      log,
      events: this.events,
    })
    this.#sets.add(set)
    void set.gone.then(() => this.#sets.delete(set))
    return set
  }

  /** Resolves when no set is left, which is after a stop. */
  async #gone(): Promise<void> {
    while (this.#sets.size > 0) await Promise.all([...this.#sets].map((set) => set.gone))
  }

  #driverLog(): DriverLog {
    return {
      info: (text) => this.#log.info(text),
      warning: (text) => this.#log.warning(text),
    }
  }

  #watchHost(): void {
    this.#host.on('exit', () => this.#leaveNothing())
    this.#host.on('uncaughtException', (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#log.critical(`Bug in the arbiter, please report it: ${text}`)
      this.#leaveNothing()
      this.#host.exit(EXIT.server.INTERNAL_ERROR)
    })
  }

  /** For an end that cannot wait for promises. */
  #leaveNothing(): void {
    for (const set of this.#sets) set.killNow()
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
    this.#pidfile?.remove()
  }

  /** Logs why the server could not start, and returns the exit status for that. */
  #explain(error: unknown): number {
    const known =
      error instanceof ListenError ||
      error instanceof PidfileError ||
      error instanceof AcceptorFailure
    if (!known) throw error
    this.#log.error(error.message)
    // If the log is a file, the terminal would show nothing.
    if (this.#settings.errorLogfile !== '-') process.stderr.write(`monoceros: ${error.message}\n`)
    return error.code === 'application-load' ? EXIT.server.NOT_LOADED : EXIT.server.FAILED
  }
}

function errorLogOptions({ errorLogfile, logLevel }: Settings): ErrorLogOptions {
  return { file: errorLogfile, level: logLevel }
}

/** Always the compiled program, also from src/arbiter: Node cannot run the sources. */
function defaultProgram(): string {
  const compiled = import.meta.url.endsWith('.ts')
    ? '../../dist/acceptor/process.js'
    : '../acceptor/process.js'
  return fileURLToPath(new URL(compiled, import.meta.url))
}
