import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog, ReadSettings } from '../actions.ts'
import type { Operations } from '../operations/operations.ts'
import { Readiness } from '../operations/readiness.ts'

/** The driver that shows metrics and health at `metrics_bind`. Without that, it loads nothing. */
export class OperationsDriver implements ArbiterDriver {
  #settings: Settings
  readonly #isUpgrade: boolean
  /** Of a reload that has not ended. */
  #next: Settings | null = null
  #operations: Operations | null = null
  /** Loads what shows metrics; null if that is done. */
  #begin: (() => Promise<void>) | null = null

  /** @param isUpgrade the server was started to replace another, which has its addresses */
  constructor(settings: Settings, isUpgrade: boolean) {
    this.#settings = settings
    this.#isUpgrade = isUpgrade
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    // Also without an address, because a reload may bring one.
    const readiness = new Readiness(actions)
    actions.events.reload.subscribe(({ phase }) => {
      const next = phase === 'done' ? this.#next : null
      if (phase !== 'begun') this.#next = null
      if (next === null) return
      this.#settings = next
      void this.#operations?.use(next)
    })
    this.#begin = async () => {
      this.#begin = null
      const { Operations } = await import('../operations/operations.ts')
      const settings = this.#settings
      this.#operations = new Operations({ actions, log, readiness, settings })
    }
    if (this.#settings.metricsBind.length === 0) return
    await this.#begin()
    await this.#operations!.listen(this.#isUpgrade)
  }

  async reloading({ settings }: ReadSettings): Promise<void> {
    this.#next = settings
    // Before it starts new processes, which are to be counted.
    if (settings.metricsBind.length > 0) await this.#begin?.()
  }

  end(): void {
    this.#operations?.end()
  }
}
