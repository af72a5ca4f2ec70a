/** Those that wait until a budget has room again. */
export class Waiters {
  readonly #waiting = new Set<() => void>()
  #scheduled = false

  /**
   * Calls back once, in a later turn, when {@link wake} finds room. @returns a function that gives
   * up waiting, and says whether it still did
   */
  add(callback: () => void): () => boolean {
    this.#waiting.add(callback)
    return () => this.#waiting.delete(callback)
  }

  /** There is room: calls those that wait one after another, as long as `hasRoom` says so. */
  wake(hasRoom: () => boolean): void {
    if (this.#waiting.size === 0 || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      // Who finds that the room is too small for it waits again, behind the others.
      for (const callback of [...this.#waiting]) {
        if (!hasRoom()) return
        this.#waiting.delete(callback)
        callback()
      }
    })
  }
}
