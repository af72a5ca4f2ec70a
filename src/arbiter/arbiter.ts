/**
 * The process at the top: holds the listening sockets, obeys signals and keeps the acceptors alive.
 * It never sees a request.
 */
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { ErrorLog, type ErrorLogOptions } from '../logging/error-log.ts'
import { LogFileError } from '../logging/log-file.ts'
import { EXIT } from '../process/exit-status.ts'
import type { HostProcess } from '../process/host-process.ts'
import { LoadWatch, type Whereabouts } from '../runtimes/load-watch.ts'
import { formatBindAddress } from '../settings/bind-address.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { AcceptorFailure } from './acceptor-child.ts'
import { AcceptorSet, describeAcceptor, type ServingAcceptor } from './acceptor-set.ts'
import { addressUrl, ListenError, type Listener, listenAt } from './listeners.ts'
import { Pidfile, PidfileError } from './pidfile.ts'
import { ReloadAbandoned, ReloadAttempt } from './reload-attempt.ts'

export interface ArbiterOptions {
  /**
   * Reads the settings anew, for HUP; without it HUP reloads the application only. Its error's
   * message goes to the log.
   */
  readSettings?: () => Promise<Settings>
  /** The path of the acceptor's program. */
  acceptorProgram?: string
  host?: HostProcess
}

/** All else of reading the settings takes no time. */
const waitingConfigFile: Whereabouts = {
  text: 'A config file in JavaScript waits in a top-level await that has not ended.',
  isStack: false,
}

/**
 * Serves with these settings until a signal says otherwise; resolves with the status to exit with,
 * when every process it started is gone.
 *
 * | signal | effect |
 * |---|---|
 * | TERM, INT | stop: what is in flight finishes, for at most `graceful_timeout` |
 * | a second INT, QUIT | stop at once |
 * | HUP | read the settings and load the application anew; new workers first. A reload that has not finished is given up |
 * | USR1 | open the log files anew |
 * | TTIN, TTOU | one worker more, one less |
 *
 * Errors that are the user's to solve are logged, not thrown.
 */
export async function runArbiter(
  settings: Settings,
  options: ArbiterOptions = {},
): Promise<number> {
  const errorLog = errorLogOptions(settings)
  try {
    return await new Arbiter(settings, options, new ErrorLog(errorLog)).run()
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error
    process.stderr.write(`monoceros: ${error.message}\n`)
    return EXIT.server.FAILED
  }
}

class Arbiter {
  readonly #options: ArbiterOptions
  readonly #host: HostProcess
  readonly #program: string
  /**
   * All that have processes: the one that serves, and those that a reload has replaced or is about
   * to put in its place.
   */
  readonly #sets = new Set<AcceptorSet>()
  #settings: Settings
  #log: ErrorLog
  #listeners: readonly Listener[] = []
  #pidfile: Pidfile | undefined
  #serving: AcceptorSet | undefined
  #stopping: 'no' | 'gracefully' | 'at once' = 'no'
  #reloading: ReloadAttempt | null = null

  constructor(settings: Settings, options: ArbiterOptions, log: ErrorLog) {
    this.#settings = settings
    this.#options = options
    this.#host = options.host ?? process
    this.#program = options.acceptorProgram ?? defaultProgram()
    this.#log = log
  }

