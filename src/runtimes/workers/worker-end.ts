/**
 * How long after the end of a process its last output is waited for, in milliseconds. Processes
 * that the application started may keep its pipes open.
 */
const LAST_OUTPUT_MS = 200

/** What a {@link WorkerEnd} calls. */
export interface WorkerEndActions {
  /** The worker has ended, and everything that it sent was read. Called once. */
  finish(reason: string): void
  /** The worker cannot continue and must be killed. */
  kill(reason: string): void
}

/**
 * Follows the end of a worker. It is over when its process or thread has ended and its data channel
 * is closed, because answers may still be on their way after the end of the process.
 */
export class WorkerEnd {
  readonly #actions: WorkerEndActions
  #killReason: string | null = null
  #exitReason: string | null = null
  #channelClosed = false
  #finished = false

  constructor(actions: WorkerEndActions) {
    this.#actions = actions
  }

  /** Whether the acceptor ends the worker itself. */
  get isForced(): boolean {
    return this.#killReason !== null
  }

  /** The acceptor ends the worker. The first reason counts. */
  force(reason: string): void {
    this.#killReason ??= reason
  }

  /** No more frames will come. */
  channelClosed(): void {
    this.#channelClosed = true
    if (this.#exitReason !== null) this.#finish()
    else if (this.#killReason === null) {
      // Usually it is about to end. If not, it is useless without its channel.
      const kill = () => this.#actions.kill('it closed its data channel')
      setTimeout(kill, LAST_OUTPUT_MS).unref()
    }
  }

  /**
   * The process or thread has ended, or it could not be started. The first reason counts.
   *
   * @param reason `killed by SIGKILL`
   * @param hadChannel whether there was a data channel, on which more may come
   */
  exited(reason: string, hadChannel: boolean): void {
    if (this.#exitReason !== null) return
    this.#exitReason = this.#killReason === null ? reason : `${reason}: ${this.#killReason}`
    if (this.#channelClosed || !hadChannel) this.#finish()
    else setTimeout(() => this.#finish(), LAST_OUTPUT_MS)
  }

  #finish(): void {
    if (this.#finished || this.#exitReason === null) return
    this.#finished = true
    this.#actions.finish(this.#exitReason)
  }
}
