import { defer } from './deferred.ts'

/** A newer reload takes its place. */
export class ReloadAbandoned extends Error {}

/** One attempt to reload, which a newer one may end wherever it stands. */
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

  /** What this step takes to be ended; called at once if the attempt is abandoned already. */
  ending(undo: () => void): void {
    this.#undo = undo
    if (this.#abandoned) undo()
  }

  /**
   * Waits for what cannot be ended, but no longer than the attempt lives. @throws ReloadAbandoned
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
