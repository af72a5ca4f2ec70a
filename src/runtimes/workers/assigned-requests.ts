import type { Assignment } from './assignment.ts'
import { AssignmentTable } from './assignment-table.ts'
import { FrameError } from './frames.ts'
import type { Lookahead } from './lookahead.ts'
import type { WorkerCapacity } from './worker-options.ts'

/**
 * A thread is crowded when it has begun this many responses that are not complete; a worker with
 * greenlets, when half of them are busy with such responses.
 */
const CROWD = 3

/** The requests that a worker has, and how much they keep its threads busy. */
export class AssignedRequests {
  /** By stream, in the order in which the worker begins them. */
  readonly byStream = new AssignmentTable()
  /** How many of them keep a thread busy or wait for one. */
  load = 0
  /** How many of these share their thread with others. */
  sharing = 0
  /** How many moved since {@link Lookahead.finish} was last called. */
  moved = 0
  readonly #lookahead: Lookahead
  /** A suspended one keeps its greenlet; a thread does something else in the meantime. */
  readonly #cooperative: boolean
  readonly #crowd: number
  /** How many have sent their head and are not complete. */
  #answering = 0

  constructor(lookahead: Lookahead, { threads, cooperative }: WorkerCapacity) {
    this.#lookahead = lookahead
    this.#cooperative = cooperative
    this.#crowd = cooperative ? threads / 2 : CROWD * threads
  }

  get crowded(): boolean {
    return this.#answering >= this.#crowd
  }

  /**
   * When one of its threads last was done with something, or the worker began to be busy. Of
   * several answers that arrive together, the first one took the time of all.
   */
  get movedAt(): number {
    return this.moved > 0 ? performance.now() : this.#lookahead.movedAt
  }

  add(assignment: Assignment, now: number): void {
    this.byStream.add(assignment)
    if (this.load++ === 0) this.#lookahead.begin(now)
  }

  /** The worker has sent the head of its response. */
  headSent(assignment: Assignment): void {
    assignment.headSent = true
    this.#answering++
  }

  /** The worker has sent that many bytes of the body. @throws FrameError */
  spend(assignment: Assignment, bytes: number): void {
    if (bytes > assignment.credit) throw new FrameError('more response body than it has credit for')
    assignment.activeAt = performance.now()
    assignment.credit -= bytes
  }

  /** The worker may send that many bytes more. */
  grant(assignment: Assignment, bytes: number): void {
    if (assignment.credit === 0) assignment.activeAt = performance.now()
    // Without credit alone, it would not be resumed: it waits for a socket.
    if (assignment.suspended && assignment.offered === 0) this.#resume(assignment)
    assignment.credit += bytes
  }

  /**
   * The application is done with the rest of the response, which waits for the client's socket. Its
   * thread does something else in the meantime.
   */
  offer(assignment: Assignment, bytes: number): void {
    this.moved++
    assignment.offered = bytes
    assignment.activeAt = performance.now()
    if (assignment.suspended || this.#cooperative) return
    if (assignment.shares) this.sharing--
    assignment.shares = true
    assignment.suspended = true
    this.load--
  }

  /** It goes on with frames. */
  resume(assignment: Assignment): void {
    assignment.offered = 0
    assignment.activeAt = performance.now()
    if (assignment.suspended) this.#resume(assignment)
  }

  #resume(assignment: Assignment): void {
    assignment.suspended = false
    assignment.turn = assignment.activeAt
    this.sharing++
    if (this.load++ === 0) this.#lookahead.begin(assignment.activeAt)
  }

  /** It is out of credit, and its thread does something else until there is more. */
  suspend(assignment: Assignment): void {
    // Something has moved, and others have had or will have their turn.
    this.moved++
    if (assignment.suspended || this.#cooperative) return
    if (!assignment.shares) {
      assignment.shares = true
      this.sharing++
    }
    assignment.turn = performance.now()
    // Credit that is on its way resumes it.
    if (assignment.credit > 0) return
    assignment.suspended = true
    this.sharing--
    this.load--
  }

  /** The worker has ended it. */
  release(assignment: Assignment): void {
    this.#remove(assignment)
    this.moved++
  }

  /** The worker has not begun it, and does not have it any more. */
  takeBack(assignment: Assignment): void {
    this.#remove(assignment)
  }

  #remove(assignment: Assignment): void {
    if (!assignment.suspended) {
      this.load--
      if (assignment.shares) this.sharing--
    }
    if (assignment.headSent) this.#answering--
    this.byStream.remove(assignment)
    assignment.leave()
  }

  /** The worker is gone. @returns what it had */
  removeAll(): Assignment[] {
    const all = [...this.byStream]
    for (const assignment of all) this.#remove(assignment)
    return all
  }
}
