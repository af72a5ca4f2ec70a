/** What calls the hooks of one configuration. */
import type { LogLevel } from '../../logging/error-log.ts'
import type { Coded } from '../../messages/coded.ts'

/** The hooks that run beside the arbiter, once for the server. The others run in its workers. */
export const SERVER_HOOKS = [
  'on_starting',
  'on_reload',
  'when_ready',
  'pre_fork',
  'pre_exec',
  'child_exit',
  'nworkers_changed',
  'on_exit',
] as const

export type ServerHook = (typeof SERVER_HOOKS)[number]

/** The server, as hooks see it. Names as in Gunicorn, because they are attributes there. */
export interface ServerFacts {
  readonly pid: number
  readonly num_workers: number
  /** The server that was started to replace this one, or 0. */
  readonly reexec_pid: number
}

/** A worker, as hooks see it. One that has not been started has no pid. */
export interface WorkerFacts {
  readonly age?: number
  readonly pid?: number
  /** How it ended: its exit status, or the number of the signal below 0; null if not known. */
  readonly exitcode?: number | null
  /** It was ended because of its `timeout`. */
  readonly aborted?: boolean
}

/** What a hook is called with. */
export interface HookArguments {
  readonly server: ServerFacts
  readonly worker?: WorkerFacts
  readonly new_value?: number
  readonly old_value?: number | null
}

/** What a host is told, for the objects that it passes to hooks. */
export type HookNews =
  | { readonly started: { readonly age: number | null; readonly pid: number } }
  | { readonly ended: { readonly pid: number } }

/** Writes an entry of the error log for a hook. */
export type WriteHookEntry = (level: LogLevel, text: Coded) => void

/** Runs the hooks of one configuration: a process with Python, or functions in this process. */
export interface HookHost {
  /** The hooks that the configuration defines, wherever they run. */
  readonly hooks: readonly string[]
  /** From now on, what hooks log is written in this way. */
  logWith(write: WriteHookEntry): void
  /** Passes on what has happened. */
  tell(news: HookNews): void
  /**
   * Calls a hook; calls follow one after the other.
   *
   * @throws an error whose message has the traceback, if the hook raises or cannot be called
   */
  call(hook: string, args: HookArguments): Promise<void>
  /** Ends it at once, because a hook does not return. */
  kill(): void
  /** Nobody is there any more who could run a hook: its process has ended. */
  readonly isGone: boolean
}
