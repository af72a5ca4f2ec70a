import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rereadSocket } from '../../sockets/reading-socket.ts'
import { readU32 } from '../workers/frames.ts'
import type { UnitListener, UnitSettings, UnitStarter, WorkerUnit } from '../workers/unit.ts'
import type { Interpreter } from './interpreter.ts'

/** How the processes of a pool are started. */
export interface ProcessOptions {
  readonly interpreter: Interpreter
  readonly environment: Readonly<Record<string, string>>
  /** A folder for the ledger, which has a name there for a moment only. */
  readonly directory: string
}

const SCRIPT = fileURLToPath(new URL('../../../python/monoceros-worker', import.meta.url))
/** From SIGABRT, on which Python prints where every thread is, to SIGKILL. */
const ABORT_MS = 1000

/** Workers of a pool in processes of an installed Python. */
export function workerProcesses(options: ProcessOptions): UnitStarter {
  return (listener, settings) => new WorkerProcess(options, listener, settings)
}

/** A CPython process with two socketpairs and the ledger; see `docs/reference/frames.md`. */
class WorkerProcess implements WorkerUnit {
  readonly channel: Socket
  readonly #listener: UnitListener
  readonly #process: ChildProcess
  readonly #control: Socket
  readonly #ledger: number

  constructor(
    { interpreter, environment, directory }: ProcessOptions,
    listener: UnitListener,
    { number, application, chdir, background }: UnitSettings,
  ) {
    this.#listener = listener
    const ledgerPath = join(directory, `ledger-${process.pid}-${number}-${randomUUID()}`)
    this.#ledger = openSync(ledgerPath, 'wx+', 0o600)
    unlinkSync(ledgerPath)
    writeSync(this.#ledger, Buffer.alloc(4096))
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
    child.on('error', (error) => listener.exited(`could not be started: ${error.message}`))
    child.on('exit', (code, signal) => listener.exited(describeExit(code, signal)))
    // Where descriptors have run out there are no channels either.
    const { stdio = [] } = child
    const started = child.pid !== undefined
    this.channel = started ? this.#readData(stdio[3] as Socket) : (stdio[3] as Socket)
    this.#control = stdio[4] as Socket
    if (!started) return // 'error' follows
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

  /** Reads the data channel into the decoder's memory; where node does not allow that, by copying. */
  #readData(channel: Socket): Socket {
    const { decoder } = this.#listener
    const read = (length: number) => this.#listener.received(() => decoder.take(length))
    const data = rereadSocket(channel, { buffer: decoder.room, read })
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

  abort(): void {
    this.#process.kill('SIGABRT')
    setTimeout(() => this.kill(), ABORT_MS).unref()
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  dispose(): void {
    closeSync(this.#ledger)
    this.channel?.destroy()
    this.#control?.destroy()
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal !== null ? `killed by ${signal}` : `exited with status ${code}`
}
