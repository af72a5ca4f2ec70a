/** The hooks of a config file in TypeScript that run in the process of the application. */
import type { ErrorLog } from '../logging/error-log.ts'
import { coded, fromElsewhere } from '../messages/coded.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import {
  type HookName,
  type HookServer,
  type Hooks,
  type HookWorker,
  hookLog,
} from '../runtimes/node/hook-types.ts'
import { importFile } from '../runtimes/node/import-file.ts'
import { camelCase } from '../settings/definition.ts'
import { hookSettings } from '../settings/sections/hooks.ts'
import type { Settings } from '../settings/table.ts'
import { failureText } from '../wsgi/failure.ts'

/** Calls them with the same `worker`, on which they may keep what they need. */
export class NodeHooks {
  readonly #hooks: Hooks
  readonly #log: ErrorLog
  readonly #server: HookServer
  readonly #worker: HookWorker

  private constructor(hooks: Hooks, settings: Settings, log: ErrorLog) {
    this.#hooks = hooks
    this.#log = log
    const entries = hookLog((level, text) => log[level](fromElsewhere(text)))
    this.#server = { pid: process.ppid, workers: settings.workers, log: entries }
    this.#worker = { pid: process.pid, age: null, log: entries }
  }

  /**
   * Runs the config file in this process, if it has hooks for it.
   *
   * @throws whatever the file throws
   */
  static async load(settings: Settings, log: ErrorLog): Promise<NodeHooks | null> {
    const { config } = settings
    const wanted = hookSettings.filter(({ name }) => settings[camelCase(name)] !== null)
    if (config === null || wanted.length === 0 || !/\.[cm]?[jt]s$/.test(config)) return null
    const { default: contents } = await importFile(config)
    const given = contents as Record<string, unknown>
    const hooks = wanted.map(({ name }) => [name, given[name] ?? given[camelCase(name)]] as const)
    return new NodeHooks(Object.fromEntries(hooks) as Hooks, settings, log)
  }

  /** Before the application is loaded. @throws what the hook throws */
  async forked(): Promise<void> {
    await this.#hooks.post_fork?.(this.#server, this.#worker)
  }

  /** The application is loaded. @throws what the hook throws */
  async loaded(events: RequestEvents): Promise<void> {
    await this.#hooks.post_worker_init?.(this.#worker)
    const { pre_request: before, post_request: after, worker_int: interrupted } = this.#hooks
    if (before !== undefined)
      events.requestBegun.subscribe((request) => {
        void this.#guarded('pre_request', () => before(this.#worker, request))
      })
    if (after !== undefined)
      events.requestEnded.subscribe((record) => {
        void this.#guarded('post_request', () => after(this.#worker, record))
      })
    if (interrupted !== undefined)
      process.once('SIGINT', () => {
        void this.#guarded('worker_int', () => interrupted(this.#worker))
      })
  }

  /** The process is about to end. */
  async exit(): Promise<void> {
    const { worker_exit: leaving } = this.#hooks
    if (leaving !== undefined)
      await this.#guarded('worker_exit', () => leaving(this.#server, this.#worker))
  }

  async #guarded(hook: HookName, call: () => void | Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.#log.error(coded('MONO5501', `The hook ${hook} threw\n${failureText(error)}`))
    }
  }
}
