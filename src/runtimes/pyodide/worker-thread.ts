import { MessageChannel, type MessagePort, Worker as Thread } from 'node:worker_threads'
import type { Whereabouts } from '../load-watch.ts'
import type { FrameChannel } from '../workers/frame-writer.ts'
import { encodeFrame, LOG } from '../workers/frames.ts'
import type {
  WorkerHandle,
  WorkerListener,
  WorkerSettings,
  WorkerStarter,
} from '../workers/worker-handle.ts'
import type { InterpreterFailure } from './failure.ts'
import type { Mount } from './files/mounts.ts'
import type { InterpreterImage } from './image/image.ts'
import { ClaimKeeper } from './locks/claim-keeper.ts'
import { createLockTable, releaseOwner } from './locks/lock-table.ts'
import { memoryLimitText } from './memory-limit.ts'
import {
  MOST_UNTAKEN,
  SIGALRM,
  SIGURG,
  STACK_MB,
  type ThreadNotice,
  WORDS_BYTES,
  type WorkerThreadData,
  words,
  YOUNG_GENERATION_MB,
} from './worker-link.ts'

/** How the threads of a pool are started. */
export interface ThreadOptions {
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  /** The whole of `os.environ`. */
  readonly environment: Readonly<Record<string, string>>
  /** Bytes of WebAssembly memory that one interpreter may have; null for as much as there is. */
  readonly memoryLimit: number | null
}

/** Workers of a pool in threads of this process, each with an interpreter of its own. */
export function workerThreads(options: ThreadOptions): WorkerStarter {
  return (listener, settings) => new WorkerThread(options, listener, settings)
}

/** All interpreters of this process exclude each other by one table, whatever pool they are in. */
const locks = createLockTable()
const claims = new ClaimKeeper(locks)
let lastOwner = 0

const ERROR = 40
/** How long a thread is given to say where it stands, in milliseconds. */
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
  /** Ended by us. */
  #killed = false
  /** The stream that was interrupted and has not been seen to end. */
  #late: number | null = null
  /** Whoever has asked where it stands. */
  #whoAsks: ((stack: string | null) => void) | null = null

  constructor(
    options: ThreadOptions,
    listener: WorkerListener,
    { number, background }: WorkerSettings,
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
    this.#thread = new Thread(new URL('./worker-entry.js', import.meta.url), {
      workerData,
      transferList: [port2],
      name: `monoceros ${number}`,
      env: {},
      execArgv: [],
      resourceLimits: { stackSizeMb: STACK_MB, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      // What is written there is not Python's, and not for users: pages of Pyodide's own source.
      // Nobody reads it, because who does keeps the process alive; the thread itself sees to it
      // that there is next to nothing.
      stdout: true,
      stderr: true,
    })
    port1.on('message', (message: Uint8Array | ThreadNotice) => this.#onMessage(message))
    this.#thread.on('error', (error) => {
      this.#failure ??= { reason: threadError(error), place: '', status: null }
    })
    this.#thread.on('exit', (code) => {
      // Its last messages are on their way here before the thread can end.
      setImmediate(() => this.#onExit(code))
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
      this.#whoAsks?.(message.stack)
    } else if (message.type === 'ended') {
      this.#status = message.status
    } else {
      this.#failure = message.failure
    }
  }

  #took(bytes: number): void {
    if (Atomics.sub(this.#words, words.untaken, bytes) > MOST_UNTAKEN)
      Atomics.notify(this.#words, words.untaken)
  }

  #onExit(code: number): void {
    const listener = this.#listener
    releaseOwner(locks, this.#owner)
    // It may have been ended before it could say so.
    claims.claimed()
    for (const stream of ['stdout', 'stderr'] as const) listener.output(stream, null)
    const failure = this.#failure
    if (failure !== null && failure.place !== '')
      this.#say(ERROR, `The interpreter broke down. ${failure.place}`)
    listener.dataClosed()
    listener.exited(this.#endReason(code))
  }

  #endReason(code: number): string {
    const failure = this.#failure
    if (failure !== null && failure.status === null) return `broke down: ${failure.reason}`
    if (this.#killed) return 'was ended'
    return `ended with status ${failure?.status ?? this.#status ?? code}`
  }

  /** A line of the log that is about this worker. */
  #say(level: number, text: string): void {
    const frame = encodeFrame(LOG, 0, Buffer.concat([Buffer.from([level]), Buffer.from(text)]))
    this.#listener.received(() => this.#listener.decoder.feed(frame))
  }

  sendControl(frame: Buffer): void {
    this.channel.write(frame)
  }

  begun(): number {
    return Atomics.load(this.#words, words.begun) >>> 0
  }

  takeBack(last: number): number {
    for (;;) {
      const begun = Atomics.load(this.#words, words.begun)
      if (Atomics.compareExchange(this.#words, words.begun, begun, last | 0) === begun)
        return begun >>> 0
    }
  }

  interrupt(stream: number): boolean {
    this.#late = stream
    Atomics.store(this.#words, words.late, stream | 0)
    Atomics.store(this.#signals, 0, SIGALRM)
    this.channel.wake()
    return true
  }

  async where(): Promise<Whereabouts> {
    Atomics.store(this.#signals, 0, SIGURG)
    this.channel.wake()
    const stack = await new Promise<string | null>((resolve) => {
      this.#whoAsks = resolve
      setTimeout(() => resolve(null), WHERE_MS).unref()
    })
    this.#whoAsks = null
    if (stack !== null) return { text: stack, isStack: true }
    const text =
      'Where it stands cannot be told: the interpreter itself is still starting, or it is in compiled code that looks for no signals.'
    return { text, isStack: false }
  }

  /** There is no thread to answer a frame; it says so in a way of its own. */
  stands(): void {}

  abort(): void {
    const late = this.#late
    if (late !== null && !this.#killed) {
      const heard = Atomics.load(this.#words, words.interrupted) >>> 0 === late
      this.#say(
        ERROR,
        heard
          ? 'The request that ran out of time goes on after its interruption: the application catches BaseException, ' +
              'or takes long to clean up'
          : 'The request that ran out of time cannot be interrupted where it is, and where that is cannot be told: ' +
              'it is in compiled code that looks for no signals',
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

/**
 * The sending side of a message port, for a {@link FrameWriter}; the receiver may be blocked, so it
 * is woken.
 */
class PortChannel implements FrameChannel {
  readonly writableLength = 0
  destroyed = false
  readonly #port: MessagePort
  readonly #words: Int32Array

  constructor(port: MessagePort, shared: Int32Array) {
    this.#port = port
    this.#words = shared
  }

  write(bytes: Buffer): void {
    if (this.destroyed) return
    // A copy of just these: a Buffer is often a window into a larger piece of memory, which would
    // be cloned with it.
    const copy = new Uint8Array(bytes)
    this.#port.postMessage(copy, [copy.buffer])
    this.wake()
  }

  wake(): void {
    Atomics.add(this.#words, words.sent, 1)
    Atomics.notify(this.#words, words.sent)
  }

  destroy(): void {
    this.destroyed = true
  }
}

/**
 * An error of a thread in a line; what V8 shows of the place is a page of somebody's minified
 * source.
 */
function threadError(error: unknown): string {
  if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return 'JavaScript ran out of memory in its thread'
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const line = text.split('\n', 1)[0] ?? ''
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
