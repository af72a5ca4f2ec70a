/** An acceptor as seen by the arbiter: a child process, the messages to and from it, its end. */
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type {
  BrowserChange,
  Dropped,
  FromAcceptor,
  ReadyReport,
  ToAcceptor,
} from '../acceptor/messages.ts'
import type { Details, QuestionName } from '../acceptor/questions.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { coded } from '../messages/coded.ts'
import type { ArbiterEvents } from '../observe/arbiter-events.ts'
import type { LoadWatch } from '../runtimes/load-watch.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { type AcceptorExit, AcceptorFailure, describeExit, exitOf } from './acceptor-exit.ts'
import { AcceptorQuestions, type Answered } from './acceptor-questions.ts'
import { AcceptorWorkers } from './acceptor-workers.ts'
import { type Deferred, defer } from './deferred.ts'
import { LivenessWatch } from './liveness-watch.ts'
import { groupGone, signalGroup } from './process-group.ts'
import { type AcceptorJob, spawnAcceptor } from './spawn-acceptor.ts'
import { StackChannel } from './stack-channel.ts'

/** Why an acceptor leaves by itself: it was told to (SIGTERM), or its application failed. */
export type Leave = 'told' | 'failed'

export interface AcceptorChildOptions extends AcceptorJob {
  readonly log: ErrorLog
  /** Watches how long the application takes to load, if it runs in the acceptor itself. */
  readonly loads: LoadWatch
  /** Where the events of its workers are published. */
  readonly events: ArbiterEvents
  /** Called before it starts a worker; see {@link AcceptorSetOptions.permitWorker}. */
  readonly permitWorker: () => Promise<number>
  /** Called when it has dropped responses from its cache. */
  readonly cacheDropped: (dropped: Dropped) => void
}

/** How long the rest of an acceptor's processes have after TERM and after KILL, in milliseconds. */
const LAST_GRACE_MS = 1000

/**
 * Starts an acceptor process and follows it to its end.
 *
 * The process leads a process group of its own. A Ctrl-C in the terminal reaches the arbiter only,
 * which decides what happens; and everything that an acceptor leaves behind when it is killed can
 * be found and ended. `exited` resolves when none of it is left.
 */
export class AcceptorChild {
  /** Resolves when it serves; rejects with an {@link AcceptorFailure} when it cannot. */
  readonly ready: Promise<ReadyReport>
  /**
   * Resolves as soon as it stops accepting: with the way it ended, or with the reason if it
   * announced that it leaves.
   */
  readonly leaving: Promise<AcceptorExit | Leave>
  /** Resolves when it asks for a replacement; it serves until it is stopped. */
  readonly retiring: Promise<void>
  /** Resolves when it and all of its workers are gone and its directory is removed. */
  readonly exited: Promise<AcceptorExit>
  /** `performance.now()` */
  readonly startedAt: number = performance.now()

  readonly #process: ChildProcess
  readonly #tmpDir: string
  readonly #graceMs: number
  readonly #timeout: number
  readonly #slowRequest: number
  readonly #log: ErrorLog
  readonly #stacks: StackChannel | null
  readonly #workers: AcceptorWorkers
  readonly #events: ArbiterEvents
  readonly #permitWorker: () => Promise<number>
  readonly #ready: Deferred<ReadyReport> = defer()
  readonly #leaving: Deferred<AcceptorExit | Leave> = defer()
  readonly #retiring: Deferred<void> = defer()
  readonly #reloads: Deferred<void>[] = []
  readonly #unwatchLoad: () => void
  readonly #rateLimit: readonly string[]
  readonly #cacheDropped: (dropped: Dropped) => void
  readonly #questions: AcceptorQuestions
  #liveness: LivenessWatch | null = null
  /** Null while its event loop is blocked, and unless stacks of slow requests are logged. */
  #slowness: LivenessWatch | null = null
  #isReady = false
  #isStopping = false
  #stopRequested = false
  /** When the processes that it has left behind are killed; `performance.now()`. */
  #orphanDeadline = Number.POSITIVE_INFINITY
  #ended = false
  /** It has ended, and nothing is left of it. */
  #over = false

