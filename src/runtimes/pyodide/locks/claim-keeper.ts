import { KEEPER, LockTable, PATIENCE } from './lock-table.ts'

/** How often the main thread looks after the claims, ms. */
const TICK = 25

/**
 * Looks after the claims of a process's interpreters, in its main thread: it gives back those that
 * are not in use, also when the process ends, and renews the others. It does not keep the process
 * alive.
 */
export class ClaimKeeper {
  readonly #table: LockTable
  readonly #onExit = () => this.#end()
  #timer: NodeJS.Timeout | null = null

  constructor(table: SharedArrayBuffer) {
    this.#table = new LockTable(table, KEEPER)
  }

  /** Call it when an interpreter has claimed a file for the process, or may have. */
  claimed(): void {
    if (this.#timer !== null) return
    this.#timer = setInterval(() => this.#tick(), TICK).unref()
    process.on('exit', this.#onExit)
  }

  #tick(): void {
    if (!this.#table.tryToEnter()) return
    const busy = this.#table.claims.tick()
    this.#table.leave()
    if (busy || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    process.off('exit', this.#onExit)
  }

  /**
   * Threads run until the process is gone, so what they have locked stays claimed, by a process
   * that no longer exists. The mutex is kept, so that they get no further locks.
   */
  #end(): void {
    for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
      if (!this.#table.tryToEnter()) continue
      this.#table.claims.settle()
      return
    }
  }
}
