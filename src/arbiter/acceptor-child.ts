/** One acceptor process, as its arbiter sees it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { willEmbed, withAllocator } from '../acceptor/allocator.ts'
import type { AcceptorReady, FailureKind, FromAcceptor, ToAcceptor } from '../acceptor/messages.ts'
import type { StackAnswer } from '../acceptor/stack-answer.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import type { LoadWatch, Whereabouts } from '../runtimes/load-watch.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { type Deferred, defer } from './deferred.ts'
import type { Listener } from './listeners.ts'
import { groupGone, signalGroup } from './process-group.ts'

/** How a process ended: one of the two is null. */
export interface AcceptorExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * What an acceptor says that leaves of its own accord: somebody told it to, or its application
 * failed.
 */
export type Leave = 'told' | 'failed'

/**
 * Why an acceptor could not start or reload; `message` is for the log: a traceback, or one line.
 */
export class AcceptorFailure extends Error {
  readonly code: FailureKind

  constructor(kind: FailureKind, text: string) {
    super(text)
    this.code = kind
  }
}

export interface AcceptorChildOptions {
  /** The path of the acceptor's program. */
  readonly program: string
  readonly settings: Settings
  readonly listeners: readonly Listener[]
  /** This acceptor's share of the workers. */
  readonly workers: number
  readonly log: ErrorLog
  /**
   * Watches over how long it takes to load the application, where that runs in the acceptor itself.
   */
  readonly loads: LoadWatch
}

/** The first descriptor after stdin, stdout, stderr and the IPC channel. */
const firstListenerFd = 4

/**
 * How long what is left of an acceptor's processes has after TERM and after KILL, in milliseconds.
 */
const lastGrace = 1000

/**
 * How often it is looked whether an acceptor is alive, and what between two looks tells that nobody
 * could look; milliseconds.
 */
const lookEvery = 250
const overslept = 1000

/** How long an acceptor has to say where it stands, in milliseconds; its own limits are shorter. */
const whereMs = 3500

/**
 * Starts an acceptor process and follows it to its end.
 *
 * The process leads a process group of its own. So a Ctrl-C in the terminal reaches the arbiter
 * alone, which decides, and whatever an acceptor leaves behind when it is killed is found and
 * ended. `exited` resolves when none of it is left.
 */
export class AcceptorChild {
  /** Resolves when it serves; rejects with an {@link AcceptorFailure} when it cannot. */
  readonly ready: Promise<AcceptorReady>
  /**
   * Resolves as soon as it will serve no more: with how it ended, or with a word when it says so
   * itself first.
   */
  readonly leaving: Promise<AcceptorExit | Leave>
  /** Resolves when it asks for a replacement, and goes on serving until it is stopped. */
  readonly retiring: Promise<void>
  /** Resolves when it and all of its workers are gone and its directory is removed. */
  readonly exited: Promise<AcceptorExit>
  readonly startedAt: number = performance.now()

  readonly #process: ChildProcess
  readonly #tmpDir: string
  readonly #graceMs: number
  readonly #log: ErrorLog
  readonly #ready: Deferred<AcceptorReady> = defer()
  readonly #leaving: Deferred<AcceptorExit | Leave> = defer()
  readonly #retiring: Deferred<void> = defer()
  readonly #reloads: Deferred<void>[] = []
  readonly #timeout: number
  readonly #unwatchLoad: () => void
  #isReady = false
  #aliveAt = 0
  /** Whoever has asked where it stands. */
  #whoAsks: ((answer: StackAnswer) => void) | null = null
  /** When its orphaned workers are ended; `performance.now()`. */
  #orphanDeadline = Number.POSITIVE_INFINITY
  #ended = false
  #over = false

