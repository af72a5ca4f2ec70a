/** Hooks in TypeScript or JavaScript that run beside the arbiter: in its process. */
import type { LogLevel } from '../logging/log-level.ts'
import { type Coded, fromElsewhere } from '../messages/coded.ts'
import {
  type EndedHookWorker,
  type HookName,
  type Hooks,
  type HookWorker,
  hookLog,
} from '../runtimes/node/hook-types.ts'
import { failureText } from '../wsgi/failure.ts'
import type { ConfigHost } from './config-host.ts'

/** What the arbiter passes to hooks; see `HookArguments` of `src/arbiter/hooks/hook-host.ts`. */
interface Arguments {
  readonly server: { readonly pid: number; readonly num_workers: number }
  readonly worker?: {
    readonly age?: number
    readonly pid?: number
    readonly exitcode?: number | null
    readonly aborted?: boolean
  }
  readonly new_value?: number
  readonly old_value?: number | null
}

/** Calls functions, one after the other. */
export class FunctionHost implements ConfigHost {
  readonly location: string
  readonly values = {}
  readonly isGone = false
  readonly lines = {}
  readonly hooks: readonly string[]
  readonly #functions: Hooks
  readonly #log = hookLog((level, text) => this.#write(level, fromElsewhere(text)))
  readonly #server = { pid: 0, workers: 0, log: this.#log }
  /** The ages of workers that run, by process. */
  readonly #ages = new Map<number, number | null>()
  #write: (level: LogLevel, text: Coded) => void = () => {}
  #last: Promise<void> = Promise.resolve()

  constructor(location: string, functions: Hooks) {
    this.location = location
    this.hooks = Object.keys(functions)
    this.#functions = functions
  }

  settle(): void {}

  logWith(write: (level: LogLevel, text: Coded) => void): void {
    this.#write = write
  }

  tell(news: object): void {
    const { started, ended } = news as {
      started?: { pid: number; age: number | null }
      ended?: { pid: number }
    }
    if (started !== undefined) this.#ages.set(started.pid, started.age)
    if (ended !== undefined) this.#ages.delete(ended.pid)
  }

  call(hook: string, args: object): Promise<void> {
    const called = this.#last.then(() => this.#run(hook as HookName, args as Arguments))
    this.#last = called.catch(() => {})
    return called
  }

  async close(): Promise<void> {}

  kill(): void {}

  async #run(hook: HookName, args: Arguments): Promise<void> {
    const server = Object.assign(this.#server, {
      pid: args.server.pid,
      workers: args.server.num_workers,
    })
    const call = this.#functions[hook] as (...all: unknown[]) => unknown
    try {
      if (args.worker !== undefined) await call(server, this.#worker(args.worker))
      else if (args.new_value !== undefined) await call(server, args.new_value, args.old_value)
      else await call(server)
    } catch (error) {
      throw new Error(failureText(error))
    }
  }

  #worker({ age, pid, exitcode, aborted }: NonNullable<Arguments['worker']>): HookWorker {
    if (pid === undefined) return { pid: null, age: age ?? null, log: this.#log }
    const ended: EndedHookWorker = {
      pid,
      age: this.#ages.get(pid) ?? null,
      log: this.#log,
      exitCode: exitcode ?? null,
      aborted: aborted ?? false,
    }
    this.#ages.delete(pid)
    return ended
  }
}
