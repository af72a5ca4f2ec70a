/**
 * The process around an acceptor: turns the arbiter's messages, and signals, into calls of an
 * `Acceptor`, and its end into a message and an exit status (`EXIT.acceptor`).
 */
import { rmSync } from 'node:fs'
import { ErrorLog } from '../logging/error-log.ts'
import { EXIT } from '../process/exit-status.ts'
import type { HostProcess } from '../process/host-process.ts'
import { runtimeOf } from '../settings/runtime.ts'
import { failureText } from '../wsgi/failure.ts'
import type {
  AcceptorReady,
  FailureKind,
  FromAcceptor,
  StartMessage,
  ToAcceptor,
} from './messages.ts'

/** What this process asks of an acceptor. */
export interface AcceptorControls {
  start(): Promise<AcceptorReady>
  reload(): Promise<void>
  /** Ends a reload that is under way; its promise is rejected. */
  abandonReload(): void
  scale(workers: number): void
  /**
   * @param replaced another serves in its place: who has an idle connection has time to come over
   */
  stop(graceTimeoutMs: number, replaced: boolean): Promise<void>
  /** Ends that time. */
  closeIdle(): void
  kill(): void
  reopenLogs(): void
}

/** An acceptor's own process: a child of the arbiter, with a channel to it. */
export interface AcceptorHost extends HostProcess {
  send?: ((message: FromAcceptor, callback: (error: Error | null) => void) => unknown) | undefined
  disconnect?: (() => void) | undefined
  kill(pid: number, signal: NodeJS.Signals): unknown
}

/** Makes the acceptor of a process. `retire` asks for the process to be replaced. */
export type CreateAcceptor = (
  start: StartMessage,
  log: ErrorLog,
  retire: () => void,
) => AcceptorControls

/**
 * How long an acceptor may overrun its time to stop before it is ended by force, in milliseconds.
 */
const overrun = 1000

/** How many errors of an application that is being replaced already are told. */
const lateMistakes = 10

