import type { Spool } from '../spool/spool.ts'
import { SpoolAhead } from '../spool/spool-ahead.ts'

/** A response whose application may produce no more until the client takes some of it. */
export interface WaitingResponse {
  /**
   * The client is slow if it has taken nothing by this time, in milliseconds of
   * `performance.now()`.
   */
  slowAt: number
  /** {@link taken} when the wait began, or when the client was last seen to take something. */
  takenThen: number
  /** Bytes that its client has taken so far, of all its responses. */
  readonly taken: number
  /**
   * Takes the rest from the application and keeps it for the client.
   *
   * @returns false if there is no space now
   */
  spool(): boolean
  /**
   * Called at {@link slowAt}.
   *
   * @returns whether nothing more is to be done: the client has taken what there was, or all of it
   * is spooled
   */
  slow(): boolean
  /** It occupies a thread that other requests could use. */
  readonly blocking: boolean
  /** Disconnects the client. */
  cut(): void
}

/**
 * A client that takes nothing for this long is slow. One that reads as fast as it can takes
 * something in a fraction of that time.
 */
const SLOW_MS = 10
/**
 * A client that takes nothing for this long is disconnected, if its response cannot be spooled and
 * others need what it holds.
 */
const STALLED_MS = 2000
/** A response that was spooled for another reason stays in memory for this long. */
const SPILL_MS = 100

/**
 * Finds the responses that wait for their clients, and spools them. It does nothing while no
 * application waits for a client; one timer serves all that do.
 */
export class SlowReaders {
  readonly ahead: SpoolAhead
  readonly #spool: Spool
  readonly #waiting = new Set<WaitingResponse>()
  readonly #othersWait: () => boolean
  #timer: NodeJS.Timeout | null = null

  /** @param othersWait whether there are requests that no worker has begun */
  constructor(spool: Spool, othersWait: () => boolean) {
    this.#spool = spool
    this.#othersWait = othersWait
    this.ahead = new SpoolAhead(spool.memory.limit)
  }

  /** The application has produced all that it may and begins to wait. */
  watch(response: WaitingResponse): void {
    if (this.#spool.responseLimit > 0) this.#look(response, SLOW_MS)
  }

  /**
   * Spools a response before its client has proved to be slow: because memory is short, or because
   * its worker has many others in progress. Otherwise that worker would begin more and more
   * requests while each response waits for credit, and hold all of their responses.
   *
   * @returns false if that is not possible now
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

  /** Whether others need what it holds: memory, or a thread. */
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
        // It reads, but slowly.
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
