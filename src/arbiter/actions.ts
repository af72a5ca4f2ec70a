/**
 * What can be done to a running server, and who decides on it.
 *
 * The arbiter implements {@link ArbiterActions}. An {@link ArbiterDriver} calls them: signals
 * (`drivers/signals.ts`) are the driver of the command; a control socket or a file watcher is
 * another implementation of the same interface.
 */
import type { BrowserChange, WorkerReport } from '../acceptor/messages.ts'
import type { Details, QuestionName } from '../acceptor/questions.ts'
import type { LogLevel } from '../logging/error-log.ts'
import type { LogTail } from '../logging/log-tail.ts'
import type { Coded } from '../messages/coded.ts'
import type { ArbiterEvents } from '../observe/arbiter-events.ts'
import type { Settings } from '../settings/table.ts'
import type { Answered } from './acceptor-questions.ts'
import type { RestartHistory } from './control/restart-history.ts'
import type { HookHost } from './hooks/hook-host.ts'

/**
 * How a server is stopped. `graceful`: requests in progress may finish, for up to
 * `graceful_timeout`. `quick`: every process is ended immediately.
 */
export type StopMode = 'graceful' | 'quick'

/**
 * `stopping` begins with the first stop and lasts until the arbiter's process ends. `drained`: the
 * listening sockets are open, but nothing serves; a reload or a scale starts it again.
 */
export type ServerState = 'starting' | 'serving' | 'reloading' | 'drained' | 'stopping'

/** How a reload ended; `reason` is also in the error log. */
export type ReloadResult =
  | { readonly reloaded: true }
  | { readonly reloaded: false; readonly reason: string }

/** How an upgrade ended; `reason` is also in the error log. */
export type UpgradeResult =
  | { readonly upgraded: true; readonly pid: number }
  | { readonly upgraded: false; readonly reason: string }

/**
 * An acceptor and its workers, as the arbiter sees them.
 *
 * | state | |
 * |---|---|
 * | `starting` | loads its application or starts its workers |
 * | `serving` | accepts connections |
 * | `retiring` | serves until its replacement does |
 * | `stopping` | finishes its requests and accepts nothing |
 */
export interface AcceptorStatus {
  readonly pid: number
  readonly state: 'starting' | 'serving' | 'retiring' | 'stopping'
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /**
   * Its workers; empty if the application runs in the acceptor itself. Null if the acceptor did not
   * answer in time: its event loop is blocked, or it is ending.
   */
  readonly workers: readonly WorkerReport[] | null
}

/** What one acceptor answered, or why it did not: it is starting, it hangs, it has ended. */
export type AcceptorAnswer<Name extends QuestionName> = { readonly pid: number } & Answered<Name>

/** A snapshot of the server. Plain data: it can be sent as JSON. */
export interface ServerStatus {
  /** Monoceros's own version. */
  readonly version: string
  /** The arbiter's process. */
  readonly pid: number
  readonly state: ServerState
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** 1 after the start, one more with each successful reload. */
  readonly generation: number
  readonly application: string
  readonly runtime: 'cpython' | 'pyodide' | 'node'
  /** The path of the config file; null if there is none. */
  readonly config: string | null
  /** As the log shows them: `http://127.0.0.1:8000`, `unix:/run/site.sock`. */
  readonly addresses: readonly string[]
  /** The number of workers that the server should have. */
  readonly workers: number
  /** Also those that a reload has replaced and that are still stopping. */
  readonly acceptors: readonly AcceptorStatus[]
}

/**
 * The actions of the arbiter. `cause` says in the log who asked for one: `SIGHUP`.
 *
 * An action that makes no sense in the current state does nothing, or fails with a reason; none of
 * them throws.
 */
export interface ArbiterActions {
  readonly state: ServerState
  /** What happens to the acceptors; a driver may subscribe. */
  readonly events: ArbiterEvents

  /**
   * Loads the settings and the application again: new workers first. If that fails, what served
   * before stays in use. A reload that is still in progress is abandoned and starts again; both
   * callers get the result of the last one.
   */
  reload(cause: string): Promise<ReloadResult>

  /**
   * Adds workers (or removes, if `by` is negative), down to one for each acceptor.
   *
   * @returns how many workers there are to be; null if the server is starting or stopping
   */
  scale(by: number, cause: string): number | null

