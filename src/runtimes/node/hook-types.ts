/** Hooks of a config file in TypeScript or JavaScript, and what they are called with. */
import type { AccessRecord } from '../../observe/access-record.ts'
import type { RequestBegun } from '../../observe/request-events.ts'

/** Writes entries of the server's error log. */
export interface HookLog {
  debug(text: string): void
  info(text: string): void
  warning(text: string): void
  error(text: string): void
  critical(text: string): void
}

/** The server, as its hooks see it. */
export interface HookServer {
  /** The arbiter's process. */
  readonly pid: number
  /** How many workers it should have. */
  readonly workers: number
  readonly log: HookLog
}

/**
 * A worker, as hooks see it. For an application in TypeScript that is a process with the
 * application.
 */
export interface HookWorker {
  /** Null before it has been started. */
  readonly pid: number | null
  /** How many workers the server had started with it; null if it is not known there. */
  readonly age: number | null
  readonly log: HookLog
}

/** A worker that has ended. */
export interface EndedHookWorker extends HookWorker {
  /** Its exit status, or the number of the signal below 0; null if it is not known. */
  readonly exitCode: number | null
  /** It was ended because of `timeout`. */
  readonly aborted: boolean
}

type Result = void | Promise<void>

/** The type of each hook, by its name in snake_case. */
export interface HookTypes {
  on_starting: (server: HookServer) => Result
  on_reload: (server: HookServer) => Result
  when_ready: (server: HookServer) => Result
  pre_fork: (server: HookServer, worker: HookWorker) => Result
  post_fork: (server: HookServer, worker: HookWorker) => Result
  post_worker_init: (worker: HookWorker) => Result
  worker_int: (worker: HookWorker) => Result
  worker_abort: (worker: HookWorker) => Result
  pre_exec: (server: HookServer) => Result
  pre_request: (worker: HookWorker, request: RequestBegun) => Result
  post_request: (worker: HookWorker, record: AccessRecord) => Result
  child_exit: (server: HookServer, worker: EndedHookWorker) => Result
  worker_exit: (server: HookServer, worker: HookWorker) => Result
  nworkers_changed: (server: HookServer, workers: number, before: number | null) => Result
  on_exit: (server: HookServer) => Result
}

export type HookName = keyof HookTypes

/** The hooks of a config file. */
export type Hooks = { readonly [Name in HookName]?: HookTypes[Name] }

/** A log for hooks. */
export function hookLog(write: (level: keyof HookLog, text: string) => void): HookLog {
  return {
    debug: (text) => write('debug', text),
    info: (text) => write('info', text),
    warning: (text) => write('warning', text),
    error: (text) => write('error', text),
    critical: (text) => write('critical', text),
  }
}
