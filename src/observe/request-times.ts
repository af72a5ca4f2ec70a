/**
 * When the parts of one exchange began, in milliseconds of `performance.now()`; 0 for what has not
 * happened, as with a file that is answered without the application.
 *
 * It exists only if somebody measures (with `metrics_bind`, or {@link RequestEvents.timed});
 * whoever has the request at a time notes it. What is between two of them is a wait or a work:
 *
 * | from | to | what it is |
 * |---|---|---|
 * | `arrived` | `queued` | the body is received |
 * | `queued` | `begun` | the request waits for a worker |
 * | `begun` | `finished` | the application works, and waits if its client reads slowly |
 * | `answered` | the end | the response is sent |
 */
export class RequestTimes {
  /** The head had been read. */
  readonly arrived: number
  /** The runtime got it. */
  queued = 0
  /** A worker got it. If it was taken back from one, the last one counts. */
  assigned = 0
  /** The application began with it, see {@link begin}. */
  begun = 0
  /** The application gave the head of its response. */
  answered = 0
  /** The application was done, or had failed. */
  finished = 0

  constructor(arrived: number) {
    this.arrived = arrived
  }

  /** The runtime gets it now. */
  queue(): void {
    this.queued = performance.now()
  }

  /** The head of its response is there. @param whole that is the whole response */
  answer(whole: boolean): void {
    this.answered = performance.now()
    if (whole) this.finished = this.answered
  }

  /** The application is done with it, or has failed. */
  finish(): void {
    if (this.finished === 0) this.finished = performance.now()
  }

  /** An application in this process gets it now: it does not wait. */
  run(): void {
    const now = performance.now()
    this.queued = now
    this.assigned = now
    this.begun = now
  }

  /**
   * Its answer shows that the application has begun. A worker does not say when it begins, which
   * would cost a message: one that has several requests begins the next one when it has finished
   * another.
   *
   * @param finishedBefore when the worker finished something else the last time; 0 if it had a
   * thread for this one at once
   */
  begin(finishedBefore: number): void {
    if (this.begun === 0) this.begun = Math.max(this.assigned, finishedBefore)
  }
}