  /**
   * Sets the number of workers, as {@link scale} changes it.
   *
   * @returns how many workers there are to be; null if the server is starting or stopping
   */
  scaleTo(workers: number, cause: string): number | null

  /**
   * Stops the acceptors and workers gracefully. The arbiter and its listening sockets stay, so new
   * connections wait for a server: an upgrade, or this one when it is reloaded or scaled.
   */
  drain(cause: string): void

  /**
   * Starts the command of this server again, which may be another version by now, with the
   * listening sockets. Both serve until one of them is stopped. Resolves when the new one serves,
   * or cannot.
   */
  upgrade(cause: string): Promise<UpgradeResult>

  /**
   * How SIGQUIT stops the server. With threads, Gunicorn's worker finishes the requests that it
   * has; without, it ends at once.
   */
  readonly quitMode: StopMode

  /** Stops the server. A `quick` stop may follow a `graceful` one that takes too long. */
  stop(mode: StopMode, cause: string): void

  /** Opens the log files again, after they were renamed. */
  reopenLogs(cause: string): void

  /**
   * Replaces a worker, or an acceptor with its workers: the new one first.
   *
   * @param pid its process
   * @returns false if none that serves or starts has this pid
   */
  restart(pid: number, cause: string): Promise<boolean>

  /** The least important level that goes to the error log. */
  readonly logLevel: LogLevel

  /**
   * Changes the level of the error log in all processes, until the next reload.
   *
   * @returns the level before
   */
  setLogLevel(level: LogLevel, cause: string): LogLevel

  /** The settings in force, and where those come from that are not defaults. */
  readonly configuration: {
    readonly settings: Settings
    readonly origins: Readonly<Record<string, string>>
  }

  /** The newest restarts, and the last reload. */
  readonly history: RestartHistory

  /** The newest entries of the arbiter's own error log; null without a control socket. */
  readonly logTail: LogTail | null

  /** Has the pages that are open in browsers refreshed; nothing without `reload_browser`. */
  refreshBrowsers(change: BrowserChange): void

  /** What runs now. It asks every acceptor, and waits for an answer for a second at most. */
  status(): Promise<ServerStatus>

  /**
   * Asks every acceptor at the same time, also those that are stopping. An acceptor that does not
   * answer is in the result with the reason; the others are not affected. It never rejects.
   *
   * @param deadlineMs how long to wait for an answer, in milliseconds
   */
  ask<Name extends QuestionName>(
    question: Name,
    details: Details<Name>,
    deadlineMs: number,
  ): Promise<readonly AcceptorAnswer<Name>[]>
}

/** A driver's view of the error log. A reload may change the file behind it. */
export interface DriverLog {
  log(level: LogLevel, text: Coded): void
  debug(text: string): void
  info(text: string): void
  warning(text: Coded): void
}

/** Settings that have been read, and what calls their hooks that run beside the arbiter. */
export interface ReadSettings {
  readonly settings: Settings
  readonly configHost: HookHost | null
}

/** Decides on a running server, by calling its actions. */
export interface ArbiterDriver {
  /**
   * Called once, before the arbiter listens or starts anything; actions may be called from then on.
   *
   * @throws if it cannot work, such as a control socket whose path is taken: the server does not
   * start
   */
  start(actions: ArbiterActions, log: DriverLog): void | Promise<void>
  /**
   * Called once, when the server listens and before it starts anything. The server waits for it.
   *
   * @throws if the server must not start
   */
  listening?(): void | Promise<void>
  /**
   * Called by each reload when the settings have been read. The reload waits for it.
   *
   * @throws if the reload must fail, and the previous application and settings stay in use
   */
  reloading?(next: ReadSettings): void | Promise<void>
  /**
   * Called before each Python worker is started, which waits for it. Only if the settings have
   * hooks.
   *
   * @param age how many workers the server has started, this one included
   * @throws if the worker must not be started
   */
  startingWorker?(age: number): void | Promise<void>
  /**
   * Called before a new server is started that is to replace this one. The upgrade waits for it.
   *
   * @throws if the upgrade must fail
   */
  upgrading?(): void | Promise<void>
  /** Called when the server has stopped, or could not start. */
  end?(): void | Promise<void>
}
