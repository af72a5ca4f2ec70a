import { MessageChannel, type MessagePort, Worker as Thread } from 'node:worker_threads'
import { type Coded, coded } from '../../../messages/coded.ts'
import { ownEntry } from '../../../own-files/own-files.ts'
import type { StackReport } from '../../load-watch.ts'
import { encodeFrame, LOG } from '../../workers/frames.ts'
import { ERROR } from '../../workers/log-levels.ts'
import type {
  WorkerHandle,
  WorkerListener,
  WorkerStarter,
  WorkerStartOptions,
} from '../../workers/worker-handle.ts'
import type { InspectionQuestion } from '../../workers/worker-inspections.ts'
import type { InterpreterFailure } from '../failure.ts'
import type { Mount } from '../files/mounts.ts'
import type { InterpreterImage } from '../image/image.ts'
import { takeLastMessages } from '../last-messages.ts'
import { ClaimKeeper } from '../locks/claim-keeper.ts'
import { createLockTable, releaseOwner } from '../locks/lock-table.ts'
import { memoryLimitText, STACK_MB, YOUNG_GENERATION_MB } from '../memory-limit.ts'
import { PortChannel } from './port-channel.ts'
import {
  MOST_UNTAKEN,
  SIGALRM,
  SIGPROF,
  SIGURG,
  type ThreadNotice,
  WORDS,
  WORDS_BYTES,
  type WorkerThreadData,
} from './worker-link.ts'

/** How the threads of a pool are started. */
export interface ThreadOptions {
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  /** The whole of `os.environ`. */
  readonly environment: Readonly<Record<string, string>>
  /** The limit of an interpreter's WebAssembly memory, in bytes; null for none. */
  readonly memoryLimit: number | null
}

/** Starts a pool's workers in threads of this process, each with an interpreter of its own. */
export function workerThreads(options: ThreadOptions): WorkerStarter {
  return async (listener, settings) => new WorkerThread(options, listener, settings)
}

/** One table of file locks for all interpreters of this process, whatever pool they are in. */
const locks = createLockTable()
const claims = new ClaimKeeper(locks)
let lastOwner = 0

/** How long a thread is told that a profile is over, which it may miss once; in milliseconds. */
const SAMPLES_END_MS = 100
/** How long to wait for the stack of a thread, in milliseconds. */
const WHERE_MS = 1000

/** A thread with an embedded interpreter, a message port, and a few words of shared memory. */
class WorkerThread implements WorkerHandle {
  readonly pid: number
  readonly channel: PortChannel
  readonly #listener: WorkerListener
  readonly #thread: Thread
  readonly #port: MessagePort
  readonly #words: Int32Array
  readonly #signals: Uint8Array
  readonly #owner = ++lastOwner
  #status: number | null = null
  #failure: InterpreterFailure | null = null
  /** The acceptor has ended the thread. */
  #killed = false
  /** The stream that was interrupted and may not have ended yet. */
  #late: number | null = null
  /** A profile of it is being taken. */
  #sampling = false
  /** Ends the profile of that number before its time. */
  #endSampling: (id: number) => void = () => {}
  /** Resolves the pending call of `reportStack`. */
  #resolveStack: ((stack: string | null) => void) | null = null

