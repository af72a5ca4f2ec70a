/**
 * The messages between the arbiter and an acceptor process. They go over Node's IPC channel of a
 * child process, as structured clones, so any plain data can be sent.
 *
 * The arbiter sends:
 *
 * | message | |
 * |---|---|
 * | `start` | once, first; answered by `ready`, or by `failed` before the acceptor exits |
 * | `reload` | answered by `reloaded` or `reload-failed` |
 * | `abandon-reload` | makes a reload that is in progress fail immediately |
 * | `scale` | changes the number of workers |
 * | `reopen-logs` | opens the log files again |
 * | `tls` | new connections use these certificates and keys |
 * | `ask` | a question of `questions.ts`; answered by `answer` or `no-answer` with its number |
 * | `show-failure` | with `--reload`: answers requests with an error, or with the application again |
 * | `refresh-browsers` | with `--reload-browser`: has the pages that are open refreshed |
 * | `worker-permitted`, `worker-refused` | the answers to `worker-wanted` |
 * | `tokens` | the answer to `take-tokens` |
 * | `drop-cached` | with `cache`: another acceptor has dropped these responses |
 * | `not-ready` | health checks are answered 503 from now on; it serves until it is stopped |
 * | `stop`, `kill` | last; the acceptor exits |
 *
 * An acceptor sends by itself:
 *
 * | message | |
 * |---|---|
 * | `leaving` | it stops accepting, so its replacement can start; `failed`: because of an error |
 * | `retiring` | it asks to be replaced, and serves until it is stopped |
 * | `files-loaded` | with `--reload`: the application has loaded these files |
 * | `counted` | with `metrics_bind`: what it has counted, each second and at its end |
 * | `alive` | its event loop runs; four times per `timeout`, only with a TypeScript application |
 * | `worker-wanted` | it is about to start a worker, and waits for the hooks of the server |
 * | `cache-dropped` | with `cache`: it has dropped these responses, and the others must too |
 * | `take-tokens` | requests of these clients are counted for `rate_limit` |
 * | `worker-event` | one of its workers was started, serves, was replaced or has ended |
 */
import type { Dropped } from '../edge/cache/shared-drops.ts'
import type { Coded } from '../messages/coded.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type {
  WorkerEnded,
  WorkerReady,
  WorkerRecycled,
  WorkerStarted,
} from '../observe/worker-events.ts'
import type { SharedAnswer } from '../rate-limit/shared-buckets.ts'
import type { WorkerReport } from '../runtimes/workers/pool.ts'
import type { SocketAddress } from '../settings/bind-address.ts'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import type { QuestionName } from './questions.ts'

export type { Dropped, WorkerReport }

/**
 * Where a socket is bound, as the kernel knows it: an IP address and the real port, or the path of
 * a unix socket (empty if it is not known).
 *
 * @example { kind: 'tcp', host: '127.0.0.1', port: 8000 }
 */
export type BoundAddress = Exclude<SocketAddress, { kind: 'fd' }>

/** A listening socket that the acceptor inherited; `server.listen({ fd })` accepts from it. */
export interface InheritedListener {
  readonly fd: number
  readonly address: BoundAddress
  /** Its connections use TLS. */
  readonly tls: boolean
  /** Its requests are redirected to HTTPS. */
  readonly redirects: boolean
}

/** A worker that is ready to serve. */
export interface WorkerDescription {
  readonly pid: number
  /** Its version, as in `3.11.7`. */
  readonly pythonVersion: string
  /** `CPython`, … */
  readonly implementation: string
}

/** What an acceptor reports once it serves. */
export interface ReadyReport {
  readonly workers: readonly WorkerDescription[]
  /** The path of the interpreter, or `embedded`. */
  readonly interpreter: string
  /** How many requests each worker runs at the same time; null if that is always one. */
  readonly threads: number | null
  /** How many of them have a greenlet each, with `worker_class` gevent. */
  readonly greenlets?: number
  /** Warnings for the operator; the arbiter logs them once, not for each acceptor. */
  readonly warnings?: readonly Coded[]
  /** Why the application could not be loaded; the acceptor answers with it (`--reload`). */
  readonly failure?: Coded
}

