/**
 * What goes over a control socket: HTTP/1.1 with JSON. `docs/reference/control.md` describes it for
 * users; these are its types.
 *
 * Times are milliseconds since 1970, durations are seconds, sizes are bytes. A value that is not
 * known is null. Fields may be added; none changes its meaning within one {@link PROTOCOL}.
 */
import type {
  AcceptorState,
  ControlRequest,
  ControlWorker,
  LogRecord,
  ProcessUsage,
  SlowRequest,
} from '../observe/server-state.ts'
import type { ProfileResults } from './profile-protocol.ts'

export type { AcceptorState, ControlRequest, ControlWorker, LogRecord, ProcessUsage, SlowRequest }

/** The version of this protocol. A command of another one says so, and asks for nothing. */
export const PROTOCOL = 1

/** What every answer begins with. */
export interface Envelope {
  readonly protocol: number
  /** The server's version: `0.1.0`. */
  readonly monoceros: string
  /** The arbiter's process. */
  readonly pid: number
}

/** Why something was not done; `message` is one line for the user. */
export interface ControlError {
  readonly code: ErrorCode
  readonly message: string
}

/**
 * | code | status | |
 * |---|---|---|
 * | `bad-request` | 400 | an argument is missing or wrong |
 * | `not-found` | 404 | there is no such command, or no such worker |
 * | `bad-method` | 405 | an action was asked for with GET, or the other way round |
 * | `not-now` | 409 | the server is starting, stopping or without workers |
 * | `failed` | 422 | it was tried, and has failed; `message` has the reason |
 * | `internal` | 500 | a bug |
 */
export type ErrorCode =
  | 'bad-request'
  | 'not-found'
  | 'bad-method'
  | 'not-now'
  | 'failed'
  | 'internal'

export type Reply<Content> = Envelope & (Content | { readonly error: ControlError })

/** `GET /status`: the whole state of the server. */
export interface ControlStatus {
  readonly state: 'starting' | 'serving' | 'reloading' | 'drained' | 'stopping'
  readonly startedAt: number
  /** 1 after the start, one more with each successful reload. */
  readonly generation: number
  readonly application: string
  readonly runtime: 'cpython' | 'pyodide' | 'node'
  /** The path of the config file. */
  readonly config: string | null
  readonly addresses: readonly string[]
  /** The number of workers that the server should have. */
  readonly workers: number
  readonly logLevel: string
  /** Of the arbiter itself. */
  readonly usage: ProcessUsage | null
  readonly acceptors: readonly ControlAcceptor[]
  readonly lastReload: LastReload | null
  /** The newest restarts, oldest first; see {@link RestartRecord}. */
  readonly restarts: readonly RestartRecord[]
  /** How many there were since the start, by cause. */
  readonly restartCounts: Readonly<Record<string, number>>
  /** The newest entries of the error log at level error or critical, and printed tracebacks. */
  readonly errors: readonly LogRecord[]
  /** The newest requests whose stacks were logged (`slow_request`), oldest first. */
  readonly slowRequests: readonly SlowRequest[]
  /** When the server was asked. */
  readonly now: number
}

export interface ControlAcceptor {
  readonly pid: number
  readonly state: 'starting' | 'serving' | 'retiring' | 'stopping'
  readonly startedAt: number
  /** Why it has not answered, and what it would have said is null: it hangs, for example. */
  readonly absent: string | null
  readonly usage: ProcessUsage | null
  readonly answer: AcceptorState | null
}

/** `GET /requests`. The oldest of each acceptor first; at most 1,000 of each. */
export interface ControlRequests {
  readonly requests: readonly (ControlRequest & { readonly acceptor: number })[]
  /** How many were left out. */
  readonly leftOut: number
  /** The acceptors that have not answered, and why. */
  readonly absent: readonly { readonly acceptor: number; readonly reason: string }[]
}

export interface LastReload {
  readonly begunAt: number
  /** `in-progress` until it has ended. After `abandoned`, another one has begun. */
  readonly result: 'in-progress' | 'done' | 'failed' | 'abandoned'
  /** Who asked for it: `SIGHUP`, `monoceros ctl`. */
  readonly cause: string
  readonly seconds: number | null
  /** Why it failed, as in the error log; several lines. */
  readonly reason: string | null
}

/** The end of a worker or acceptor that was or is to be replaced. */
export interface RestartRecord {
  readonly at: number
  readonly kind: 'worker' | 'acceptor'
  readonly pid: number
  /**
   * `stopped`, `load-failed`, `timed-out`, `crashed`, or `acceptor-ended` for a worker whose
   * acceptor was killed or has failed; `recycled` for a worker that a limit has
   * replaced, such as `max_requests`.
   */
  readonly cause:
    | 'stopped'
    | 'load-failed'
    | 'timed-out'
    | 'acceptor-ended'
    | 'crashed'
    | 'recycled'
  /** As in the log: `killed by SIGKILL`. */
  readonly reason: string
}

/** `GET /log`: the newest entries of all processes, oldest first. */
export interface ControlLog {
  readonly entries: readonly LogRecord[]
}

/** `GET /configuration`: the settings in force. Secrets are shown as `***`. */
export interface ControlConfiguration {
  readonly settings: readonly {
    readonly name: string
    readonly value: unknown
    /** Where it comes from: `--workers`, `gunicorn.conf.py: workers`; null for a default. */
    readonly source: string | null
  }[]
}

/** The answers of the actions. */
export interface ActionResults extends ProfileResults {
  /** `POST /reload`; answered when it has ended. */
  readonly reload: {
    readonly reloaded: true
    readonly generation: number
    readonly seconds: number
  }
  /** `POST /scale` with `{ "workers": 4 }`, or `{ "by": -1 }`. */
  readonly scale: { readonly workers: number }
  /** `POST /restart` with `{ "pid": 4711 }`: of a worker or an acceptor. */
  readonly restart: { readonly restarting: number }
  /** `POST /drain` */
  readonly drain: { readonly state: string }
  /** `POST /log-level` with `{ "level": "debug" }`; until the next reload. */
  readonly 'log-level': { readonly level: string; readonly before: string }
  /** `POST /reopen`: the log files. */
  readonly reopen: { readonly reopened: true }
  /** `POST /stop`, or with `{ "mode": "quick" }`. */
  readonly stop: { readonly stopping: 'graceful' | 'quick' }
}

export type ActionName = keyof ActionResults
