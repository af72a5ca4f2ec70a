/**
 * The process around an acceptor: it turns the arbiter's messages and signals into calls of an
 * `Acceptor`, and the acceptor's end into a message and an exit status (`EXIT.acceptor`).
 */
import { rmSync } from 'node:fs'
import type { Dropped } from '../edge/cache/shared-drops.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { type Coded, coded } from '../messages/coded.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import { EXIT } from '../process/exit-status.ts'
import type { HostProcess } from '../process/host-process.ts'
import type { SharedAnswer } from '../rate-limit/shared-buckets.ts'
import { errorLogOptions } from '../settings/log-options.ts'
import { hasPythonHooks } from '../settings/python-configuration.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { failureText } from '../wsgi/failure.ts'
import type {
  BrowserChange,
  FailureKind,
  FromAcceptor,
  ReadyReport,
  StartMessage,
  ToAcceptor,
  WorkerEvent,
} from './messages.ts'
import type { Answers } from './questions.ts'

/** What this process calls of an acceptor. */
export interface AcceptorControls {
  start(): Promise<ReadyReport>
  reload(): Promise<void>
  /** Ends a reload that is in progress; its promise is rejected. */
  abandonReload(): void
  scale(workers: number): void
  /** Its answers to the arbiter's questions. */
  readonly answers: Answers
  /**
   * @param replaced another acceptor serves already, so idle connections may stay for one more
   * request
   */
  stop(graceTimeoutMs: number, replaced: boolean): Promise<void>
  /** Answers health checks with 503 from now on (`health_path`). */
  notReady(): void
  /** Answers requests with this error, or with the application again if it is null. */
  showFailure(text: string | null): void
  /** Has the pages that are open in browsers refreshed. */
  refreshBrowsers(version: number, change: BrowserChange): void
  /** Ends the workers, those that are idle in good order; after `graceMs` it kills them. */
  endWorkers(graceMs: number): Promise<void>
  /** Closes idle connections that may still stay after {@link stop}. */
  closeIdle(): void
  kill(): void
  reopenLogs(): void
  /** Drops responses from the cache, as another acceptor has. */
  dropCached(dropped: Dropped): void
  /** Has new connections use these certificates. */
  useTls(material: TlsMaterial): void
}

/** The process that an acceptor runs in: a child of the arbiter, with a channel to it. */
export interface AcceptorHost extends HostProcess {
  send?: ((message: FromAcceptor, callback: (error: Error | null) => void) => unknown) | undefined
  disconnect?: (() => void) | undefined
  kill(pid: number, signal: NodeJS.Signals): unknown
}

/** What an acceptor tells the arbiter by itself. */
export interface ArbiterLink {
  /** Asks for this process to be replaced. */
  retire(): void
  /** Passes on what happens to a worker. */
  workerEvent(event: WorkerEvent): void
  /** The application has loaded these files. */
  filesLoaded(files: readonly string[]): void
  /**
   * Runs the hooks of the server that come before a worker. Resolves with the age of the new
   * worker: how many the server has started with it.
   *
   * @throws Error if a hook raises
   */
  workerWanted(): Promise<number>
  /** Has the requests of these clients counted; see `AskShared`. */
  takeTokens(keys: readonly string[]): Promise<readonly SharedAnswer[]>
  /** Tells what this process has counted; only with `metrics_bind`. */
  counted(snapshot: Snapshot): void
  /** Has the other acceptors drop these responses from their caches. */
  cacheDropped(dropped: Dropped): void
}

/** Makes the acceptor of a process. */
export type CreateAcceptor = (
  start: StartMessage,
  log: ErrorLog,
  arbiter: ArbiterLink,
) => AcceptorControls

/** How long after `graceful_timeout` a stop ends by force, in milliseconds. */
const OVERRUN_MS = 1000

/** How long workers with hooks have at a quick end. The arbiter waits for half a second. */
const QUIT_MS = 300

/** How many uncaught errors are logged of an application that is already being replaced. */
const LATE_ERRORS_LOGGED = 10

