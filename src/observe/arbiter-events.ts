import { type ListenerFailed, Topic } from './topic.ts'
import type {
  FilesLoaded,
  WorkerEnded,
  WorkerReady,
  WorkerRecycled,
  WorkerStarted,
} from './worker-events.ts'

/** An acceptor process was started. */
export interface AcceptorStarted {
  readonly pid: number
}

/** An acceptor and its workers serve. */
export interface AcceptorReady {
  readonly pid: number
  /** Its Python workers; 0 for an application in TypeScript, which the acceptor runs itself. */
  readonly workers: number
  /** The application is loaded. Otherwise it answers with the error (`--reload`). */
  readonly loaded: boolean
}

/** What an acceptor has counted so far; only with `metrics_bind`. */
export interface AcceptorCounted {
  readonly pid: number
  /** A snapshot of its metrics, as plain data. */
  readonly snapshot: object
}

/** An acceptor process ended. */
export interface AcceptorEnded {
  readonly pid: number
  /** Whether the arbiter had told it to stop. */
  readonly expected: boolean
  /** As in the log: `Acceptor 4711 was killed by SIGKILL`. */
  readonly reason: string
}

/** An application in TypeScript blocks the event loop of its acceptor; only with `slow_request`. */
export interface LoopBlocked {
  readonly pid: number
  /** For how long it has by now. */
  readonly seconds: number
  readonly stack: string
}

/**
 * A reload has begun or ended. `cause` says who asked for it: `SIGHUP`. After `failed` and
 * `abandoned`, what served before stays in use; `reason` says why.
 */
export type Reload =
  | { readonly phase: 'begun'; readonly cause: string }
  | { readonly phase: 'done' | 'abandoned' }
  | { readonly phase: 'failed'; readonly reason: string }

/** The process of the acceptor that a worker belongs to. */
export interface OfAcceptor {
  readonly acceptor: number
}

/** The server serves for the first time. */
export interface Serving {
  readonly application: string
  /** How many there should be. */
  readonly workers: number
}

/** The server begins to stop. */
export interface Stopping {
  /** `quick`: nothing is waited for. It may follow `graceful`. */
  readonly mode: 'graceful' | 'quick'
  /** Who asked for it: `SIGTERM`. */
  readonly cause: string
}

/** The number of workers that the server should have was set or has changed. */
export interface WorkersChanged {
  readonly workers: number
  /** The number before; null at the start. */
  readonly before: number | null
}

/**
 * A new Monoceros takes over the listening sockets (SIGUSR2). Both serve until one is stopped.
 *
 * | phase | published by | |
 * |---|---|---|
 * | `begun` | the old one | the process of the new one, `pid`, was started |
 * | `serving` | the old one | the new one serves |
 * | `ended` | the old one | the new one has ended; `reason` as in the log |
 * | `promoted` | the new one | the old one, `pid`, is gone |
 */
export type Upgrade =
  | { readonly phase: 'begun' | 'serving' | 'promoted'; readonly pid: number }
  | { readonly phase: 'ended'; readonly pid: number; readonly reason: string }

/**
 * What happens to the acceptors and workers of one server.
 *
 * The topics of workers have the events of every acceptor's pool, which send them to the arbiter.
 * Each worker that was started also ends: if its acceptor is killed, the arbiter publishes
 * `workerEnded` for the workers of which it has not heard. An application in TypeScript runs in the
 * acceptor itself, which has no worker events.
 */
export class ArbiterEvents {
  readonly acceptorStarted: Topic<AcceptorStarted>
  readonly acceptorReady: Topic<AcceptorReady>
  readonly acceptorCounted: Topic<AcceptorCounted>
  readonly acceptorEnded: Topic<AcceptorEnded>
  readonly loopBlocked: Topic<LoopBlocked>
  readonly workerStarted: Topic<WorkerStarted & OfAcceptor>
  readonly workerReady: Topic<WorkerReady & OfAcceptor>
  readonly workerRecycled: Topic<WorkerRecycled & OfAcceptor>
  readonly workerEnded: Topic<WorkerEnded & OfAcceptor>
  readonly serving: Topic<Serving>
  readonly workersChanged: Topic<WorkersChanged>
  readonly reload: Topic<Reload>
  /** Only with `--reload`. */
  readonly filesLoaded: Topic<FilesLoaded>
  readonly stopping: Topic<Stopping>
  readonly upgrade: Topic<Upgrade>

  /** @param failed called when a listener throws */
  constructor(failed: ListenerFailed) {
    this.acceptorStarted = new Topic('acceptorStarted', failed)
    this.acceptorReady = new Topic('acceptorReady', failed)
    this.acceptorCounted = new Topic('acceptorCounted', failed)
    this.acceptorEnded = new Topic('acceptorEnded', failed)
    this.loopBlocked = new Topic('loopBlocked', failed)
    this.workerStarted = new Topic('workerStarted', failed)
    this.workerReady = new Topic('workerReady', failed)
    this.workerRecycled = new Topic('workerRecycled', failed)
    this.workerEnded = new Topic('workerEnded', failed)
    this.serving = new Topic('serving', failed)
    this.workersChanged = new Topic('workersChanged', failed)
    this.upgrade = new Topic('upgrade', failed)
    this.filesLoaded = new Topic('filesLoaded', failed)
    this.reload = new Topic('reload', failed)
    this.stopping = new Topic('stopping', failed)
  }
}