  /** @throws AcceptorFailure if its temporary directory cannot be made */
  constructor(options: AcceptorChildOptions) {
    const { settings, log, loads } = options
    this.#graceMs = settings.gracefulTimeout * 1000
    this.#timeout = settings.timeout
    this.#slowRequest = settings.slowRequest
    this.#rateLimit = settings.rateLimit
    this.#log = log
    const { process: child, start } = spawnAcceptor(options)
    this.#process = child
    this.#events = options.events
    this.#workers = new AcceptorWorkers(child.pid ?? 0, options.events)
    this.#tmpDir = start.tmpDir
    this.ready = this.#ready.promise
    this.leaving = this.#leaving.promise
    this.retiring = this.#retiring.promise
    // A rejection that is not waited for is not an error of this process.
    this.ready.catch(() => {})
    this.exited = this.#follow()
    this.#permitWorker = options.permitWorker
    this.#questions = new AcceptorQuestions((question) => this.#send({ type: 'ask', ...question }))
    this.#cacheDropped = options.cacheDropped
    child.on('message', (message) => this.#onMessage(message as FromAcceptor))
    this.#send(start)
    this.#stacks =
      start.stackFd === null
        ? null
        : new StackChannel(child.stdio[start.stackFd] as Socket | undefined)
    this.#unwatchLoad = this.#watchLoad(loads)
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** It was told to end, or is ending by itself. */
  get isStopping(): boolean {
    return this.#isStopping
  }

  /** The arbiter told it to end. */
  get stopRequested(): boolean {
    return this.#stopRequested
  }

  /** 0 if the process could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  /**
   * Starts new workers and stops the old ones.
   *
   * @throws AcceptorFailure (as a rejection) if the old ones stay
   */
  reload(): Promise<void> {
    const reload = defer<void>()
    this.#reloads.push(reload)
    if (this.#ended) this.#failReloads()
    else this.#send({ type: 'reload' })
    return reload.promise
  }

  /** Makes a reload that is in progress fail. */
  abandonReload(): void {
    this.#send({ type: 'abandon-reload' })
  }

  scale(workers: number): void {
    this.#send({ type: 'scale', workers })
  }

  /** Has it answer health checks with 503. */
  notReady(): void {
    this.#send({ type: 'not-ready' })
  }

  /** Has it answer with this error, or with the application again if it is null. */
  showFailure(text: string | null): void {
    this.#send({ type: 'show-failure', text })
  }

  refreshBrowsers(version: number, change: BrowserChange): void {
    this.#send({ type: 'refresh-browsers', version, change })
  }

  useTls(material: TlsMaterial): void {
    this.#send({ type: 'tls', material })
  }

  dropCached(dropped: Dropped): void {
    this.#send({ type: 'drop-cached', dropped })
  }

  reopenLogs(): void {
    this.#send({ type: 'reopen-logs' })
  }

  /**
   * Asks it something, if it serves.
   *
   * @param deadlineMs how long to wait for the answer, in milliseconds
   * @returns the answer, or why there is none; it never rejects
   */
  async ask<Name extends QuestionName>(
    question: Name,
    details: Details<Name>,
    deadlineMs: number,
  ): Promise<Answered<Name>> {
    if (!this.#isReady && !this.#ended) return { answer: null, absent: 'it is still starting' }
    return await this.#questions.ask(question, details, deadlineMs)
  }

  /**
   * Lets it finish its requests, for up to `graceMs`; then all of its processes are killed.
   *
   * @param replaced another acceptor serves already, so idle connections may stay for one more
   * request
   */
  stop(graceMs: number, replaced: boolean): void {
    this.#isStopping = true
    this.#stopRequested = true
    this.#send({ type: 'stop', graceTimeoutMs: graceMs, replaced })
    // It keeps to the limit by itself, unless it hangs.
    this.#endBy(performance.now() + graceMs + LAST_GRACE_MS / 2)
  }

  /** Ends it immediately: on request, or else by force. */
  kill(): void {
    this.#isStopping = true
    this.#stopRequested = true
    this.#send({ type: 'kill' })
    this.#endBy(performance.now() + LAST_GRACE_MS / 2)
  }

  /**
   * Kills all of its processes and removes its directory before it returns; for the end of the
   * arbiter itself.
   */
  killNow(): void {
    if (this.#over) return
    if (this.pid !== 0) signalGroup(this.pid, 'SIGKILL')
    rmSync(this.#tmpDir, { recursive: true, force: true })
  }

  /** Has it replaced, as if it had asked for that. */
  retire(): void {
    this.#retiring.resolve()
  }

  #send(message: ToAcceptor): void {
    if (!this.#process.connected) return
    // If the channel breaks now, `exited` reports it.
    this.#process.send(message, () => {})
  }

  #onMessage(message: FromAcceptor): void {
    switch (message.type) {
      case 'ready':
        this.#unwatchLoad()
        this.#isReady = true
        this.#ready.resolve(message.ready)
        this.#watchLiveness()
        this.#watchSlowness()
        break
      case 'failed':
        this.#unwatchLoad()
        this.#ready.reject(new AcceptorFailure(message.kind, message.text))
        break
      case 'leaving':
        this.#isStopping = true
        this.#leaving.resolve(message.failed ? 'failed' : 'told')
        break
      case 'retiring':
        this.#retiring.resolve()
        break
      case 'counted':
        this.#events.acceptorCounted.publish({ pid: this.pid, snapshot: message.snapshot })
        break
      case 'alive':
        this.#liveness?.alive()
        this.#watchSlowness()
        break
      case 'reloaded':
        this.#reloads.shift()?.resolve()
        break
      case 'reload-failed':
        this.#reloads.shift()?.reject(new AcceptorFailure(message.kind, message.text))
        break
      case 'files-loaded':
        this.#events.filesLoaded.publish({ files: message.files })
        break
      case 'worker-wanted':
        void this.#answerWanted(message.id)
        break
      case 'cache-dropped':
        this.#cacheDropped(message.dropped)
        break
      case 'take-tokens':
        void this.#answerTokens(message.id, message.keys)
        break
      case 'worker-event':
        this.#workers.publish(message.event)
        break
      case 'answer':
        this.#questions.answered(message.id, message.answer)
        break
      case 'no-answer':
        this.#questions.failed(message.id, message.reason)
    }
  }

  async #answerWanted(id: number): Promise<void> {
    try {
      this.#send({ type: 'worker-permitted', id, age: await this.#permitWorker() })
    } catch (error) {
      this.#send({ type: 'worker-refused', id, text: (error as Error).message })
    }
  }

  async #answerTokens(id: number, keys: readonly string[]): Promise<void> {
    const { takeTokens } = await import('./rate-limit-counts.ts')
    this.#send({ type: 'tokens', id, answers: takeTokens(this.#rateLimit, keys) })
  }

  /** Kills it if an application that runs in the acceptor itself blocks its event loop. */
  #watchLiveness(): void {
    const stacks = this.#stacks
    if (stacks === null || this.#timeout === 0) return
    this.#liveness = new LivenessWatch(this.#timeout, async () => {
      const { text } = await stacks.ask()
      if (this.#ended) return
      this.#log.critical(
        coded(
          'MONO5105',
          `Acceptor ${this.pid}: the application blocked the event loop for more than ` +
            `${this.#timeout} s (timeout); killing the process. ${text}`,
        ),
      )
      signalGroup(this.pid, 'SIGKILL')
    })
  }

  /** Logs what blocks its event loop, once each time. Called with each sign of life. */
  #watchSlowness(): void {
    const stacks = this.#stacks
    if (stacks === null || this.#slowRequest === 0) return
    if (this.#slowness !== null) return this.#slowness.alive()
    this.#slowness = new LivenessWatch(this.#slowRequest, async () => {
      this.#slowness = null
      const { text, isStack } = await stacks.ask()
      if (this.#ended || !isStack) return
      const { pid } = this
      this.#events.loopBlocked.publish({ pid, seconds: this.#slowRequest, stack: text })
      this.#log.warning(
        coded(
          'MONO4010',
          `Acceptor ${this.pid}: the application has blocked the event loop for ` +
            `${this.#slowRequest} s (slow_request). ${text}`,
        ),
      )
    })
  }