  async run(): Promise<number> {
    this.#log.info(`Starting monoceros ${version}`)
    this.#obeySignals()
    try {
      const { pidfile, bind, backlog } = this.#settings
      if (pidfile !== null) this.#pidfile = new Pidfile(pidfile, this.#host.pid)
      this.#listeners = await listenAt(bind, backlog)
      if (this.#stopping === 'no') await this.#start()
      await this.#gone()
      this.#log.info('Stopped')
      return EXIT.server.STOPPED
    } catch (error) {
      // Told to stop while it was starting: that is why it could not.
      if (this.#stopping !== 'no' && error instanceof AcceptorFailure) return EXIT.server.STOPPED
      return this.#explain(error)
    } finally {
      for (const listener of this.#listeners) listener.close()
      this.#pidfile?.remove()
    }
  }

  async #start(): Promise<void> {
    const acceptors = this.#newSet(this.#settings, this.#listeners, this.#log)
    const serving = await acceptors.start()
    this.#serving = acceptors
    if (this.#stopping === 'no') this.#announce(serving)
  }

  /** The listening lines come last: people and programs wait for them. */
  #announce(serving: readonly ServingAcceptor[]): void {
    const { wsgiApp } = this.#settings
    // The first has the most workers, so that what is scarce is scarcest there.
    for (const warning of serving[0]?.warnings ?? []) this.#log.warning(warning)
    const worker = serving[0]?.workers[0]
    const threads = serving[0]?.threads ?? null
    const each = threads === null ? '' : `, ${plural(threads, 'thread')} each`
    const count = serving.reduce((sum, acceptor) => sum + acceptor.workers.length, 0)
    this.#log.info(
      worker === undefined
        ? `Serving ${wsgiApp} with ${plural(serving.length, 'worker')}, Node.js ${process.versions.node}`
        : `Serving ${wsgiApp} with ${plural(count, 'worker')}${each}, ` +
            `${worker.implementation} ${worker.python} (${serving[0]?.interpreter})`,
    )
    for (const acceptor of serving) this.#log.info(describeAcceptor(acceptor))
    for (const { address } of this.#listeners) {
      this.#log.info(`Listening at ${addressUrl(address)} (${this.#host.pid})`)
    }
  }

  #newSet(settings: Settings, listeners: readonly Listener[], log: ErrorLog): AcceptorSet {
    const set = new AcceptorSet({ program: this.#program, settings, listeners, log })
    this.#sets.add(set)
    void set.gone.then(() => this.#sets.delete(set))
    return set
  }

  /** Resolves when no set is left; they go when the arbiter is told to stop. */
  async #gone(): Promise<void> {
    while (this.#sets.size > 0) await Promise.all([...this.#sets].map((set) => set.gone))
  }

  #obeySignals(): void {
    const host = this.#host
    host.on('SIGTERM', () => this.#stop('SIGTERM', 'gracefully'))
    host.on('SIGINT', () =>
      this.#stop('SIGINT', this.#stopping === 'no' ? 'gracefully' : 'at once'),
    )
    host.on('SIGQUIT', () => this.#stop('SIGQUIT', 'at once'))
    host.on('SIGHUP', () => void this.#reload())
    host.on('SIGUSR1', () => this.#reopenLogs())
    host.on('SIGUSR2', () =>
      this.#log.warning(
        'SIGUSR2 (upgrade on the fly) is not supported: send HUP to reload, or start anew',
      ),
    )
    host.on('SIGTTIN', () => this.#scale(1))
    host.on('SIGTTOU', () => this.#scale(-1))
    host.on('exit', () => this.#leaveNothing())
    host.on('uncaughtException', (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#log.critical(`Mistake in the arbiter, please report it: ${text}`)
      this.#leaveNothing()
      host.exit(EXIT.server.INTERNAL_ERROR)
    })
  }

  #stop(signal: string, how: 'gracefully' | 'at once'): void {
    if (this.#stopping === 'at once' || this.#stopping === how) return
    this.#stopping = how
    const { gracefulTimeout } = this.#settings
    if (this.#serving === undefined || how === 'at once') {
      this.#log.info(`${signal}: stopping at once`)
      for (const set of this.#sets) set.kill()
    } else {
      this.#log.info(`${signal}: stopping; what is in flight has ${gracefulTimeout} s to finish`)
      for (const set of this.#sets) set.stop(gracefulTimeout * 1000)
    }
    // Whoever comes now is refused, not left waiting for nobody.
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
  }

  async #reload(): Promise<void> {
    if (this.#stopping !== 'no') return
    if (this.#serving === undefined) {
      this.#log.warning(
        'SIGHUP: nothing to reload, the server is still starting; stop it to start anew',
      )
      return
    }
    if (this.#reloading !== null) {
      // Its load may never end, and what it loads is not the newest any more.
      if (!this.#reloading.abandoned)
        this.#log.info('SIGHUP: giving up the reload that has not finished')
      this.#reloading.abandon()
      return
    }
    let attempt: ReloadAttempt
    do {
      attempt = new ReloadAttempt()
      this.#reloading = attempt
      await this.#reloadOnce(this.#serving, attempt)
    } while (attempt.abandoned && this.#stopping === 'no')
    this.#reloading = null
  }

  async #reloadOnce(serving: AcceptorSet, attempt: ReloadAttempt): Promise<void> {
    this.#log.info('SIGHUP: reloading')
    try {
      const settings = (await attempt.unlessAbandoned(this.#readSettings())) ?? this.#settings
      // What has been imported stays in its process, so an application in TypeScript needs new
      // ones.
      const inPlace = runtimeOf(settings) !== 'node' && isDeepStrictEqual(settings, this.#settings)
      if (inPlace) await this.#reloadInPlace(serving, attempt)
      else await this.#replace(serving, settings, attempt)
      if (this.#stopping === 'no') this.#log.info('Reloaded')
    } catch (error) {
      if (this.#stopping !== 'no' || attempt.abandoned) return
      this.#log.error(error instanceof Error ? error.message : String(error))
      this.#log.error('Not reloaded; what served before goes on')
    }
  }

  async #readSettings(): Promise<Settings | undefined> {
    const { readSettings } = this.#options
    if (readSettings === undefined) return undefined
    let end = () => {}
    const late = new Promise<never>((_, reject) => {
      const log = this.#log
      end = new LoadWatch({
        application: 'the settings',
        timeout: this.#settings.loadTimeout,
        warn: (text) => log.warning(text),
      }).begin({
        name: 'The arbiter',
        pid: this.#host.pid,
        where: () => Promise.resolve(waitingConfigFile),
        giveUp: (text) => reject(new Error(text)),
      })
    })
    try {
      return await Promise.race([readSettings(), late])
    } finally {
      end()
    }
  }

  async #reloadInPlace(serving: AcceptorSet, attempt: ReloadAttempt): Promise<void> {
    const reloaded = serving.reload()
    attempt.ending(() => serving.abandonReload())
    await reloaded
  }

  /**
   * Changed settings need new acceptors. They take over when they serve; from the old ones, what is
   * in flight leaves in peace.
   */
  async #replace(old: AcceptorSet, settings: Settings, attempt: ReloadAttempt): Promise<void> {
    const wanted = new Set(settings.bind.map(formatBindAddress))
    const kept = this.#listeners.filter((listener) => wanted.has(listener.requested))
    const held = new Set(kept.map((listener) => listener.requested))
    const log = new ErrorLog(errorLogOptions(settings))
    let added: Listener[] = []
    let next: AcceptorSet
    let acceptors: ServingAcceptor[]
    try {
      added = await listenAt(
        settings.bind.filter((address) => !held.has(formatBindAddress(address))),
        settings.backlog,
      )
      if (this.#stopping !== 'no') throw new AcceptorFailure('other', 'Told to stop')
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
    this.#listeners = [...kept, ...added]
    for (const listener of dropped) listener.close()
    old.stop(graceMs, true)
    void old.gone.then(() => oldLog.close())
    this.#announce(acceptors)
  }

  #reopenLogs(): void {
    this.#log.reopen()
    for (const set of this.#sets) set.reopenLogs()
    this.#log.info('SIGUSR1: opened the log files anew')
  }

  #scale(by: number): void {
    if (this.#serving === undefined || this.#stopping !== 'no') return
    const workers = this.#serving.scale(this.#serving.workers + by)
    this.#log.info(`${by > 0 ? 'SIGTTIN' : 'SIGTTOU'}: ${plural(workers, 'worker')}`)
  }

  /** For an end that does not wait for promises. */
  #leaveNothing(): void {
    for (const set of this.#sets) set.killNow()
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
    this.#pidfile?.remove()
  }

  /** Logs why it could not start, and returns the exit status for it. */
  #explain(error: unknown): number {
    const known =
      error instanceof ListenError ||
      error instanceof PidfileError ||
      error instanceof AcceptorFailure
    if (!known) throw error
    this.#log.error(error.message)
    // With a log file, whoever typed the command would see nothing.
    if (this.#settings.errorLogfile !== '-') process.stderr.write(`monoceros: ${error.message}\n`)
    return error.code === 'application-load' ? EXIT.server.NOT_LOADED : EXIT.server.FAILED
  }
}

function errorLogOptions({ errorLogfile, logLevel }: Settings): ErrorLogOptions {
  return { file: errorLogfile, level: logLevel }
}

/**
 * From dist/arbiter, its neighbour in dist/acceptor; from src/arbiter, which Node cannot run, the
 * compiled one too.
 */
function defaultProgram(): string {
  const compiled = import.meta.url.endsWith('.ts')
    ? '../../dist/acceptor/process.js'
    : '../acceptor/process.js'
  return fileURLToPath(new URL(compiled, import.meta.url))
}

/** @example plural(2, 'worker') // '2 workers' */
function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
