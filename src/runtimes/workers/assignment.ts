import type { LentSocket } from '../../transport/lent-socket.ts'
import type { Task, TaskHandle } from '../runtime.ts'

/** What an assignment needs of its worker. */
export interface AssignmentRunner {
  /** See {@link TaskHandle.crowded}. */
  readonly crowded: boolean
  cancel(assignment: Assignment): void
  sendBody(assignment: Assignment, chunk: Buffer, end: boolean): void
  abortBody(assignment: Assignment): void
  grant(assignment: Assignment, bytes: number): void
  lend(assignment: Assignment, lent: LentSocket): boolean
  decline(assignment: Assignment): void
}

/** What an assignment needs of the queue in which it waits. */
export interface AssignmentQueue {
  /** An assignment in the queue was cancelled. */
  forget(): void
}

/** A task in a pool: it waits in the queue, or a worker has it. */
export class Assignment implements TaskHandle {
  readonly task: Task
  /** Null while it waits. */
  worker: AssignmentRunner | null = null
  /** The queue in which it waits, or null. */
  queue: AssignmentQueue | null = null
  // Its neighbours in the table of its worker, which is their only user.
  before: Assignment | null = null
  after: Assignment | null = null
  nextInChain: Assignment | null = null
  stream = 0
  /** Bytes of response body that the worker may still send. */
  credit = 0
  /** The worker has suspended it until the client takes more: it keeps no thread busy. */
  suspended = false
  /**
   * It was suspended at some time: its worker runs others between two windows of its response.
   */
  shares = false
  /**
   * When it began to wait for its turn among those that share, in milliseconds of
   * `performance.now()`.
   */
  turn = 0
  /** Its worker has not ended it yet, as far as the acceptor knows. */
  open = true
  /** The task's ending was called, or the client is gone: nothing more is called of the task. */
  settled = false
  headSent = false
  /** Bytes that the worker has offered to send itself; 0 if it has not, or has done so. */
  offered = 0
  /** It has the client's socket for that. */
  lent = false
  /** Bytes of early hints that its worker has sent. */
  informed = 0
  /** Its application ran out of time. */
  timedOut = false
  /** The worker has raised in its application because of that. */
  interrupted = false
  /**
   * When the application was last known to have something to do, in milliseconds of
   * `performance.now()`; its timeout counts from there.
   */
  activeAt = 0
  /** When it was submitted. */
  readonly queuedAt: number
  /** The gateway cancelled it and still has to be told when no worker has it any more. */
  #cancelled = false

  constructor(task: Task, now: number) {
    this.task = task
    this.queuedAt = now
  }

  get blocking(): boolean {
    return this.worker !== null && this.headSent && this.credit === 0 && !this.suspended
  }

  get crowded(): boolean {
    return this.worker?.crowded ?? false
  }

  cancel(): void {
    if (this.settled) return
    this.settled = true
    this.#cancelled = true
    if (this.worker !== null) return this.worker.cancel(this)
    this.queue?.forget()
    this.release()
  }

  /** Its worker does not have it any more. */
  leave(): void {
    this.open = false
    this.worker = null
    this.release()
  }

  /** No worker has it or will get it. */
  release(): void {
    if (!this.#cancelled) return
    this.#cancelled = false
    this.task.released()
  }

  sendBody(chunk: Buffer, end: boolean): void {
    if (this.open) this.worker?.sendBody(this, chunk, end)
  }

  abortBody(): void {
    if (this.open) this.worker?.abortBody(this)
  }

  grant(bytes: number): void {
    if (this.open) this.worker?.grant(this, bytes)
  }
}
