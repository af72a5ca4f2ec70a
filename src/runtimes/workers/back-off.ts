/** A worker that ends within this time after it was ready, in milliseconds, ended early. */
const YOUNG_MS = 1000
const FIRST_DELAY_MS = 100

/** The longest time between two attempts to start a worker, in milliseconds. */
export const MAX_DELAY_MS = 10_000

/** How long to wait before the next worker is started: longer after each one that ended early. */
export class BackOff {
  #failures = 0

  /** A worker could not start. */
  failed(): void {
    this.#failures++
  }

  /** A worker ended unexpectedly, `age` milliseconds after it was ready. */
  ended(age: number): void {
    this.#failures = age < YOUNG_MS ? this.#failures + 1 : 0
  }

  /** In milliseconds; 0 when the last worker lived long enough. */
  get delay(): number {
    if (this.#failures === 0) return 0
    return Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), MAX_DELAY_MS)
  }
}
