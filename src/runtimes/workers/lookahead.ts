/**
 * How much work, in milliseconds, a worker has queued in addition to what it runs … A worker may go
 * this long without an answer before work is recalled: 1 ms cost a fifth to a half of the
 * throughput (docs/decisions/005-lookahead-with-recall.md).
 */
const LOOKAHEAD_MS = 5
/** … and how many requests at most. */
const MAX_LOOKAHEAD = 32
/** The assumed service time, in milliseconds, until one was measured. */
const FIRST_SERVICE_MS = 1
/** The weight of the newest measurement in the moving average of service times. */
const NEWEST = 0.2

/**
 * A worker that has answered nothing for this long is asked to give back what it has not begun, if
 * another worker is idle …
 */
export const RECALL_AFTER_MS = 5
/**
 * … and in any case after this many service times. Where requests take milliseconds, all of them
 * would be late after 5 ms.
 */
const RECALL_AFTER_SERVICES = 4
/** How long after a recall a worker is asked again, if it still has more than it can run. */
export const RECALL_AGAIN_MS = 20

/**
 * How many requests one worker is given ahead of time, and when it has to give them back.
 *
 * A worker that finds its next request waiting costs a fifth of one that must be woken. But queued
 * requests wait for the one before them, so the queue is measured in time, and is recalled when the
 * worker turns out to be slower than usual. All times are milliseconds of
 * `performance.now()`.
 */
export class Lookahead {
  /** When the worker last finished something or, if later, began to be busy. */
  movedAt = 0
  /**
   * All of its threads are busy and it has finished nothing for a while. It gets no requests in
   * addition to those that it runs.
   */
  stuck = false
  readonly #threads: number
  /** Moving average of the time from one answer to the next while busy. */
  #service = FIRST_SERVICE_MS
  #recalledAt = 0

  /** @param threads how many requests the worker runs at once */
  constructor(threads: number) {
    this.#threads = threads
  }

  /**
   * How many more requests the worker may be given now.
   *
   * @param load how many of its requests keep a thread busy or wait for one
   * @param sharing how many of these share their thread with others
   */
  space(load: number, sharing: number): number {
    if (this.stuck) return this.#threads - load
    const ahead = Math.min(MAX_LOOKAHEAD - 1, Math.floor(LOOKAHEAD_MS / this.#service))
    return this.#threads + ahead - (load - sharing)
  }

  /** Whether it could begin at once what another worker gives back. */
  isIdle(load: number): boolean {
    return load === 0
  }

  /** The worker, which was idle, got a request. */
  begin(now: number): void {
    this.movedAt = now
  }

  /** The worker finished `count` requests since {@link movedAt}. */
  finish(count: number, now: number): void {
    this.#service += ((now - this.movedAt) / count - this.#service) * NEWEST
    this.movedAt = now
    this.stuck = false
  }

  /** The worker was asked to give back what it has not begun. */
  recalled(now: number): void {
    this.#recalledAt = now
  }

  /**
   * Checks whether the worker is late, and whether to recall what it has not begun. Call it every
   * few milliseconds.
   *
   * @param memoryOver too much memory is held for clients: nothing that adds to it must begin
   * @param isSomeoneIdle whether another worker could run what is recalled
   */
  isRecallDue(
    load: number,
    now: number,
    memoryOver: boolean,
    isSomeoneIdle: () => boolean,
  ): boolean {
    const queued = load > this.#threads
    // What was on its way to the worker at the first recall was not given back.
    const again = now - this.#recalledAt > RECALL_AGAIN_MS
    let due = queued && memoryOver && again
    if (load >= this.#threads && this.#isLate(now, isSomeoneIdle)) {
      due ||= queued && (!this.stuck || again)
      this.stuck = true
    }
    return due
  }

  #isLate(now: number, isSomeoneIdle: () => boolean): boolean {
    const late = now - this.movedAt
    if (late <= RECALL_AFTER_MS) return false
    return late > this.#service * RECALL_AFTER_SERVICES || isSomeoneIdle()
  }
}
