import { Lookahead, RECALL_AFTER_MS, RECALL_AGAIN_MS } from './lookahead.ts'

/**
 * The requests of a worker that runs each in a greenlet. It begins all that it has at once, so none
 * is given ahead of time. If one computes, those that come after it do not begin: then they are
 * recalled for another worker. All times are milliseconds of `performance.now()`.
 */
export class GreenletLookahead extends Lookahead {
  readonly #greenlets: number
  readonly #waitsToBegin: (now: number) => number
  #askedAt = 0

  /**
   * @param greenlets how many requests the worker may have
   * @param waitsToBegin how long the first request that it has not begun has waited for that; 0 if
   * it has begun all
   */
  constructor(greenlets: number, waitsToBegin: (now: number) => number) {
    super(greenlets)
    this.#greenlets = greenlets
    this.#waitsToBegin = waitsToBegin
  }

  override space(load: number): number {
    return this.stuck ? 0 : this.#greenlets - load
  }

  override isIdle(load: number): boolean {
    return !this.stuck && load < this.#greenlets
  }

  override recalled(now: number): void {
    this.#askedAt = now
  }

  override isRecallDue(
    _load: number,
    now: number,
    memoryOver: boolean,
    isSomeoneIdle: () => boolean,
  ): boolean {
    const waited = this.#waitsToBegin(now)
    this.stuck = waited > RECALL_AFTER_MS
    if (waited === 0 || now - this.#askedAt <= RECALL_AGAIN_MS) return false
    return memoryOver || (this.stuck && isSomeoneIdle())
  }
}
