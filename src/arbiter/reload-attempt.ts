import { defer } from './deferred.ts'

/** Thrown when a newer request for a reload ends an attempt. */
export class ReloadAbandoned extends Error {}

/** One attempt to reload. A newer request may end it at any step. */
export class ReloadAttempt {
  #abandoned = false
  #undo: () => void = () => {}
  readonly #end = defer<never>()

  constructor() {
    this.#end.promise.catch(() => {})
  }

  get abandoned(): boolean {
    return this.#abandoned
  }

  /** Sets what ends the current step; called immediately if the attempt is abandoned already. */
  ending(undo: () => void): void {
    this.#undo = undo
    if (this.#abandoned) undo()
  }

  /**
   * Waits for a step that cannot be ended, until the attempt is abandoned.
   *
   * @throws ReloadAbandoned
   */
  async unlessAbandoned<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {})
    return await Promise.race([work, this.#end.promise])
  }

  abandon(): void {
    if (this.#abandoned) return
    this.#abandoned = true
    this.#end.reject(new ReloadAbandoned())
    this.#undo()
  }
}