/** The arbiter decides on these; a terminal or a service manager may send them to acceptors too. */
const IGNORED_SIGNALS = ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/**
 * Obeys the arbiter at the other end of the IPC channel until it is told to leave. It also leaves
 *
 * - on SIGTERM: it sends `leaving` and stops gracefully; the arbiter replaces it;
 * - when the channel closes, because the arbiter is gone: it stops gracefully and removes its
 *   temporary directory.
 */
export function runAcceptorProcess(host: AcceptorHost, create: CreateAcceptor): void {
  new AcceptorProcess(host, create).listen()
}

class AcceptorProcess {
  readonly #host: AcceptorHost
  readonly #create: CreateAcceptor
  #start: StartMessage | undefined
  #log: ErrorLog | undefined
  #acceptor: AcceptorControls | undefined
  #overdue: NodeJS.Timeout | undefined
  #serving = false
  #stopping = false
  #exiting = false
  #lateErrors = 0
  #orphaned = false
  /** Workers for which the arbiter was asked, and who waits for its answer. */
  readonly #wanted = new Map<number, { resolve(age: number): void; reject(error: Error): void }>()
  #wantedWorkers = 0
  /** Questions about the rate limit that the arbiter has not answered. */
  readonly #asked = new Map<number, { resolve(answers: readonly SharedAnswer[]): void }>()
  #questions = 0
  readonly #sendToArbiter: NonNullable<AcceptorHost['send']> | undefined

  constructor(host: AcceptorHost, create: CreateAcceptor) {
    this.#host = host
    this.#sendToArbiter = host.send?.bind(host)
    this.#create = create
  }