  /** @throws AcceptorFailure when there is no place for its directory */
  constructor(options: AcceptorChildOptions) {
    const { settings, listeners } = options
    const runsApplication = runtimeOf(settings) === 'node'
    this.#graceMs = settings.gracefulTimeout * 1000
    this.#timeout = settings.timeout
    this.#log = options.log
    this.#tmpDir = makeTmpDir(settings.tmpUploadDir ?? tmpdir())
    this.#process = spawn(
      process.execPath,
      [...inheritedNodeOptions(process.execArgv), options.program],
      {
        stdio: [
          'ignore',
          'inherit',
          'inherit',
          'ipc',
          ...listeners.map((listener) => listener.fd),
          ...(runsApplication ? (['pipe'] as const) : []),
        ],
        serialization: 'advanced',
        detached: true,
        env: willEmbed(settings, { ...process.env, ...settings.rawEnv })
          ? withAllocator(process.env)
          : process.env,
      },
    )
    this.ready = this.#ready.promise
    this.leaving = this.#leaving.promise
    this.retiring = this.#retiring.promise
    // Whoever wants to know asks; an answer that nobody waits for is not an error of this process.
    this.ready.catch(() => {})
    this.exited = this.#follow()
    this.#process.on('message', (message) => this.#onMessage(message as FromAcceptor))
    this.#send({
      type: 'start',
      settings,
      listeners: listeners.map(({ address }, index) => ({ fd: firstListenerFd + index, address })),
      workers: options.workers,
      tmpDir: this.#tmpDir,
      stackFd: runsApplication ? firstListenerFd + listeners.length : null,
    })
    if (runsApplication) this.#listenForStacks(firstListenerFd + listeners.length)
    this.#unwatchLoad =
      runsApplication && this.pid !== 0 ? this.#watchLoad(options.loads) : () => {}
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** 0 when the process could not even be started. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  /**
   * Starts new workers and lets the old ones leave. @throws AcceptorFailure (as a rejection) when
   * the old ones stay
   */
  reload(): Promise<void> {
    const reload = defer<void>()
    this.#reloads.push(reload)
    if (this.#ended) this.#failReloads()
    else this.#send({ type: 'reload' })
    return reload.promise
  }

  /** Makes a reload that is under way fail. */
  abandonReload(): void {
    this.#send({ type: 'abandon-reload' })
  }

  scale(workers: number): void {
    this.#send({ type: 'scale', workers })
  }

  reopenLogs(): void {
    this.#send({ type: 'reopen-logs' })
  }

  /**
   * Lets it finish what is in flight, for at most that long; then all of its processes are killed.
   *
   * @param replaced another serves already, so its idle connections may wait for one more request
   */
  stop(graceMs: number, replaced: boolean): void {
    this.#send({ type: 'stop', graceTimeoutMs: graceMs, replaced })
    // It keeps to the limit itself; this is for one that hangs.
    this.#endBy(performance.now() + graceMs + lastGrace / 2)
  }

  /** Ends it at once: by asking, then by force. */
  kill(): void {
    this.#send({ type: 'kill' })
    this.#endBy(performance.now() + lastGrace / 2)
  }

  /**
   * Kills all of its processes and removes its directory, before this returns; for the end of the
   * arbiter itself.
   */
  killNow(): void {
    if (this.#over) return
    if (this.pid !== 0) signalGroup(this.pid, 'SIGKILL')
    rmSync(this.#tmpDir, { recursive: true, force: true })
  }

  #send(message: ToAcceptor): void {
    if (!this.#process.connected) return
    // A channel that breaks now is told by the exit.
    this.#process.send(message, () => {})
  }

  #onMessage(message: FromAcceptor): void {
    switch (message.type) {
      case 'ready':
        this.#unwatchLoad()
        this.#isReady = true
        this.#ready.resolve(message.ready)
        if (message.ready.workers.length === 0) this.#watch()
        break
      case 'failed':
        this.#unwatchLoad()
        this.#ready.reject(new AcceptorFailure(message.kind, message.text))
        break
      case 'leaving':
        this.#leaving.resolve(message.failed ? 'failed' : 'told')
        break
      case 'retiring':
        this.#retiring.resolve()
        break
      case 'alive':
        this.#aliveAt = performance.now()
        break
      case 'reloaded':
        this.#reloads.shift()?.resolve()
        break
      case 'reload-failed':
        this.#reloads.shift()?.reject(new AcceptorFailure(message.kind, message.text))
    }
  }

  /**
   * An application that runs in the acceptor itself and does not come back keeps it from giving
   * signs of life: then it is ended.
   */
  #watch(): void {
    if (this.#timeout === 0) return
    let lookedAt = performance.now()
    this.#aliveAt = lookedAt
    let asking = false
    const look = setInterval(async () => {
      if (this.#ended) return clearInterval(look)
      if (asking) return
      const now = performance.now()
      // This process was stopped itself: what was said meanwhile has not been heard yet.
      if (now - lookedAt > overslept) this.#aliveAt = now
      lookedAt = now
      if (now - this.#aliveAt <= this.#timeout * 1000) return
      asking = true
      const { text } = await this.where()
      asking = false
      if (this.#ended) return
      clearInterval(look)
      this.#log.critical(
        `Acceptor ${this.pid} is ended: its application has not let go of it for timeout (${this.#timeout} s). ${text}`,
      )
      signalGroup(this.pid, 'SIGKILL')
    }, lookEvery)
    look.unref()
  }

  #watchLoad(loads: LoadWatch): () => void {
    return loads.begin({
      name: `Acceptor ${this.pid}`,
      pid: this.pid,
      where: () => this.where(),
      giveUp: (text) => {
        this.#ready.reject(new AcceptorFailure('application-load', text))
        signalGroup(this.pid, 'SIGKILL')
      },
    })
  }

  #listenForStacks(fd: number): void {
    const channel = this.#process.stdio[fd] as Socket | undefined
    if (channel === undefined) return // it could not be started
    let text = ''
    channel.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#whoAsks?.(JSON.parse(text.slice(0, end)) as StackAnswer)
        text = text.slice(end + 1)
      }
    })
    channel.on('error', () => {})
  }

  /** Where an application that runs in the acceptor itself stands. */
  async where(): Promise<Whereabouts> {
    const channel = this.#process.stdio.at(-1) as Socket
    const answer = await new Promise<StackAnswer>((resolve) => {
      this.#whoAsks = resolve
      setTimeout(() => resolve({ kind: 'unknown' }), whereMs).unref()
      channel.write('?')
    })
    this.#whoAsks = null
    return whereabouts(answer)
  }

  #endBy(deadline: number): void {
    if (deadline >= this.#orphanDeadline) return
    this.#orphanDeadline = deadline
    setTimeout(() => {
      if (!this.#ended && this.pid !== 0) signalGroup(this.pid, 'SIGKILL')
    }, deadline - performance.now()).unref()
  }

  async #follow(): Promise<AcceptorExit> {
    const exit = await processExit(this.#process)
    this.#ended = true
    this.#unwatchLoad()
    const text = `The acceptor ${describeExit(this.pid, exit)} before it was ready`
    this.#ready.reject(new AcceptorFailure('other', text))
    this.#leaving.resolve(exit)
    this.#failReloads()
    if (this.pid !== 0) await this.#endGroup(exit)
    await rm(this.#tmpDir, { recursive: true, force: true, maxRetries: 3 }).catch(() => {})
    this.#over = true
    return exit
  }

  /**
   * Workers leave by themselves when their acceptor is gone, and one that ended in order has seen
   * them out. What is left of its group then is a worker that hangs, or a process that the
   * application started.
   */
  async #endGroup(exit: AcceptorExit): Promise<void> {
    const leader = this.pid
    if (exit.code !== 0) {
      this.#orphanDeadline = Math.min(this.#orphanDeadline, performance.now() + this.#graceMs)
      if (await groupGone(leader, () => this.#orphanDeadline)) return
    }
    signalGroup(leader, 'SIGTERM')
    const termDeadline = performance.now() + lastGrace
    if (await groupGone(leader, () => Math.min(termDeadline, this.#orphanDeadline))) return
    signalGroup(leader, 'SIGKILL')
    const killDeadline = performance.now() + lastGrace
    await groupGone(leader, () => killDeadline)
  }

  #failReloads(): void {
    for (const reload of this.#reloads.splice(0)) {
      reload.reject(
        new AcceptorFailure('other', `The acceptor ${this.pid} ended before it had reloaded`),
      )
    }
  }
}

/**
 * How a process ended, in words.
 *
 * @example describeExit(4711, { code: null, signal: 'SIGKILL' }) // '4711 was ended by SIGKILL'
 */
export function describeExit(pid: number, { code, signal }: AcceptorExit): string {
  if (pid === 0) return 'could not be started'
  return signal === null ? `${pid} ended with status ${code}` : `${pid} was ended by ${signal}`
}

function whereabouts(answer: StackAnswer): Whereabouts {
  switch (answer.kind) {
    case 'stack':
      return {
        text: `Stack (most recent call first):\n    ${answer.frames.join('\n    ')}`,
        isStack: true,
      }
    case 'free':
      return {
        text:
          answer.doing === ''
            ? 'Its event loop runs, so there is no stack.'
            : `Its event loop runs: ${answer.doing}. There is no stack of what is awaited.`,
        isStack: false,
      }
    case 'unknown':
      return {
        text: 'Where it stands cannot be told: it runs no JavaScript. It waits in a call of the system, runs compiled code, or is still starting.',
        isStack: false,
      }
  }
}

/** With mode 0700, which mkdtemp(3) gives: request bodies are nobody else's to read. */
function makeTmpDir(parent: string): string {
  try {
    return mkdtempSync(join(parent, 'monoceros-'))
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new AcceptorFailure(
      'other',
      `Cannot make a temporary directory in ${parent} (${code}). Choose another with --tmp-upload-dir or TMPDIR.`,
    )
  }
}

/**
 * What Node was told on the command line goes for acceptors too, but for what names a program or a
 * port of its own.
 */
function inheritedNodeOptions(options: readonly string[]): string[] {
  return options.filter((option) =>
    /^--(max-|stack-|no-warnings|trace-|import=|enable-source-maps|cpu-prof|heap-prof)/.test(
      option,
    ),
  )
}

function processExit(child: ChildProcess): Promise<AcceptorExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', () => {
      // Sending to it or killing it failed, or it could not be started and there will be no exit.
      if (child.pid === undefined) resolve({ code: null, signal: null })
    })
  })
}
