/**
 * Finds out that an application blocks the event loop of its acceptor. The acceptor sends `alive`
 * four times in each `timeout`; a blocked loop sends nothing.
 */

/** How often the time since the last sign of life is checked, in milliseconds. */
const CHECK_MS = 250
/** A check that comes this late, in milliseconds: this process itself was stopped. */
const OVERSLEPT_MS = 1000

/** Calls back when no sign of life came for longer than the timeout. */
export class LivenessWatch {
  readonly #timeoutMs: number
  readonly #timer: NodeJS.Timeout
  #aliveAt: number
  #checkedAt: number

  /**
   * @param timeout in seconds
   * @param blocked called once, at the first check that finds the timeout exceeded
   */
  constructor(timeout: number, blocked: () => void) {
    this.#timeoutMs = timeout * 1000
    this.#aliveAt = performance.now()
    this.#checkedAt = this.#aliveAt
    this.#timer = setInterval(() => this.#check(blocked), CHECK_MS)
    this.#timer.unref()
  }

  /** A sign of life arrived. */
  alive(): void {
    this.#aliveAt = performance.now()
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #check(blocked: () => void): void {
    const now = performance.now()
    // Messages that arrived while this process was stopped have not been read yet.
    if (now - this.#checkedAt > OVERSLEPT_MS) this.#aliveAt = now
    this.#checkedAt = now
    if (now - this.#aliveAt <= this.#timeoutMs) return
    this.end()
    blocked()
  }
}
