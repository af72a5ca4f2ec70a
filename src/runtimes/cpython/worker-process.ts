import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { rereadSocket } from '../../transport/reading-socket.ts'
import type { StackReport } from '../load-watch.ts'
import { encodeFrame, GET_STACKS, readU32 } from '../workers/frames.ts'
import type {
  WorkerHandle,
  WorkerListener,
  WorkerStarter,
  WorkerStartOptions,
} from '../workers/worker-handle.ts'
import type { Interpreter } from './interpreter.ts'
import { readStackDump } from './stack-dump.ts'

/** How the processes of a pool are started. */
export interface ProcessOptions {
  readonly interpreter: Interpreter
  readonly environment: Readonly<Record<string, string>>
  /** A folder for the ledger, which has a name there only for a moment. */
  readonly directory: string
}

const SCRIPT = fileURLToPath(new URL('../../../python/monoceros-worker', import.meta.url))
/** The time from SIGABRT, on which Python prints the stacks of its threads, to SIGKILL. */
const ABORT_MS = 1000
/** The size of the ledger in its file, in bytes; stack dumps are written after it. */
const LEDGER_BYTES = 4096
/** How long Python has to answer GET_STACKS, in milliseconds. */
const ANSWER_MS = 1000
/**
 * On this signal a worker writes its stacks after the ledger, even if the application never
 * releases the interpreter's lock. A process without a handler ignores it.
 */
const DUMP_SIGNAL = 'SIGURG'
/** How long that is waited for, and how often it is checked; milliseconds. */
const DUMP_MS = 750
const DUMP_LOOK_MS = 25

/** Workers of a pool in processes of an installed Python. */
export function workerProcesses(options: ProcessOptions): WorkerStarter {
  return async (listener, settings) => {
    const worker = new WorkerProcess(options, listener, settings)
    await worker.spawned
    return worker
  }
}

/** A CPython process with two socketpairs and the ledger; see `docs/reference/frames.md`. */
class WorkerProcess implements WorkerHandle {
  readonly channel: Socket
  /** Rejected if the process could not be started. */
  readonly spawned: Promise<void>
  readonly #listener: WorkerListener
  readonly #process: ChildProcess
  readonly #control: Socket
  readonly #ledger: number
  /** Up to where its file has been read for dumps. */
  #dumped = LEDGER_BYTES
  #disposed = false
  /** Called with the answer to GET_STACKS. */
  #onStacks: ((stacks: string) => void) | null = null

  constructor(
    { interpreter, environment, directory }: ProcessOptions,
    listener: WorkerListener,
    { number, application, chdir, background }: WorkerStartOptions,
  ) {
    this.#listener = listener
    const ledgerPath = join(directory, `ledger-${process.pid}-${number}-${randomUUID()}`)
    this.#ledger = openSync(ledgerPath, 'wx+', 0o600)
    unlinkSync(ledgerPath)
    writeSync(this.#ledger, Buffer.alloc(LEDGER_BYTES))
    try {
      this.#process = spawn(interpreter.command, [SCRIPT, application], {
        cwd: chdir,
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', this.#ledger],
      })
    } catch (error) {
      closeSync(this.#ledger)
      throw error
    }
    const child = this.#process
    this.spawned = new Promise((resolve, reject) => {
      child.on('spawn', resolve)
      // Later errors are about signals that could not be sent.
      child.on('error', (error) => {
        reject(error)
        if (child.pid === undefined) this.dispose()
      })
    })
    child.on('exit', (code, signal) => listener.exited(exitReason(code, signal)))
    // If descriptors have run out, there are no channels either.
    const { stdio = [] } = child
    const started = child.pid !== undefined
    this.channel = started ? this.#readData(stdio[3] as Socket) : (stdio[3] as Socket)
    this.#control = stdio[4] as Socket
    if (!started) return // `spawned` is rejected
    this.channel.on('error', () => {}) // the end of the process says why
    this.channel.on('close', () => listener.dataClosed())
    this.#control.on('error', () => {})
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]!.on('data', (chunk: Buffer) => listener.output(stream, chunk))
      child[stream]!.on('close', () => listener.output(stream, null))
    }
    if (!background) return
    for (const held of [child, this.channel, this.#control, child.stdout, child.stderr])
      (held as { unref?: () => void }).unref?.()
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /**
   * Reads the data channel into the decoder's memory, or copies there if Node.js does not allow
   * that.
   */
  #readData(channel: Socket): Socket {
    const { decoder } = this.#listener
    const read = (length: number) => this.#listener.received(() => decoder.take(length))
    const data = rereadSocket(channel, { buffer: decoder.space, read })
    if (data !== null) return data
    return channel.on('data', (chunk: Buffer) => this.#listener.received(() => decoder.feed(chunk)))
  }

  sendControl(frame: Buffer): void {
    if (!this.#control.destroyed) this.#control.write(frame)
  }

  begun(): number {
    const bytes = Buffer.alloc(4)
    readSync(this.#ledger, bytes, 0, 4, 0)
    return readU32(bytes, 0)
  }

  takeBack(): null {
    return null
  }

  interrupt(): boolean {
    return false
  }

  async reportStack(): Promise<StackReport> {
    const stack = readStackDump((await this.#ask()) ?? (await this.#readDump()))
    if (stack !== null) return { text: stack, isStack: true }
    const text =
      'Its stack is not known: Python itself is still starting, or the application handles SIGURG.'
    return { text, isStack: false }
  }

  /**
   * Null if it does not answer: Python is not yet running, or the application never releases the
   * interpreter's lock.
   */
  async #ask(): Promise<string | null> {
    this.sendControl(encodeFrame(GET_STACKS, 0, null))
    const answer = await new Promise<string | null>((resolve) => {
      this.#onStacks = resolve
      setTimeout(() => resolve(null), ANSWER_MS).unref()
    })
    this.#onStacks = null
    return answer
  }

  stacksReceived(stacks: string): void {
    this.#onStacks?.(stacks)
  }

  /**
   * What it writes after the ledger on {@link DUMP_SIGNAL}, when nothing more comes; empty if
   * nothing came in time.
   */
  async #readDump(): Promise<string> {
    this.#process.kill(DUMP_SIGNAL)
    const from = this.#dumped
    let size = from
    for (let waited = 0; waited < DUMP_MS; waited += DUMP_LOOK_MS) {
      await sleep(DUMP_LOOK_MS, undefined, { ref: false })
      if (this.#disposed) return ''
      const before = size
      size = fstatSync(this.#ledger).size
      if (size > from && size === before) break
    }
    this.#dumped = size
    const bytes = Buffer.alloc(size - from)
    readSync(this.#ledger, bytes, 0, bytes.length, from)
    return bytes.toString('latin1')
  }

  abort(): void {
    this.#process.kill('SIGABRT')
    setTimeout(() => this.kill(), ABORT_MS).unref()
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  dispose(): void {
    this.#disposed = true
    closeSync(this.#ledger)
    this.channel?.destroy()
    this.#control?.destroy()
  }
}

function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  return signal !== null ? `killed by ${signal}` : `exited with status ${code}`
}
