/** What listens at `metrics_bind`: loaded only if that is set. */
import { isDeepStrictEqual } from 'node:util'
import { coded } from '../../messages/coded.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, DriverLog } from '../actions.ts'
import type { TokenCheck } from '../control/token-routes.ts'
import type { Dashboard } from '../dashboard/dashboard.ts'
import { CollectedMetrics } from './collected-metrics.ts'
import { healthRoutes } from './health-routes.ts'
import { metricsRoute } from './metrics-route.ts'
import { AddressInUse, type OperationsRoute, OperationsServer } from './operations-server.ts'
import type { Readiness } from './readiness.ts'

/** How often an address that is in use is tried again, in milliseconds. */
const AGAIN_MS = 1000

export interface OperationsOptions {
  readonly actions: ArbiterActions
  readonly log: DriverLog
  readonly readiness: Readiness
  readonly settings: Settings
}

/** Metrics, health, control and the dashboard over HTTP. */
export class Operations {
  readonly #log: DriverLog
  readonly #metrics: CollectedMetrics
  readonly #routes: readonly OperationsRoute[]
  readonly #actions: ArbiterActions
  /** Whether a request has the token of `control_token_file`; null without one. */
  #hasToken: TokenCheck | null = null
  #dashboard: Dashboard | null = null
  #settings: Settings
  #server: OperationsServer | null = null
  #again: NodeJS.Timeout | undefined

  constructor({ actions, log, readiness, settings }: OperationsOptions) {
    this.#log = log
    this.#actions = actions
    this.#settings = settings
    this.#metrics = new CollectedMetrics(actions, readiness, settings)
    // One table for everything that is answered here.
    this.#routes = [
      ...healthRoutes(readiness, actions),
      metricsRoute(() => this.#metrics.collect()),
    ]
  }

  /**
   * Listens at all addresses of the settings.
   *
   * @param patient an address in use is tried again until it is free
   * @throws ListenError, ControlTokenError
   */
  async listen(patient: boolean): Promise<void> {
    await this.#readToken(patient)
    await this.#open(patient)
  }

  async #open(patient: boolean): Promise<void> {
    clearTimeout(this.#again)
    const { metricsBind, socketMode, umask } = this.#settings
    const control = await this.#controlRoutes()
    const dashboard = await this.#dashboardRoutes()
    const server = new OperationsServer({
      routes: [...this.#routes, ...control, ...dashboard],
      failed: (text) => this.#log.log('error', text),
    })
    this.#server = server
    try {
      for (const address of metricsBind) {
        const where = await server.listen(address, socketMode ?? 0o666 & ~umask)
        this.#log.info(`Metrics and health at ${where} (metrics_bind)`)
      }
    } catch (error) {
      server.close()
      if (!patient) throw error
      if (error instanceof AddressInUse) this.#log.debug(error.message)
      else this.#log.warning(coded('MONO8201', (error as Error).message))
      this.#again = setTimeout(() => void this.#open(true), AGAIN_MS).unref()
    }
  }

  /** Takes over other settings, after a reload. */
  async use(settings: Settings): Promise<void> {
    const before = this.#settings
    const hadToken = this.#hasToken !== null
    this.#settings = settings
    this.#metrics.use(settings)
    // What is in the file may have changed.
    await this.#readToken(true)
    const sameRoutes =
      hadToken === (this.#hasToken !== null) &&
      (settings.dashboard === 'off') === (before.dashboard === 'off')
    if (sameRoutes && isDeepStrictEqual(settings.metricsBind, before.metricsBind)) return
    this.#server?.close()
    await this.#open(true)
  }

  /**
   * @param patient a file that cannot be used is logged, and the token before stays
   * @throws ControlTokenError
   */
  async #readToken(patient: boolean): Promise<void> {
    const { controlTokenFile } = this.#settings
    if (controlTokenFile === null) {
      this.#hasToken = null
      return
    }
    const { isToken, readToken } = await import('../control/token-routes.ts')
    try {
      const token = readToken(controlTokenFile)
      this.#hasToken = (authorization) => isToken(authorization, token)
    } catch (error) {
      if (!patient) throw error
      this.#log.warning(coded('MONO8201', (error as Error).message))
    }
  }

  /** What needs the token; nothing without one. */
  async #controlRoutes(): Promise<readonly OperationsRoute[]> {
    if (this.#hasToken === null) return []
    const { tokenRoutes } = await import('../control/token-routes.ts')
    // Another reload may have changed it.
    return tokenRoutes(this.#actions, process.pid, (given) => this.#hasToken?.(given) === true)
  }

  /** The page at `/`, and what it shows. Its history goes on while the addresses change. */
  async #dashboardRoutes(): Promise<readonly OperationsRoute[]> {
    if (this.#settings.dashboard === 'off') {
      this.#dashboard?.end()
      this.#dashboard = null
      return []
    }
    const { Dashboard } = await import('../dashboard/dashboard.ts')
    this.#dashboard ??= new Dashboard({
      actions: this.#actions,
      settings: () => this.#settings,
      collect: () => this.#metrics.collect(),
      hasToken: () => this.#hasToken,
      failed: (text) => this.#log.log('error', text),
    })
    return this.#dashboard.routes()
  }

  end(): void {
    this.#dashboard?.end()
    clearTimeout(this.#again)
    this.#server?.close()
  }
}