/** These are the arbiter's to decide on, when they reach the acceptor too. */
const ignoredSignals = ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/**
 * Serves the arbiter at the other end of the IPC channel until told to leave.
 *
 * - TERM sent to this process itself: it says `leaving` and stops gracefully; the arbiter replaces
 *   it.
 * - The channel closes (the arbiter is gone, however it ended): it stops gracefully, and takes its
 *   directory away.
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
  #lateMistakes = 0
  #orphaned = false
  readonly #speak: NonNullable<AcceptorHost['send']> | undefined

  constructor(host: AcceptorHost, create: CreateAcceptor) {
    this.#host = host
    this.#speak = host.send?.bind(host)
    this.#create = create
  }

  listen(): void {
    const host = this.#host
    host.on('uncaughtException', (error: unknown) => this.#onUncaught(error))
    for (const signal of ignoredSignals) host.on(signal, () => {})
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
      case 'reopen-logs':
        this.#log?.reopen()
        this.#acceptor?.reopenLogs()
        break
      case 'stop':
        if (this.#stopping && !message.replaced) this.#acceptor?.closeIdle()
        void this.#stop(message.graceTimeoutMs, message.replaced)
        break
      case 'kill':
        this.#kill()
    }
  }

  async #begin(start: StartMessage): Promise<void> {
    this.#start = start
    try {
      this.#log = new ErrorLog({
        file: start.settings.errorLogfile,
        level: start.settings.logLevel,
      })
      if (this.#runsApplication) this.#keepChannel()
      this.#acceptor = this.#create(start, this.#log, () => this.#send({ type: 'retiring' }))
      const ready = await this.#acceptor.start()
      if (this.#stopping) return
      this.#serving = true
      this.#send({ type: 'ready', ready })
      if (this.#runsApplication) this.#giveSignsOfLife(start.settings.timeout)
    } catch (error) {
      if (this.#stopping) return
      this.#stopping = true
      this.#acceptor?.kill()
      this.#send({ type: 'failed', ...failureOf(error) }, () => this.#exit(EXIT.acceptor.FAILED))
    }
  }

  /** The application is called in this process, so its mistakes arrive here. */
  get #runsApplication(): boolean {
    return this.#start !== undefined && runtimeOf(this.#start.settings) === 'node'
  }

  /**
   * The channel is ours: a library that looks whether another program has started it
   * (`process.send`) would speak to the arbiter.
   */
  #keepChannel(): void {
    this.#host.send = undefined
    this.#host.disconnect = undefined
  }

  #giveSignsOfLife(timeout: number): void {
    if (timeout === 0) return
    setInterval(() => this.#send({ type: 'alive' }), Math.max(100, (timeout * 1000) / 4)).unref()
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
      this.#log?.error(`Acceptor did not stop within ${graceTimeoutMs / 1000} s; ended`)
      this.#kill()
    }, graceTimeoutMs + overrun)
    try {
      await this.#acceptor?.stop(graceTimeoutMs, replaced)
    } catch (error) {
      this.#onMistake(error)
      return
    }
    this.#exit(EXIT.acceptor.STOPPED)
  }

  #kill(): void {
    this.#stopping = true
    this.#acceptor?.kill()
    this.#exit(EXIT.acceptor.STOPPED)
  }

  #onDisconnect(): void {
    this.#orphaned = true
    if (this.#stopping) this.#acceptor?.closeIdle()
    else this.#log?.warning('The arbiter is gone; stopping')
    void this.#stop(this.#graceMs, false)
  }

  get #graceMs(): number {
    return (this.#start?.settings.gracefulTimeout ?? 0) * 1000
  }

  #onUncaught(error: unknown): void {
    if (!this.#runsApplication || this.#log === undefined) {
      this.#onMistake(error)
    } else if (!this.#stopping) {
      this.#onApplicationMistake(failureText(error))
    } else if (this.#lateMistakes++ < lateMistakes) {
      // One that throws at every tick of a timer must not cost others the end of their responses.
      this.#log.error(
        `An error that the application did not catch while it is stopped\n${failureText(error)}`,
      )
    }
  }

  #onMistake(error: unknown): void {
    const text = failureText(error)
    const entry = `Mistake in the acceptor, please report it: ${text}`
    if (this.#log) this.#log.critical(entry)
    else console.error(entry)
    this.#acceptor?.kill()
    this.#exit(EXIT.acceptor.INTERNAL_ERROR)
  }

  /**
   * Nobody knows what state the application is in: what is in flight may finish, and a fresh
   * process takes over.
   */
  #onApplicationMistake(text: string): void {
    if (this.#serving) {
      this.#log?.critical(
        `An error that the application did not catch; this process is replaced\n${text}`,
      )
      this.#leave(true)
      return
    }
    this.#stopping = true
    const failure = {
      kind: 'application-load',
      text: `The application failed while it was being loaded\n${text}`,
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
   * What the arbiter would do after this process: remove its directory, end what is left of its
   * process group (itself included).
   */
  #cleanUpAlone(): void {
    if (this.#start) rmSync(this.#start.tmpDir, { recursive: true, force: true })
    try {
      this.#host.kill(-this.#host.pid, 'SIGKILL')
    } catch {
      // It leads no group: started by something else than our arbiter.
    }
  }

  #send(message: FromAcceptor, sent: () => void = () => {}): void {
    if (this.#speak === undefined || this.#orphaned) sent()
    else this.#speak(message, () => sent())
  }
}

function failureOf(error: unknown): { kind: FailureKind; text: string } {
  if (!(error instanceof Error)) return { kind: 'other', text: String(error) }
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'application-load') return { kind: 'application-load', text: error.message }
  // Our own errors and the system's explain themselves; anything else is a mistake, whose place
  // matters.
  return {
    kind: 'other',
    text: code === undefined ? (error.stack ?? error.message) : error.message,
  }
}