  #watchLoad(loads: LoadWatch): () => void {
    const stacks = this.#stacks
    if (stacks === null || this.pid === 0) return () => {}
    return loads.begin({
      name: `Acceptor ${this.pid}`,
      pid: this.pid,
      reportStack: () => stacks.ask(),
      giveUp: (text) => {
        this.#ready.reject(new AcceptorFailure('application-load', coded('MONO2021', text)))
        signalGroup(this.pid, 'SIGKILL')
      },
    })
  }

  #endBy(deadline: number): void {
    if (deadline >= this.#orphanDeadline) return
    this.#orphanDeadline = deadline
    setTimeout(() => {
      if (!this.#ended && this.pid !== 0) signalGroup(this.pid, 'SIGKILL')
    }, deadline - performance.now()).unref()
  }

  async #follow(): Promise<AcceptorExit> {
    const exit = await exitOf(this.#process)
    this.#ended = true
    this.#isStopping = true
    this.#unwatchLoad()
    this.#liveness?.end()
    this.#slowness?.end()
    const end = describeExit(this.pid, exit)
    this.#questions.end(end)
    const text = this.pid === 0 ? end : `${end} before it was ready`
    this.#ready.reject(new AcceptorFailure('other', coded('MONO5101', text)))
    this.#leaving.resolve(exit)
    this.#failReloads()
    if (this.pid !== 0) await this.#endGroup(exit)
    this.#workers.ended(this.#stopRequested, end)
    await rm(this.#tmpDir, { recursive: true, force: true, maxRetries: 3 }).catch(() => {})
    this.#over = true
    return exit
  }

  /**
   * Workers leave by themselves when their acceptor is gone, and an acceptor that exits with 0 has
   * waited for them. Anything else that is left of its group is a worker that hangs, or a process
   * that the application started.
   */
  async #endGroup(exit: AcceptorExit): Promise<void> {
    const leader = this.pid
    if (exit.code !== 0) {
      this.#orphanDeadline = Math.min(this.#orphanDeadline, performance.now() + this.#graceMs)
      if (await groupGone(leader, () => this.#orphanDeadline)) return
    }
    signalGroup(leader, 'SIGTERM')
    const termDeadline = performance.now() + LAST_GRACE_MS
    if (await groupGone(leader, () => Math.min(termDeadline, this.#orphanDeadline))) return
    signalGroup(leader, 'SIGKILL')
    const killDeadline = performance.now() + LAST_GRACE_MS
    await groupGone(leader, () => killDeadline)
  }

  #failReloads(): void {
    for (const reload of this.#reloads.splice(0)) {
      reload.reject(
        new AcceptorFailure(
          'other',
          coded('MONO5101', `Acceptor ${this.pid} ended before it had reloaded`),
        ),
      )
    }
  }
}