  constructor(
    options: ThreadOptions,
    listener: WorkerListener,
    { number, background }: WorkerStartOptions,
  ) {
    this.#listener = listener
    this.pid = number
    const { port1, port2 } = new MessageChannel()
    const shared = new SharedArrayBuffer(WORDS_BYTES)
    const signals = new SharedArrayBuffer(1)
    this.#words = new Int32Array(shared)
    this.#signals = new Uint8Array(signals)
    this.#port = port1
    this.channel = new PortChannel(port1, this.#words)
    const { image, mounts, environment, memoryLimit } = options
    const workerData: WorkerThreadData = {
      port: port2,
      shared,
      signals,
      number,
      image,
      mounts,
      environment,
      memoryLimit,
      locks,
      owner: this.#owner,
    }
    this.#thread = new Thread(ownEntry('runtimes/pyodide/worker/worker-entry'), {
      workerData,
      transferList: [port2],
      name: `monoceros ${number}`,
      env: {},
      execArgv: [],
      resourceLimits: { stackSizeMb: STACK_MB, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      // What is written there is not Python's output but pages of Pyodide's own source, which are
      // of no use to users. Nothing reads the streams, because that would keep the process alive;
      // the thread makes sure that hardly anything is written.
      stdout: true,
      stderr: true,
    })
    port1.on('message', (message: Uint8Array | ThreadNotice) => this.#onMessage(message))
    this.#thread.on('error', (error) => {
      this.#failure ??= { reason: threadError(error), place: '', status: null }
    })
    this.#thread.on('exit', (code) => {
      takeLastMessages(port1, (message: Uint8Array | ThreadNotice) => this.#onMessage(message))
      this.#onExit(code)
    })
    if (background) {
      this.#thread.unref()
      port1.unref()
    }
  }

  #onMessage(message: Uint8Array | ThreadNotice): void {
    const listener = this.#listener
    if (message instanceof Uint8Array) {
      const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
      const { length } = bytes
      listener.received(() => listener.decoder.feed(bytes))
      this.#took(length)
    } else if (message.type === 'output') {
      listener.output(message.stream, Buffer.from(message.bytes))
      this.#took(message.bytes.length)
    } else if (message.type === 'claimed') {
      claims.claimed()
    } else if (message.type === 'full') {
      listener.exhausted(`has no memory left (${memoryLimitText(message.limit)})`)
    } else if (message.type === 'stands') {
      this.#resolveStack?.(message.stack)
    } else if (message.type === 'ended') {
      this.#status = message.status
    } else {
      this.#failure = message.failure
    }
  }

  #took(bytes: number): void {
    if (Atomics.sub(this.#words, WORDS.untaken, bytes) > MOST_UNTAKEN)
      Atomics.notify(this.#words, WORDS.untaken)
  }

  #onExit(code: number): void {
    const listener = this.#listener
    releaseOwner(locks, this.#owner)
    // The thread may have been ended between a claim and its notice.
    claims.claimed()
    for (const stream of ['stdout', 'stderr'] as const) listener.output(stream, null)
    const failure = this.#failure
    if (failure !== null && failure.place !== '')
      this.#log(ERROR, coded('MONO5010', `The interpreter broke down. ${failure.place}`))
    listener.dataClosed()
    listener.exited(this.#endReason(code))
  }

  #endReason(code: number): string {
    const failure = this.#failure
    if (failure !== null && failure.status === null) return `broke down: ${failure.reason}`
    if (this.#killed) return 'was ended'
    return `ended with status ${failure?.status ?? this.#status ?? code}`
  }

  /** Logs a line about this worker. */
  #log(level: number, text: Coded): void {
    const frame = encodeFrame(LOG, 0, Buffer.concat([Buffer.from([level]), Buffer.from(text)]))
    this.#listener.received(() => this.#listener.decoder.feed(frame))
  }

  sendControl(frame: Buffer): void {
    this.channel.write(frame)
  }

  begun(): number {
    return Atomics.load(this.#words, WORDS.begun) >>> 0
  }

  takeBack(last: number): number {
    for (;;) {
      const begun = Atomics.load(this.#words, WORDS.begun)
      if (Atomics.compareExchange(this.#words, WORDS.begun, begun, last | 0) === begun)
        return begun >>> 0
    }
  }

  interrupt(stream: number): boolean {
    this.#late = stream
    Atomics.store(this.#words, WORDS.late, stream | 0)
    Atomics.store(this.#signals, 0, SIGALRM)
    this.channel.wake()
    return true
  }

  showStack(stream: number, seconds: number): boolean {
    Atomics.store(this.#words, WORDS.shown, stream | 0)
    Atomics.store(this.#words, WORDS.shownAfter, Math.round(seconds * 1000) | 0)
    // One that interrupts a request comes first.
    if (Atomics.compareExchange(this.#signals, 0, 0, SIGURG) === 0) this.channel.wake()
    return true
  }

  inspect(id: number, question: InspectionQuestion): string | null {
    if (question.what !== 'profile') return 'the embedded Python cannot trace its memory'
    const words = this.#words
    if (this.#sampling) return 'another profile of it is being taken'
    this.#sampling = true
    Atomics.store(words, WORDS.sampled, id | 0)
    Atomics.store(words, WORDS.hertz, Math.round(question.hertz))
    Atomics.store(words, WORDS.sampling, 1)
    let until = performance.now() + question.seconds * 1000
    this.#endSampling = (wanted) => {
      if (wanted === id) until = performance.now()
    }
    let last = Number.POSITIVE_INFINITY
    const timer = setInterval(() => {
      const now = performance.now()
      if (now >= until && last === Number.POSITIVE_INFINITY) {
        Atomics.store(words, WORDS.sampling, 0)
        last = now + SAMPLES_END_MS
      }
      // A signal that something else has sent comes first.
      Atomics.compareExchange(this.#signals, 0, 0, SIGPROF)
      if (now < until) return // one that is idle is not woken
      this.channel.wake()
      if (now < last && !this.channel.destroyed) return
      clearInterval(timer)
      this.#sampling = false
    }, 1000 / question.hertz)
    timer.unref()
    return null
  }

  endInspection(id: number): void {
    this.#endSampling(id)
  }

  async reportStack(): Promise<StackReport> {
    Atomics.store(this.#signals, 0, SIGURG)
    this.channel.wake()
    const stack = await new Promise<string | null>((resolve) => {
      this.#resolveStack = resolve
      setTimeout(() => resolve(null), WHERE_MS).unref()
    })
    this.#resolveStack = null
    if (stack !== null) return { text: stack, isStack: true }
    const text =
      'Its stack is not available: the interpreter itself is still starting, ' +
      'or it runs compiled code that does not check for signals.'
    return { text, isStack: false }
  }

  /** The answer of a worker process. A thread answers with a notice instead. */
  stacksReceived(): void {}

  /** Threads share their process; `worker_memory` bounds what each has. */
  async memoryUse(): Promise<null> {
    return null
  }

  abort(): void {
    const late = this.#late
    if (late !== null && !this.#killed) {
      const interrupted = Atomics.load(this.#words, WORDS.interrupted) >>> 0 === late
      this.#log(
        ERROR,
        coded(
          'MONO4011',
          interrupted
            ? 'The request that timed out is still running after it was interrupted: ' +
                'the application catches BaseException, or takes long to clean up'
            : 'The request that timed out cannot be interrupted and its stack is not available: ' +
                'it runs compiled code that does not check for signals',
        ),
      )
    }
    this.kill()
  }

  kill(): void {
    this.#killed = true
    void this.#thread.terminate()
  }

  dispose(): void {
    this.#port.close()
    this.channel.destroy()
  }
}

/** A thread's error in one line, without the stack, which is a page of minified source. */
function threadError(error: unknown): string {
  if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return 'JavaScript ran out of memory in its thread'
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const line = text.split('\n', 1)[0] ?? ''
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
