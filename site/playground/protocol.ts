/** The messages between the page and its two workers. */
import type { Language } from './steps/types.ts'

/** A text that the program, or the server in the page, has written. */
export interface LogEntry {
  readonly from: 'server' | 'wsgi.errors' | 'stdout' | 'stderr'
  readonly text: string
}

/** What a client gets. */
export interface Response {
  /** `200 OK` */
  readonly status: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
  /** False: the server broke off in the middle of the body. */
  readonly complete: boolean
}

/** One request and all that came of it. */
export interface Exchange {
  /** Variables in their order, as text; null if no application was called. */
  readonly environ: readonly (readonly [name: string, value: string])[] | null
  /** Null: the connection was closed without an answer. */
  readonly response: Response | null
  readonly log: readonly LogEntry[]
}

/** A program, and what it is asked. */
export interface Run {
  /** Names it: a program that is loaded already is asked again, unless `fresh`. */
  readonly key: string
  readonly fresh: boolean
  readonly kind: 'application' | 'server'
  readonly files: Readonly<Record<string, string>>
  /** The file that has `app`, or that is the program: `hello.py` */
  readonly main: string
  /** The path at which the application is mounted, as it is sent. Defaults to `''`. */
  readonly mount?: string
  /** The bytes of each request. */
  readonly requests: readonly Uint8Array[]
}

/** The answer to a {@link Run}. */
export interface RunResult {
  /** Why nothing was asked: the program could not be loaded. For people, with its traceback. */
  readonly failure: string | null
  /** What was written while it was loaded. */
  readonly loading: readonly LogEntry[]
  readonly exchanges: readonly Exchange[]
}

/** To a worker. */
export type ToWorker =
  | { readonly type: 'run'; readonly id: number; readonly run: Run }
  /** The answer to a call of `python`. */
  | { readonly type: 'answer'; readonly call: number; readonly result: RunResult | string }

/** From a worker. */
export type FromWorker =
  /** The interpreter is there. `milliseconds` since the worker began. */
  | { readonly type: 'ready'; readonly milliseconds: number; readonly version: string }
  | { readonly type: 'broken'; readonly reason: string }
  | { readonly type: 'result'; readonly id: number; readonly result: RunResult }
  /** A `pythonApp` of TypeScript asks Python, in its own worker. */
  | { readonly type: 'python'; readonly call: number; readonly run: Run }

/** The name of a language, for people. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  python: 'Python',
  typescript: 'TypeScript',
}
