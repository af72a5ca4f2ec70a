/** Callbacks that wait until a budget has space again. */
export class Waiters {
  readonly #waiting = new Set<() => void>()
  #scheduled = false

  /**
   * Calls back once, in a later turn of the event loop, after {@link wake}.
   *
   * @returns a function that cancels the wait, and returns whether it was still waiting
   */
  add(callback: () => void): () => boolean {
    this.#waiting.add(callback)
    return () => this.#waiting.delete(callback)
  }

  /** Calls the callbacks one after another, as long as `hasSpace` returns true. */
  wake(hasSpace: () => boolean): void {
    if (this.#waiting.size === 0 || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      // A callback for which the space is too small waits again, behind the others.
      for (const callback of [...this.#waiting]) {
        if (!hasSpace()) return
        this.#waiting.delete(callback)
        callback()
      }
    })
  }
}