  listen(): void {
    const host = this.#host
    host.on('uncaughtException', (error: unknown) => this.#onUncaught(error))
    for (const signal of IGNORED_SIGNALS) host.on(signal, () => {})
    host.on('SIGTERM', () => this.#leave())
    host.on('message', (message: ToAcceptor) => this.#onMessage(message))
    host.on('disconnect', () => this.#onDisconnect())
  }

  #onMessage(message: ToAcceptor): void {
    switch (message.type) {
      case 'start':
        void this.#begin(message)
        break
      case 'reload':
        void this.#reload()
        break
      case 'abandon-reload':
        this.#acceptor?.abandonReload()
        break
      case 'scale':
        this.#acceptor?.scale(message.workers)
        break
      case 'ask':
        void this.#answer(message)
        break
      case 'show-failure':
        this.#acceptor?.showFailure(message.text)
        break
      case 'refresh-browsers':
        this.#acceptor?.refreshBrowsers(message.version, message.change)
        break
      case 'worker-permitted':
        this.#wanted.get(message.id)?.resolve(message.age)
        this.#wanted.delete(message.id)
        break
      case 'worker-refused':
        this.#wanted.get(message.id)?.reject(new Error(message.text))
        this.#wanted.delete(message.id)
        break
      case 'tls':
        this.#acceptor?.useTls(message.material)
        break
      case 'tokens':
        this.#asked.get(message.id)?.resolve(message.answers)
        this.#asked.delete(message.id)
        break
      case 'drop-cached':
        this.#acceptor?.dropCached(message.dropped)
        break
      case 'reopen-logs':
        this.#log?.reopen()
        this.#acceptor?.reopenLogs()
        break
      case 'not-ready':
        this.#acceptor?.notReady()
        break
      case 'stop':
        if (this.#stopping && !message.replaced) this.#acceptor?.closeIdle()
        void this.#stop(message.graceTimeoutMs, message.replaced)
        break
      case 'kill':
        void this.#quit()
    }
  }

  async #begin(start: StartMessage): Promise<void> {
    this.#start = start
    try {
      this.#log = new ErrorLog(errorLogOptions(start.settings))
      if (this.#runsApplication) this.#hideChannel()
      this.#acceptor = this.#create(start, this.#log, {
        retire: () => this.#send({ type: 'retiring' }),
        workerEvent: (event) => this.#send({ type: 'worker-event', event }),
        filesLoaded: (files) => this.#send({ type: 'files-loaded', files }),
        workerWanted: () => this.#askForWorker(),
        takeTokens: (keys) => this.#askForTokens(keys),
        counted: (snapshot) => this.#send({ type: 'counted', snapshot }),
        cacheDropped: (dropped) => this.#send({ type: 'cache-dropped', dropped }),
      })
      const ready = await this.#acceptor.start()
      if (this.#stopping) return
      this.#serving = true
      this.#send({ type: 'ready', ready })
      if (this.#runsApplication) this.#sendSignsOfLife(start.settings)
    } catch (error) {
      if (this.#stopping) return
      this.#stopping = true
      this.#acceptor?.kill()
      this.#send({ type: 'failed', ...failureOf(error) }, () => this.#exit(EXIT.acceptor.FAILED))
    }
  }

  async #answer({ id, question, details }: ToAcceptor & { type: 'ask' }): Promise<void> {
    try {
      if (this.#acceptor === undefined) throw new Error('it is still starting')
      // Its name gives the type of its details.
      const answer = this.#acceptor.answers[question] as (given: unknown) => unknown
      this.#send({ type: 'answer', id, answer: await answer(details) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#send({ type: 'no-answer', id, reason })
    }
  }

  #askForWorker(): Promise<number> {
    const id = ++this.#wantedWorkers
    return new Promise((resolve, reject) => {
      this.#wanted.set(id, { resolve, reject })
      this.#send({ type: 'worker-wanted', id })
    })
  }

  #askForTokens(keys: readonly string[]): Promise<readonly SharedAnswer[]> {
    if (this.#orphaned) return Promise.resolve([])
    const id = ++this.#questions
    return new Promise((resolve) => {
      this.#asked.set(id, { resolve })
      this.#send({ type: 'take-tokens', id, keys })
    })
  }

  /** The application runs in this process, so its uncaught errors arrive here. */
  get #runsApplication(): boolean {
    return this.#start !== undefined && runtimeOf(this.#start.settings) === 'node'
  }

  /**
   * Hides the channel from the application: some libraries send a message to their parent if there
   * is `process.send`, and that would reach the arbiter.
   */
  #hideChannel(): void {
    this.#host.send = undefined
    this.#host.disconnect = undefined
  }

  /** Four times in the shorter of the times after which the arbiter misses them. */
  #sendSignsOfLife({ timeout, slowRequest }: Settings): void {
    const seconds = Math.min(...[timeout, slowRequest].filter((each) => each > 0))
    if (seconds === Number.POSITIVE_INFINITY) return
    setInterval(() => this.#send({ type: 'alive' }), Math.max(100, (seconds * 1000) / 4)).unref()
  }

  async #reload(): Promise<void> {
    if (this.#acceptor === undefined || this.#stopping) return
    try {
      await this.#acceptor.reload()
      this.#send({ type: 'reloaded' })
    } catch (error) {
      this.#send({ type: 'reload-failed', ...failureOf(error) })
    }
  }

  #leave(failed = false): void {
    if (this.#stopping) return
    this.#send({ type: 'leaving', failed })
    void this.#stop(this.#graceMs, true)
  }

  async #stop(graceTimeoutMs: number, replaced: boolean): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#overdue = setTimeout(() => {
      this.#log?.error(
        coded(
          'MONO5104',
          `Acceptor did not stop within ${graceTimeoutMs / 1000} s (graceful_timeout); ending it`,
        ),
      )
      this.#kill()
    }, graceTimeoutMs + OVERRUN_MS)
    try {
      await this.#acceptor?.stop(graceTimeoutMs, replaced)
      await this.#log?.settle()
    } catch (error) {
      this.#onBug(error)
      return
    }
    this.#exit(EXIT.acceptor.STOPPED)
  }

  /** Ends at once, but workers that have hooks for their end get a moment if they are idle. */
  async #quit(): Promise<void> {
    const hooked = this.#start !== undefined && hasPythonHooks(this.#start.settings)
    if (hooked && this.#serving) {
      this.#stopping = true
      await this.#acceptor?.endWorkers(QUIT_MS)
    }
    this.#kill()
  }

  #kill(): void {
    this.#stopping = true
    this.#acceptor?.kill()
    this.#exit(EXIT.acceptor.STOPPED)
  }

  #onDisconnect(): void {
    this.#orphaned = true
    for (const { reject } of this.#wanted.values()) reject(new Error('The arbiter is gone'))
    this.#wanted.clear()
    // Nobody counts any more.
    for (const { resolve } of this.#asked.values()) resolve([])
    this.#asked.clear()
    if (this.#stopping) this.#acceptor?.closeIdle()
    else this.#log?.warning(coded('MONO5106', 'The arbiter is gone; stopping'))
    void this.#stop(this.#graceMs, false)
  }

  get #graceMs(): number {
    return (this.#start?.settings.gracefulTimeout ?? 0) * 1000
  }

  #onUncaught(error: unknown): void {
    if (!this.#runsApplication || this.#log === undefined) {
      this.#onBug(error)
    } else if (!this.#stopping) {
      this.#onApplicationError(failureText(error))
    } else if (this.#lateErrors++ < LATE_ERRORS_LOGGED) {
      // Requests in progress may still finish, even if a timer of the application keeps throwing.
      this.#log.error(
        coded(
          'MONO5107',
          `Uncaught error in the application while it is stopping\n${failureText(error)}`,
        ),
      )
    }
  }

  #onBug(error: unknown): void {
    const text = failureText(error)
    const entry = coded('MONO5902', `Bug in the acceptor, please report it: ${text}`)
    if (this.#log) this.#log.critical(entry)
    else console.error(entry)
    this.#acceptor?.kill()
    this.#exit(EXIT.acceptor.INTERNAL_ERROR)
  }

  /**
   * After an uncaught error the state of the application is unknown: requests in progress may
   * finish, and a new process takes over.
   */
  #onApplicationError(text: string): void {
    if (this.#serving) {
      this.#log?.critical(
        coded('MONO5107', `Uncaught error in the application; replacing its process\n${text}`),
      )
      this.#leave(true)
      return
    }
    this.#stopping = true
    const failure = {
      kind: 'application-load',
      text: coded('MONO2012', `The application failed while it was loading\n${text}`),
    } as const
    this.#send({ type: 'failed', ...failure }, () => this.#exit(EXIT.acceptor.FAILED))
  }

  #exit(code: number): void {
    if (this.#exiting) return
    this.#exiting = true
    clearTimeout(this.#overdue)
    if (this.#orphaned) this.#cleanUpAlone()
    this.#host.exit(code)
  }

  /**
   * Does what the arbiter would do after this process: removes its directory and ends what is left
   * of its process group, itself included.
   */
  #cleanUpAlone(): void {
    if (this.#start) rmSync(this.#start.tmpDir, { recursive: true, force: true })
    try {
      this.#host.kill(-this.#host.pid, 'SIGKILL')
    } catch {
      // It does not lead a group, because something other than the arbiter started it.
    }
  }

  #send(message: FromAcceptor, sent: () => void = () => {}): void {
    if (this.#sendToArbiter === undefined || this.#orphaned) sent()
    else this.#sendToArbiter(message, () => sent())
  }
}

function failureOf(error: unknown): { kind: FailureKind; text: Coded } {
  if (!(error instanceof Error)) return { kind: 'other', text: coded('MONO5902', String(error)) }
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'application-load')
    return { kind: 'application-load', text: coded('MONO2012', error.message) }
  // Errors with a code explain themselves (ours, the system's). Any other is a bug, so its stack
  // matters.
  return {
    kind: 'other',
    text:
      code === undefined
        ? coded('MONO5902', error.stack ?? error.message)
        : coded('MONO5102', error.message),
  }
}
