/**
 * What the arbiter and an acceptor process say to each other, over the IPC channel that Node gives
 * a child process (structured clones, so that any plain data passes).
 *
 * The conversation: the arbiter sends `start` once; the acceptor answers `ready` or `failed` (and
 * then exits). From then on the arbiter may send `reload` (answered by `reloaded` or
 * `reload-failed`; `abandon-reload` makes it fail at once), `scale` and `reopen-logs`, and in the
 * end `stop` or `kill`, on which the acceptor exits. An acceptor that leaves for a reason of its
 * own says `leaving` first, so that its replacement need not wait for its end; `failed` when the
 * application gave the reason. One that is due to be replaced, but serves as well as ever, says
 * `retiring`, and is stopped when its replacement serves. Where the application runs in the
 * acceptor itself, `alive` says again and again that it is not stuck.
 */
import type { BindAddress } from '../settings/bind-address.ts'
import type { Settings } from '../settings/table.ts'

/**
 * Where a socket is bound, as the kernel knows it: an IP address and the real port, or the path of
 * a unix socket.
 *
 * @example { kind: 'tcp', host: '127.0.0.1', port: 8000 }
 */
export type BoundAddress = BindAddress

/** A listening socket that the acceptor inherited; `server.listen({ fd })` accepts from it. */
export interface InheritedListener {
  readonly fd: number
  readonly address: BoundAddress
}

/** A worker that is ready to serve. */
export interface ReadyWorker {
  readonly pid: number
  /** Its version, as in `3.11.7`. */
  readonly python: string
  /** `CPython`, … */
  readonly implementation: string
}

/** What an acceptor has to tell once it serves. */
export interface AcceptorReady {
  readonly workers: readonly ReadyWorker[]
  /** The path of the interpreter, or `embedded`. */
  readonly interpreter: string
  /** Requests that each worker runs at the same time; null where it is always one. */
  readonly threads: number | null
  /** What the operator should know of how it serves; the arbiter logs it once for all acceptors. */
  readonly warnings?: readonly string[]
}

/** All that an acceptor process needs to begin. */
export interface StartMessage {
  readonly type: 'start'
  readonly settings: Settings
  readonly listeners: readonly InheritedListener[]
  /** This acceptor's share of the workers. */
  readonly workers: number
  /**
   * A directory of its own, with mode 0700, which the arbiter removes when the acceptor is gone.
   */
  readonly tmpDir: string
  /**
   * Where the application runs in the acceptor itself: the descriptor on which the arbiter asks
   * where it stands.
   */
  readonly stackFd: number | null
}

export type ToAcceptor =
  | StartMessage
  | { readonly type: 'reload' }
  | { readonly type: 'abandon-reload' }
  | { readonly type: 'scale'; readonly workers: number }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'stop'; readonly graceTimeoutMs: number; readonly replaced: boolean }
  | { readonly type: 'kill' }

/**
 * Whose fault it is that an acceptor could not start or reload: the application's, or anything
 * else.
 */
export type FailureKind = 'application-load' | 'other'

export type FromAcceptor =
  | { readonly type: 'ready'; readonly ready: AcceptorReady }
  | { readonly type: 'failed'; readonly kind: FailureKind; readonly text: string }
  | { readonly type: 'reloaded' }
  | { readonly type: 'reload-failed'; readonly kind: FailureKind; readonly text: string }
  | { readonly type: 'leaving'; readonly failed: boolean }
  | { readonly type: 'retiring' }
  | { readonly type: 'alive' }
