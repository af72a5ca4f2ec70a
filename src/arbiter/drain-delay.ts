/** The time between the news that the server is not ready and its stop (`drain_delay`). */
export class DrainDelay {
  #then: (() => void) | null = null
  #timer: NodeJS.Timeout | undefined

  /** Calls `then` after so many seconds; at once if there are none. */
  begin(seconds: number, then: () => void): void {
    this.cancel()
    if (seconds === 0) return then()
    this.#then = then
    this.#timer = setTimeout(() => this.end(), seconds * 1000)
  }

  get isPending(): boolean {
    return this.#then !== null
  }

  /** Ends a delay before its time, and does what was to be done after it. */
  end(): void {
    const then = this.#then
    this.cancel()
    then?.()
  }

  /** Ends a delay; what was to be done after it is not done. */
  cancel(): void {
    clearTimeout(this.#timer)
    this.#then = null
  }
}
