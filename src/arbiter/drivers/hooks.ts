/** The driver that calls the hooks of a configuration which run beside the arbiter. */
import { constants } from 'node:os'
import type { LogLevel } from '../../logging/error-log.ts'
import { type Coded, coded } from '../../messages/coded.ts'
import type { WorkerEnded } from '../../observe/worker-events.ts'
import { runtimeOf } from '../../settings/runtime.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog, ReadSettings } from '../actions.ts'
import { HookCalls } from '../hooks/hook-calls.ts'
import type { HookArguments, HookHost, ServerHook } from '../hooks/hook-host.ts'

/** Causes of a stop of which the hook `worker_int` is told. */
const INTERRUPTS = ['SIGINT', 'SIGQUIT']

/**
 * Calls hooks for the events of the arbiter.
 *
 * | hook | when |
 * |---|---|
 * | `nworkers_changed` | at the start, and when the number of workers changes |
 * | `on_starting` | before the server listens |
 * | `when_ready` | when it listens, before its workers are started |
 * | `pre_fork` | before each worker is started |
 * | `child_exit` | after the end of each worker |
 * | `on_reload` | when a reload has read the settings |
 * | `pre_exec` | before a new server is started that is to replace this one |
 * | `on_exit` | after the end of all workers |
 *
 * It also sends SIGINT to the workers if the server is stopped by INT or QUIT and they have the
 * hook `worker_int`.
 */
export class HookDriver implements ArbiterDriver {
  readonly #pid: number
  readonly #first: HookHost | null
  #settings: Settings
  #log: DriverLog | null = null
  #current: HookCalls | null = null
  /** What was in force before the reload that is in progress; undefined if there is none. */
  #before: { readonly hooks: HookCalls | null; readonly settings: Settings } | undefined
  #listened = false
  #workers: number
  #successor = 0
  /** The workers that have a process, with their ages. */
  readonly #running = new Map<number, number | null>()

  /**
   * @param given the settings with which the server starts
   * @param pid the arbiter's process
   */
  constructor({ settings, configHost }: ReadSettings, pid: number) {
    this.#settings = settings
    this.#first = configHost
    this.#pid = pid
    this.#workers = settings.workers
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    this.#log = log
    this.#current = this.#callsOf(this.#first)
    this.#subscribe(actions)
    await this.#workersChange(this.#workers, null)
    await this.#call('on_starting')
  }

  async listening(): Promise<void> {
    this.#listened = true
    await this.#call('when_ready')
  }

  async reloading({ settings, configHost }: ReadSettings): Promise<void> {
    this.#before = { hooks: this.#current, settings: this.#settings }
    const same = settings.workers === this.#settings.workers
    this.#settings = settings
    this.#current = this.#callsOf(configHost)
    for (const [pid, age] of this.#running) this.#current?.tell({ started: { age, pid } })
    await this.#workersChange(same ? this.#workers : settings.workers, this.#workers)
    await this.#call('on_reload')
  }

  async startingWorker(age: number): Promise<void> {
    await this.#call('pre_fork', { worker: { age } })
  }

  async upgrading(): Promise<void> {
    await this.#call('pre_exec')
  }

  async end(): Promise<void> {
    if (!this.#listened) return
    const limit = Math.max(1, this.#settings.gracefulTimeout)
    const ended = this.#current?.call('on_exit', this.#arguments({}), limit)
    await ended?.catch((error: Error) => this.#error(error))
  }

  #subscribe({ events }: ArbiterActions): void {
    events.workerStarted.subscribe(({ pid, age }) => this.#started(pid, age))
    events.workerEnded.subscribe((event) => this.#ended(event))
    // An application in TypeScript runs in the acceptors themselves.
    if (runtimeOf(this.#settings) === 'node') {
      let age = 0
      events.acceptorStarted.subscribe(({ pid }) => this.#started(pid, ++age))
      events.acceptorEnded.subscribe(({ pid, reason, expected }) =>
        this.#ended({ pid, reason, cause: expected ? 'stopped' : 'crashed' }),
      )
    }
    events.workersChanged.subscribe(({ workers, before }) => {
      if (before === null || workers === this.#workers) return
      this.#workersChange(workers, this.#workers).catch((error: Error) => this.#error(error))
    })
    events.reload.subscribe(({ phase }) => {
      if (phase !== 'begun') this.#reloaded(phase === 'done')
    })
    events.upgrade.subscribe(({ phase, pid }) => {
      if (phase === 'begun') this.#successor = pid
      else if (phase === 'ended' && pid === this.#successor) this.#successor = 0
    })
    events.stopping.subscribe(({ cause }) => {
      if (INTERRUPTS.includes(cause) && this.#settings.workerInt !== null) this.#interrupt()
    })
  }

  #callsOf(host: HookHost | null): HookCalls | null {
    if (host === null) return null
    const log = (level: LogLevel, text: Coded) => this.#log?.log(level, text)
    return new HookCalls({ host, log, limit: this.#settings.loadTimeout })
  }

  #reloaded(done: boolean): void {
    const before = this.#before
    this.#before = undefined
    if (done || before === undefined) return
    this.#current = before.hooks
    this.#settings = before.settings
  }

  async #workersChange(workers: number, before: number | null): Promise<void> {
    this.#workers = workers
    await this.#call('nworkers_changed', { new_value: workers, old_value: before })
  }

  #started(pid: number, age: number | null): void {
    this.#running.set(pid, age)
    this.#current?.tell({ started: { age, pid } })
  }

  #ended({ pid, reason, cause }: WorkerEnded): void {
    this.#running.delete(pid)
    const hooks = this.#current
    if (hooks === null) return
    if (!hooks.has('child_exit')) {
      hooks.tell({ ended: { pid } })
      return
    }
    const worker = { pid, exitcode: exitCodeOf(reason), aborted: cause === 'timed-out' }
    this.#call('child_exit', { worker }).catch((error: Error) => this.#error(error))
  }

  #interrupt(): void {
    for (const pid of this.#running.keys()) {
      try {
        process.kill(pid, 'SIGINT')
      } catch {
        // It has just ended.
      }
    }
  }

  async #call(hook: ServerHook, args: Partial<HookArguments> = {}): Promise<void> {
    await this.#current?.call(hook, this.#arguments(args))
  }

  #arguments(args: Partial<HookArguments>): HookArguments {
    const server = { pid: this.#pid, num_workers: this.#workers, reexec_pid: this.#successor }
    return { server, ...args }
  }

  #error(error: Error): void {
    this.#log?.log('error', coded('MONO5501', error.message))
  }
}

/** `exited with status 3` → 3, `killed by SIGKILL: why` → -9; null if it is neither. */
export function exitCodeOf(reason: string): number | null {
  const status = /^(?:Acceptor \d+ )?exited with status (\d+)/.exec(reason)
  if (status !== null) return Number(status[1])
  const signal = /^(?:Acceptor \d+ was )?killed by (SIG[A-Z0-9]+)/.exec(reason)?.[1]
  const number = constants.signals[signal as NodeJS.Signals]
  return number === undefined ? null : -number
}
