import type { Spool } from '../spool/spool.ts'
import { SpoolAhead } from '../spool/spool-ahead.ts'

/** A response whose application has produced all that it may before the client takes more. */
export interface WaitingResponse {
  /**
   * When the client is slow if it has taken nothing by then, in milliseconds of
   * `performance.now()`.
   */
  slowAt: number
  /**
   * What {@link taken} was when it began to wait, or when the client was last seen to take
   * something.
   */
  takenThen: number
  /** Bytes that its client has taken so far, of whatever response. */
  readonly taken: number
  /**
   * Takes the rest from the application, and keeps it for the client. @returns false when there is
   * no room, now
   */
  spool(): boolean
  /**
   * {@link slowAt} has come. @returns whether there is nothing more to be done: the client has
   * taken what there was, or all of it is spooled
   */
  slow(): boolean
  /** It keeps a thread from other requests. */
  readonly blocking: boolean
  /** Gives the client up. */
  cut(): void
}

/**
 * A client that takes nothing for this long is slow: one that reads as fast as it can takes some
 * within a fraction of it.
 */
const SLOW_MS = 10
/**
 * A client that takes nothing for this long is given up where nothing can be spooled and others
 * need what it holds.
 */
const STALLED_MS = 2000
/** What was spooled for another reason stays in memory for this long. */
const SPILL_MS = 100

/**
 * Finds the responses that are kept waiting by their clients, and has them spooled. While no
 * application waits for a client it does nothing; one timer serves all of those that do.
 */
export class SlowReaders {
  readonly ahead: SpoolAhead
  readonly #spool: Spool
  readonly #waiting = new Set<WaitingResponse>()
  readonly #othersWait: () => boolean
  #timer: NodeJS.Timeout | null = null

  /** @param othersWait whether there are requests that nobody runs yet */
  constructor(spool: Spool, othersWait: () => boolean) {
    this.#spool = spool
    this.#othersWait = othersWait
    this.ahead = new SpoolAhead(spool.memory.limit)
  }

  /** The application has produced all that it may, and waits from now on. */
  watch(response: WaitingResponse): void {
    if (this.#spool.responseLimit > 0) this.#look(response, SLOW_MS)
  }

  /**
   * Spools a response before its client has proved to be slow, because memory is short, or because
   * many others are under way in its worker: that would begin ever more requests between two
   * windows of each, and hold all of their responses.
   *
   * @returns false when that is not possible, now
   */
  spare(response: WaitingResponse): boolean {
    if (this.#spool.responseLimit === 0 || !response.spool()) return false
    this.#look(response, SPILL_MS)
    return true
  }

  #look(response: WaitingResponse, afterMs: number): void {
    response.slowAt = performance.now() + afterMs
    response.takenThen = response.taken
    this.#waiting.add(response)
    if (this.#timer === null) {
      this.#timer = setInterval(() => this.#lookAtAll(), SLOW_MS)
      this.#timer.unref()
    }
  }

  /** What it holds is needed: memory, or a thread that another request waits for. */
  #isInTheWay(response: WaitingResponse): boolean {
    return this.#spool.memory.full || (response.blocking && this.#othersWait())
  }

  #lookAtAll(): void {
    const now = performance.now()
    const stalled = now - STALLED_MS
    for (const response of this.#waiting) {
      if (response.slowAt > now) continue
      if (response.slow()) this.#waiting.delete(response)
      else if (response.taken !== response.takenThen) {
        // It reads, if slowly.
        response.takenThen = response.taken
        response.slowAt = now
      } else if (response.slowAt <= stalled && this.#isInTheWay(response)) {
        this.#waiting.delete(response)
        response.cut()
      }
    }
    if (this.#waiting.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer)
      this.#timer = null
    }
  }
}
