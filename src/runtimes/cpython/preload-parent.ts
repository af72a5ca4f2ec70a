import { closeSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { constants } from 'node:os'
import { type Coded, coded, fromElsewhere } from '../../messages/coded.ts'
import { connectForPassing, type SocketPassing } from '../../transport/node-internals.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { LoadWatch } from '../load-watch.ts'
import { type Frame, FrameDecoder, type FrameSink } from '../workers/frame-decoder.ts'
import {
  ENDED,
  encodeFrame,
  FAIL,
  FORK,
  FORKED,
  FrameError,
  LOG,
  READY,
  STACKS,
  START,
  STOP,
} from '../workers/frames.ts'
import { DEBUG, ERROR, INFO } from '../workers/log-levels.ts'
import { readEnded, readForked, readReady, readText } from '../workers/payloads.ts'
import { WorkerEnd } from '../workers/worker-end.ts'
import type { WorkerHandle, WorkerListener, WorkerStartOptions } from '../workers/worker-handle.ts'
import { type PreloadJob, startPayload } from '../workers/worker-options.ts'
import { Connections, lendingPath } from './connections.ts'
import { ForkedWorker } from './forked-worker.ts'
import { openLedger, type ProcessHandle } from './process-handle.ts'
import { exitReason, freshPath, type PreloadOptions, spawnPython } from './worker-process.ts'

/** How many connections a forked worker makes: data, control, standard output and error. */
const CHANNELS = 4
/** A parent that takes longer for a fork hangs, perhaps in what the application does before it. */
const FORK_MS = 30_000

/** A worker that is being forked. */
interface Fork {
  readonly resolve: (pid: number) => void
  readonly reject: (error: Error) => void
}

/**
 * A process that loads the application and forks workers: `python/monoceros/preload.py`.
 *
 * Node.js cannot hand descriptors to another process, so a worker's channels are connections to a
 * socket in the acceptor's own folder. Each worker has a socket of its own, so that the order of
 * its connections tells which one is which.
 */
export class PreloadParent implements WorkerListener, FrameSink {
  readonly decoder: FrameDecoder
  /** Resolves when workers can be forked. Rejected if the application could not be loaded. */
  readonly loaded: Promise<void>
  readonly #options: PreloadOptions
  readonly #job: PreloadJob
  readonly #end: WorkerEnd
  readonly #forks = new Map<number, Fork>()
  /** Those that run, by their numbers; null until their connections are there. */
  readonly #workers = new Map<number, ForkedWorker>()
  /** Why workers ended whose connections were not there yet. */
  readonly #early = new Map<number, string>()
  readonly #gone: Promise<void>
  #handle: ProcessHandle | null = null
  #number = 0
  #failure: Error | null = null
  #isLoaded = false
  #retired = false
  #ended = false
  #setLoaded = () => {}
  #setFailed = (_: Error) => {}
  #setGone = () => {}
  #unwatch = () => {}

  constructor(options: PreloadOptions, job: PreloadJob) {
    this.#options = options
    this.#job = job
    this.decoder = new FrameDecoder(this)
    this.#end = new WorkerEnd({
      finish: (reason) => this.#finish(reason),
      kill: (reason) => {
        this.#end.force(reason)
        this.#handle?.kill()
      },
    })
    this.loaded = new Promise((resolve, reject) => {
      this.#setLoaded = resolve
      this.#setFailed = reject
    })
    this.loaded.catch(() => {})
    this.#gone = new Promise((resolve) => {
      this.#setGone = resolve
    })
    this.#watchLoading()
    void this.#start()
  }

  /** It forks no more workers. */
  get ended(): boolean {
    return this.#ended
  }

  get pid(): number {
    return this.#handle?.pid ?? 0
  }

  async #start(): Promise<void> {
    const { application, chdir, background = false } = this.#job.worker
    try {
      const how = { chdir, background, listener: this }
      this.#handle = await spawnPython(this.#options, ['--preload', application], how)
    } catch (error) {
      this.#end.exited(`could not be started: ${(error as Error).message}`, false)
      return
    }
    if (this.#end.isForced) return this.#handle.kill()
    const payload = Buffer.from(JSON.stringify(startPayload(this.#job.worker)))
    this.#send(START, 0, payload)
    if (this.#retired) this.#send(STOP, 0)
    this.#log(DEBUG, `Preload parent ${this.pid} is loading the application`)
  }

  #watchLoading(): void {
    const { worker, loadTimeout, log } = this.#job
    const { application, background = false } = worker
    const watch = new LoadWatch({
      application,
      timeout: loadTimeout,
      background,
      warn: (text, pid) => log.log(30, text, pid === 0 ? undefined : pid),
    })
    const self = this
    this.#unwatch = watch.begin({
      get name() {
        return self.pid === 0 ? 'The preload parent' : `Preload parent ${self.pid}`
      },
      get pid() {
        return self.pid
      },
      reportStack: async () =>
        (await this.#handle?.reportStack()) ?? {
          text: 'Its process has not been started yet.',
          isStack: false,
        },
      giveUp: (text, isStack) => {
        this.#failure = new ApplicationLoadError(coded('MONO2021', text))
        this.#setFailed(this.#failure)
        this.#end.force('load_timeout')
        // If there is no stack, Python is made to print it as it ends.
        if (isStack) this.#handle?.kill()
        else this.#handle?.abort()
      },
    })
  }

  /** Forks a worker, when the application is loaded. Rejected if that is not possible. */
  async fork(listener: WorkerListener, settings: WorkerStartOptions): Promise<WorkerHandle> {
    if (this.#ended || this.#handle === null) throw new Error('the preload parent has ended')
    const number = ++this.#number
    const { directory, sockets } = this.#options
    const ledgerPath = freshPath(directory, 'ledger')
    const ledger = openLedger(ledgerPath)
    const connections = new Connections(sockets, CHANNELS)
    const limit = this.#options.forkTimeout ?? FORK_MS
    const late = setTimeout(() => this.#hangs(limit), limit)
    let passing: SocketPassing | null = null
    try {
      const path = await connections.listen()
      const forked = new Promise<number>((resolve, reject) => {
        this.#forks.set(number, { resolve, reject })
      })
      const lending = this.#options.lending === true ? lendingPath(sockets) : null
      const request = { socket: path, ledger: ledgerPath, ...(lending !== null && { lending }) }
      this.#send(FORK, number, Buffer.from(JSON.stringify(request)))
      const pid = await forked
      passing = lending === null ? null : await connectForPassing(lending)
      if (lending !== null) unlink(lending).catch(() => {})
      const [data, control, stdout, stderr] = await connections.all
      const parts = {
        pid,
        data: data!,
        control: control!,
        stdout: stdout!,
        stderr: stderr!,
        ledger,
        sockets: passing,
      }
      const worker = new ForkedWorker(parts, listener, () => this.#workers.delete(number))
      if (settings.background) worker.handle.unref()
      this.#workers.set(number, worker)
      if (this.#ended) worker.orphaned()
      const early = this.#early.get(number)
      if (early !== undefined) worker.ended(early)
      return worker.handle
    } catch (error) {
      connections.destroy()
      passing?.close()
      closeSync(ledger)
      throw error
    } finally {
      clearTimeout(late)
      this.#forks.delete(number)
      this.#early.delete(number)
      connections.end()
      unlink(ledgerPath).catch(() => {})
    }
  }

  /** It forks no more workers, and leaves when it has none. Resolves when it has ended. */
  async retire(): Promise<void> {
    if (!this.#retired) {
      this.#retired = true
      if (this.#isLoaded) this.#send(STOP, 0)
      // Nobody waits for what it loads.
      else this.kill()
    }
    await this.#gone
  }

  /** Ends it at once, but not its workers. */
  kill(): void {
    this.#retired = true
    this.#end.force('it was not needed any more')
    this.#handle?.kill()
  }

  /** Another parent is started for the next worker. */
  #hangs(limit: number): void {
    if (this.#ended) return
    this.#log(
      ERROR,
      coded(
        'MONO5004',
        `Killing preload parent ${this.pid}: it has not forked a worker for ${limit / 1000} s`,
      ),
    )
    this.#end.force('it did not fork a worker')
    this.#handle?.kill()
  }

  #send(type: number, stream: number, payload: Buffer | null = null): void {
    this.#handle?.sendControl(encodeFrame(type, stream, payload))
  }

  #log(level: typeof DEBUG | typeof INFO, text: string): void
  #log(level: number, text: Coded): void
  #log(level: number, text: string): void {
    this.#job.log.log(level, text as Coded)
  }

  // ---------------------------------------------------------------- from its process

  received(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#log(
        ERROR,
        coded('MONO5005', `Killing the preload parent: it broke the protocol: ${error.message}`),
      )
      this.#end.force('it broke the protocol')
      this.#handle?.kill()
      this.#handle?.channel.destroy()
    }
  }

  frame({ type, stream, payload }: Frame): boolean {
    if (stream > 0) this.#aboutFork(type, stream, payload)
    else if (type === READY) this.#ready(readReady(payload).pythonVersion)
    else if (type === FAIL)
      this.#failure = new ApplicationLoadError(fromElsewhere(readText(payload)))
    else if (type === STACKS) this.#handle?.stacksReceived(readText(payload))
    else if (type === LOG) {
      const { bytes, start, end } = payload
      if (end === start) throw new FrameError('a LOG without a level')
      const text = bytes.toString('utf8', start + 1, end)
      this.#job.log.log(bytes[start]!, fromElsewhere(text), this.pid)
    } else throw new FrameError(`frame type 0x${type.toString(16)} from a preload parent`)
    return false
  }

  #aboutFork(type: number, number: number, payload: Frame['payload']): void {
    const fork = this.#forks.get(number)
    if (type === FORKED && fork !== undefined) fork.resolve(readForked(payload))
    else if (type === FAIL && fork !== undefined) fork.reject(new Error(readText(payload)))
    else if (type === ENDED) {
      const { status, signal } = readEnded(payload)
      const reason =
        status === null && signal === null
          ? 'ended, and the application has taken its exit status'
          : exitReason(status, signal === null ? null : signalName(signal))
      const worker = this.#workers.get(number)
      if (worker !== undefined) worker.ended(reason)
      else if (fork !== undefined) this.#early.set(number, reason)
    } else throw new FrameError(`frame type 0x${type.toString(16)} about worker ${number}`)
  }

  #ready(python: string): void {
    if (this.#isLoaded) throw new FrameError('a second READY')
    if (this.#end.isForced) return
    this.#isLoaded = true
    this.#unwatch()
    const { application } = this.#job.worker
    this.#log(INFO, `Preload parent ${this.pid} has loaded ${application} (Python ${python})`)
    this.#setLoaded()
    if (this.#retired) this.#send(STOP, 0)
  }

  dataClosed(): void {
    this.#end.channelClosed()
  }

  exited(reason: string): void {
    this.#end.exited(reason, true)
  }

  exhausted(): void {}

  output(stream: 'stdout' | 'stderr', chunk: Buffer | null): void {
    this.#job.log.output(this.pid, stream, chunk)
  }

  #finish(reason: string): void {
    this.#ended = true
    this.#unwatch()
    const { pid } = this
    const text = `the preload parent ${reason}`
    this.#setFailed(this.#failure ?? new Error(`${text} before it had loaded the application`))
    for (const { reject } of this.#forks.values()) reject(new Error(text))
    if (this.#isLoaded && !this.#retired)
      this.#log(
        ERROR,
        coded(
          'MONO5004',
          `Preload parent ${pid} ${reason}. Its workers go on; ` +
            'the next worker waits until another parent has loaded the application',
        ),
      )
    for (const worker of this.#workers.values()) worker.orphaned()
    this.#handle?.dispose()
    this.#setGone()
  }
}

function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return (found?.[0] ?? `signal ${number}`) as NodeJS.Signals
}
