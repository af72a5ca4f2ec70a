import { type ListenerFailed, Topic } from './topic.ts'

/** A worker process or thread was started; it loads the application. */
export interface WorkerStarted {
  /** The number of its process; of an embedded worker, the number that stands for it in the log. */
  readonly pid: number
  /** How many workers the server had started with it; null if it has no hooks, which count them. */
  readonly age: number | null
}

/** A worker has loaded the application and serves. */
export interface WorkerReady {
  readonly pid: number
  /** From its start until now. */
  readonly seconds: number
}

/** A worker has got or finished a request. */
export interface WorkerLoad {
  readonly pid: number
  /** Requests that it has now, running or queued in it. 0: it is idle. */
  readonly requests: number
}

/**
 * Why a worker ended: `stopped` because it was told to leave (a reload, `max_requests`, fewer
 * workers, the end of the server), `load-failed` before it was ready, `timed-out` because a request
 * ran longer than `timeout`, `acceptor-ended` because its acceptor was killed or has failed,
 * `crashed` for anything else.
 */
export type WorkerEndCause = 'stopped' | 'load-failed' | 'timed-out' | 'acceptor-ended' | 'crashed'

export interface WorkerEnded {
  readonly pid: number
  readonly cause: WorkerEndCause
  /** As in the log: `killed by SIGKILL`. */
  readonly reason: string
}

/**
 * Why a worker is replaced: a limit (`max_requests`, `max_worker_memory`, `max_worker_lifetime`),
 * it is `exhausted` (an embedded one has no memory left), or the server was told to (a command,
 * more workers than one).
 */
export type RecycleCause = 'max-requests' | 'max-memory' | 'max-lifetime' | 'exhausted' | 'told'

/** A worker is replaced while it serves: the new one serves, and the old one is about to leave. */
export interface WorkerRecycled {
  /** The worker that leaves; `workerEnded` follows. */
  readonly pid: number
  /** The worker that has taken its place. */
  readonly replacement: number
  readonly cause: RecycleCause
  /** As in the log: `has answered max_requests`. */
  readonly reason: string
}

/** The queue of requests that wait for a worker has become longer or shorter. */
export interface QueueChanged {
  /** Requests that wait now. */
  readonly waiting: number
}

/** The application has loaded modules. A file may be named more than once. */
export interface FilesLoaded {
  /** Absolute paths. */
  readonly files: readonly string[]
}

/** What happens to the workers of one acceptor, and to the requests that wait for them. */
export class WorkerEvents {
  readonly workerStarted: Topic<WorkerStarted>
  readonly workerReady: Topic<WorkerReady>
  readonly workerLoad: Topic<WorkerLoad>
  readonly workerRecycled: Topic<WorkerRecycled>
  readonly workerEnded: Topic<WorkerEnded>
  readonly queueChanged: Topic<QueueChanged>
  readonly filesLoaded: Topic<FilesLoaded>

  /** @param failed called when a listener throws */
  constructor(failed: ListenerFailed) {
    this.workerStarted = new Topic('workerStarted', failed)
    this.workerReady = new Topic('workerReady', failed)
    this.workerLoad = new Topic('workerLoad', failed)
    this.workerRecycled = new Topic('workerRecycled', failed)
    this.workerEnded = new Topic('workerEnded', failed)
    this.filesLoaded = new Topic('filesLoaded', failed)
    this.queueChanged = new Topic('queueChanged', failed)
  }
}
