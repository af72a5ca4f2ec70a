import type { WorkerListener } from '../workers/worker-handle.ts'
import { ProcessHandle, type ProcessParts } from './process-handle.ts'

/**
 * How long after the end of its control channel a worker's exit status is waited for, in
 * milliseconds.
 */
const STATUS_MS = 1000

/** A process that is not ours: its parent tells how it has ended, or, without one, its channels. */
export class ForkedWorker {
  readonly handle: ProcessHandle
  readonly #listener: WorkerListener
  readonly #pid: number
  readonly #forget: () => void
  #closed = false
  #orphaned = false
  #ended = false

  /** @param forget called when it has ended */
  constructor(
    parts: Omit<ProcessParts, 'signal' | 'forked'>,
    listener: WorkerListener,
    forget: () => void,
  ) {
    this.#listener = listener
    this.#pid = parts.pid
    this.#forget = forget
    this.handle = new ProcessHandle(
      { ...parts, forked: true, signal: (name) => this.#signal(name) },
      listener,
    )
    const { control, stdout, stderr } = parts
    control.on('close', () => this.#controlClosed())
    for (const socket of [control, stdout, stderr]) socket.resume()
  }

  /** Its parent reports its end: `killed by SIGKILL`. */
  ended(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#forget()
    // Not before the handle has been returned.
    setImmediate(() => this.#listener.exited(reason))
  }

  /** Its parent has ended, and will report nothing. */
  orphaned(): void {
    this.#orphaned = true
    if (this.#closed) this.#endedUnseen()
  }

  #controlClosed(): void {
    this.#closed = true
    if (this.#ended) return
    if (this.#orphaned) this.#endedUnseen()
    else
      setTimeout(() => {
        // It may run without its channels, but cannot serve.
        this.#signal('SIGKILL')
        this.ended('closed its control channel')
      }, STATUS_MS).unref()
  }

  #endedUnseen(): void {
    this.ended('ended; how is not known, because its preload parent is gone')
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#ended) return
    try {
      process.kill(this.#pid, name)
    } catch {
      // It has ended, as its channels will show.
    }
  }
}