/** Everything that an acceptor process needs to start. */
export interface StartMessage {
  readonly type: 'start'
  readonly settings: Settings
  readonly listeners: readonly InheritedListener[]
  /** Certificates, keys and rules for TLS; null if no listener uses it. */
  readonly tls: TlsMaterial | null
  /** This acceptor's share of the workers. */
  readonly workers: number
  /** Its temporary directory, with mode 0700; the arbiter removes it when the acceptor is gone. */
  readonly tmpDir: string
  /**
   * The descriptor on which the arbiter asks for the stack of an application that runs in the
   * acceptor itself; null for others.
   */
  readonly stackFd: number | null
  /** Null unless the application is being developed (`--reload`). */
  readonly development: DevelopmentStart | null
}

/** What an acceptor needs to know for `--reload`. */
export interface DevelopmentStart {
  /**
   * If the application cannot be loaded, the acceptor serves nevertheless, and answers with the
   * error. Otherwise it fails.
   */
  readonly tolerant: boolean
  /** The version that browsers see; it grows with each refresh. */
  readonly version: number
}

/** What has changed for a browser: a page, or only a style sheet with that file name. */
export type BrowserChange =
  | { readonly kind: 'page' }
  | { readonly kind: 'style'; readonly file: string }

export type ToAcceptor =
  | StartMessage
  | { readonly type: 'reload' }
  | { readonly type: 'abandon-reload' }
  | { readonly type: 'scale'; readonly workers: number }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'tls'; readonly material: TlsMaterial }
  | {
      readonly type: 'ask'
      readonly id: number
      readonly question: QuestionName
      readonly details: unknown
    }
  | { readonly type: 'show-failure'; readonly text: string | null }
  | {
      readonly type: 'refresh-browsers'
      readonly version: number
      readonly change: BrowserChange
    }
  | { readonly type: 'worker-permitted'; readonly id: number; readonly age: number }
  | { readonly type: 'worker-refused'; readonly id: number; readonly text: string }
  | { readonly type: 'tokens'; readonly id: number; readonly answers: readonly SharedAnswer[] }
  | { readonly type: 'drop-cached'; readonly dropped: Dropped }
  | { readonly type: 'not-ready' }
  | { readonly type: 'stop'; readonly graceTimeoutMs: number; readonly replaced: boolean }
  | { readonly type: 'kill' }

/** Why an acceptor could not start or reload: because of the application, or for another reason. */
export type FailureKind = 'application-load' | 'other'

/** The events of one worker that the arbiter publishes again. */
export type WorkerEvent =
  | ({ readonly topic: 'workerStarted' } & WorkerStarted)
  | ({ readonly topic: 'workerReady' } & WorkerReady)
  | ({ readonly topic: 'workerRecycled' } & WorkerRecycled)
  | ({ readonly topic: 'workerEnded' } & WorkerEnded)

export type FromAcceptor =
  | { readonly type: 'ready'; readonly ready: ReadyReport }
  | { readonly type: 'failed'; readonly kind: FailureKind; readonly text: Coded }
  | { readonly type: 'reloaded' }
  | { readonly type: 'reload-failed'; readonly kind: FailureKind; readonly text: Coded }
  | { readonly type: 'leaving'; readonly failed: boolean }
  | { readonly type: 'retiring' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'no-answer'; readonly id: number; readonly reason: string }
  | { readonly type: 'files-loaded'; readonly files: readonly string[] }
  | { readonly type: 'alive' }
  | { readonly type: 'counted'; readonly snapshot: Snapshot }
  | { readonly type: 'worker-wanted'; readonly id: number }
  | { readonly type: 'cache-dropped'; readonly dropped: Dropped }
  | { readonly type: 'take-tokens'; readonly id: number; readonly keys: readonly string[] }
  | { readonly type: 'worker-event'; readonly event: WorkerEvent }
