import type { ArbiterActions, ArbiterDriver, DriverLog, ReadSettings } from '../actions.ts'
import type { ReloadAttempt } from '../reload-attempt.ts'

/** All drivers of a server. Each is asked after the one before it has answered. */
export class Drivers {
  readonly #all: readonly ArbiterDriver[]
  readonly #stopped: Promise<void>
  readonly #started: ArbiterDriver[] = []

  /** @param stopped resolves when the server is to stop, which ends waiting for drivers */
  constructor(all: readonly ArbiterDriver[], stopped: Promise<void>) {
    this.#all = all
    this.#stopped = stopped
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    for (const driver of this.#all) {
      this.#started.push(driver)
      await this.#unlessStopped(driver.start(actions, log))
    }
  }

  async listening(): Promise<void> {
    for (const driver of this.#started) await this.#unlessStopped(driver.listening?.())
  }

  async reloading(next: ReadSettings, attempt: ReloadAttempt): Promise<void> {
    for (const driver of this.#all)
      await attempt.unlessAbandoned(Promise.resolve(driver.reloading?.(next)))
  }

  async startingWorker(age: number): Promise<void> {
    for (const driver of this.#all) await driver.startingWorker?.(age)
  }

  async upgrading(): Promise<void> {
    for (const driver of this.#all) await driver.upgrading?.()
  }

  /** Ends those that were started. */
  async end(): Promise<void> {
    for (const driver of this.#started) await driver.end?.()
  }

  async #unlessStopped(work: void | Promise<void>): Promise<void> {
    if (work === undefined) return
    work.catch(() => {})
    await Promise.race([work, this.#stopped])
  }
}
