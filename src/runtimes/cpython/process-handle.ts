import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SocketPassing } from '../../transport/node-internals.ts'
import { rereadSocket } from '../../transport/reading-socket.ts'
import type { StackReport } from '../load-watch.ts'
import type { MemoryUse } from '../recycling.ts'
import { encodeFrame, GET_STACKS, readU32 } from '../workers/frames.ts'
import type { WorkerHandle, WorkerListener } from '../workers/worker-handle.ts'
import { memoryOf } from './process-memory.ts'
import { readStackDump } from './stack-dump.ts'

/** What a process of Python has been given by whoever started it. */
export interface ProcessParts {
  readonly pid: number
  readonly data: Socket
  readonly control: Socket
  readonly stdout: Socket
  readonly stderr: Socket
  /** A descriptor; see {@link openLedger}. */
  readonly ledger: number
  /** It shares memory with the process that it was forked from. */
  readonly forked: boolean
  /** Passes it clients' sockets; absent or null if that is not possible. */
  readonly sockets?: SocketPassing | null
  /** Sends it a signal. */
  signal(name: NodeJS.Signals): void
}

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

/**
 * Makes the file of a ledger. Returns its descriptor.
 *
 * @throws Error that names the cause if this process must not write there
 */
export function openLedger(path: string): number {
  let ledger: number
  try {
    ledger = openSync(path, 'wx+', 0o600)
  } catch (error) {
    throw ledgerError(error as NodeJS.ErrnoException, path)
  }
  writeSync(ledger, Buffer.alloc(LEDGER_BYTES))
  return ledger
}

/** What to tell of a ledger that could not be made: usually `--user` cannot enter the folder. */
export function ledgerError(error: NodeJS.ErrnoException, path: string): Error {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') return error
  return new Error(
    `the user of the server (uid ${process.geteuid?.()}) cannot write into ${dirname(path)}. ` +
      'Set TMPDIR (or --worker-tmp-dir, if that names it) to a folder in which it can write',
  )
}

/** A CPython process with two channels and the ledger; see `docs/reference/frames.md`. */
export class ProcessHandle implements WorkerHandle {
  readonly pid: number
  readonly channel: Socket
  readonly sockets: SocketPassing | null
  readonly #listener: WorkerListener
  readonly #parts: ProcessParts
  /** Up to where the ledger's file has been read for dumps. */
  #dumped = LEDGER_BYTES
  #disposed = false
  /** Called with the answer to GET_STACKS. */
  #onStacks: ((stacks: string) => void) | null = null

  constructor(parts: ProcessParts, listener: WorkerListener) {
    this.#parts = parts
    this.#listener = listener
    this.pid = parts.pid
    this.sockets = parts.sockets ?? null
    this.channel = this.#readData(parts.data)
    this.channel.on('error', () => {}) // the end of the process says why
    this.channel.on('close', () => listener.dataClosed())
    parts.control.on('error', () => {})
    for (const stream of ['stdout', 'stderr'] as const) {
      parts[stream].on('data', (chunk: Buffer) => listener.output(stream, chunk))
      parts[stream].on('close', () => listener.output(stream, null))
      parts[stream].on('error', () => {})
    }
  }

  /** Its channels do not keep this process from ending. */
  unref(): void {
    const { control, stdout, stderr } = this.#parts
    for (const held of [this.channel, control, stdout, stderr]) held.unref()
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
    const { control } = this.#parts
    if (!control.destroyed) control.write(frame)
  }

  begun(): number {
    const bytes = Buffer.alloc(4)
    readSync(this.#parts.ledger, bytes, 0, 4, 0)
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

  memoryUse(): Promise<MemoryUse | null> {
    return memoryOf(this.pid, this.#parts.forked)
  }

  stacksReceived(stacks: string): void {
    this.#onStacks?.(stacks)
  }

  /**
   * What it writes after the ledger on {@link DUMP_SIGNAL}, when nothing more comes; empty if
   * nothing came in time.
   */
  async #readDump(): Promise<string> {
    if (this.#disposed) return ''
    const { ledger } = this.#parts
    this.#parts.signal(DUMP_SIGNAL)
    const from = this.#dumped
    let size = from
    for (let waited = 0; waited < DUMP_MS; waited += DUMP_LOOK_MS) {
      await sleep(DUMP_LOOK_MS, undefined, { ref: false })
      if (this.#disposed) return ''
      const before = size
      size = fstatSync(ledger).size
      if (size > from && size === before) break
    }
    this.#dumped = size
    const bytes = Buffer.alloc(size - from)
    readSync(ledger, bytes, 0, bytes.length, from)
    return bytes.toString('latin1')
  }

  abort(): void {
    this.#parts.signal('SIGABRT')
    setTimeout(() => this.kill(), ABORT_MS).unref()
  }

  kill(): void {
    this.#parts.signal('SIGKILL')
  }

  dispose(): void {
    this.#disposed = true
    closeSync(this.#parts.ledger)
    this.channel.destroy()
    this.#parts.control.destroy()
    this.sockets?.close()
  }
}
