/**
 * What an acceptor tells of itself when it is asked. Plain data: it can be sent as JSON.
 *
 * Times are milliseconds since 1970, durations are seconds, sizes are bytes. A value that is not
 * known is null.
 */

/** What a process takes. */
export interface ProcessUsage {
  /** Resident memory. */
  readonly memory: number
  /** Processor time since its start, in seconds. */
  readonly cpu: number
}

/** What an acceptor knows of itself. */
export interface AcceptorState {
  /** Connections that are open. */
  readonly connections: number
  /** Requests that wait for a worker. */
  readonly waiting: number
  /** How many may wait (`backlog_limit`); null if the application runs in the acceptor. */
  readonly waitingLimit: number | null
  /** How long the one that has waited longest has, in seconds; 0 if none waits. */
  readonly longestWait: number
  /** Bytes held in memory for clients, and how many may be (`client_memory`; null: any number). */
  readonly held: number
  readonly heldLimit: number | null
  /** Bytes in temporary files, and how many may be (`spool_size`). */
  readonly spooled: number
  readonly spoolLimit: number | null
  readonly workers: readonly ControlWorker[]
}

export interface ControlWorker {
  /**
   * What a worker of a `pythonApp` runs, as in `flaskapp:app`; absent for those of the server's own
   * application.
   */
  readonly application?: string
  /** It is such a worker, and a thread of its process. */
  readonly embedded?: boolean
  /** Of an embedded worker, which is a thread: the number that stands for it in the log. */
  readonly pid: number
  readonly state: 'starting' | 'loading' | 'serving' | 'leaving' | 'condemned'
  /** When it began to serve; null before that. */
  readonly readyAt: number | null
  /** Requests that it has had since it serves. */
  readonly taken: number
  /** Requests that it has now, running or waiting in it. */
  readonly requests: number
  /** Its successor is being started. */
  readonly recycling: boolean
  /** What it works on, the oldest first; at most 10 of them. */
  readonly running: readonly ControlRequest[]
  /** Null for an embedded worker. */
  readonly usage?: ProcessUsage | null
}

/** A request that has arrived and is not answered. */
export interface ControlRequest {
  /** `GET /cart`, without the query. */
  readonly request: string
  /**
   * `queued`: it waits for a worker; `given`: a worker has it and has not begun it; `running`: the
   * application works on it; `sending`: its response waits for the client.
   */
  readonly state: 'queued' | 'given' | 'running' | 'sending'
  /** Since it had arrived, in seconds. */
  readonly seconds: number
  /** The worker that has it; null while it is queued. */
  readonly worker: number | null
}

/** A request whose stack was logged while it ran (`slow_request`). */
export interface SlowRequest {
  readonly at: number
  /** As in {@link ControlRequest}; null if only the process is known, which ran a blocked loop. */
  readonly request: string | null
  /** How long it had run by then. */
  readonly seconds: number
  /** The worker; for an application in TypeScript the acceptor. */
  readonly worker: number
  /** Null until it is there, and if the request ended before. Cut after 8,192 characters. */
  readonly stack: string | null
}

/** An entry of the error log. */
export interface LogRecord {
  /** Grows with each entry of its process. */
  readonly number: number
  readonly at: number
  /** The process that it is about. */
  readonly pid: number
  readonly level: string
  /** Cut after 8,192 characters. */
  readonly text: string
}
