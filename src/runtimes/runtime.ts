import type { Span } from '../bytes/span.ts'

/**
 * What runs an application, as the gateway sees it. A runtime takes whole requests and gives back
 * responses; it never sees a client's socket (the design's central rule), so a slow or broken
 * client cannot hold it.
 */
export interface Runtime {
  /**
   * Takes a request that is ready to run. The answer comes by the task's own methods, never before
   * this returns.
   */
  submit(task: Task): TaskHandle
  /** How many tasks wait for somebody to run them. */
  readonly waiting: number
}

/**
 * A request on its way through a runtime. The runtime calls exactly one ending: `responseHead` with
 * `ended`, `responseEnd`, `responseFile`, `failed` or `lost`.
 */
export interface Task {
  /** For logs: `GET /path`. */
  describe(): string
  /** An upper bound of what {@link Task.writeEnviron} writes, in bytes. */
  environBound(): number
  /**
   * Writes the environ as a marshalled dict (see `docs/reference/frames.md`) at `at`; returns where
   * it ends.
   */
  writeEnviron(out: Buffer, at: number): number
  /** The request's body: whole, in a file, or to come (the runtime then asks by `wantBody`). */
  readonly body: TaskBody
  /**
   * The time after which nobody waits for the answer any more, so that there is no point in
   * beginning it. Milliseconds of `performance.now()`.
   */
  readonly abandonedAt: number

  /**
   * The response begins.
   *
   * @param head status line and field lines, not checked; it is in the head room of `body`
   * @param body the part of the body that came with the head; lent
   * @param ended that is the whole response
   * @returns whether the memory of `body` is still needed ({@link KEPT}, {@link TAKEN}), or
   * {@link REFUSED}
   */
  responseHead(head: Span, body: Span, ended: boolean): HeadOutcome
  /**
   * A piece of the body, lent, counted against the window.
   * @returns whether its memory is still needed
   */
  responseData(piece: Span): boolean
  /** Whoever runs it holds that many bytes of the body, and waits until the client takes some. */
  held(bytes: number): void
  /** The response is over; `broken` when it is not complete. */
  responseEnd(broken: boolean): void
  /** The rest of the response is part of a file. It also ends the task. */
  responseFile(reference: FileReference): void
  /** The application raised before any of its response was sent. */
  failed(traceback: string): void
  /**
   * The runtime cannot answer: worker gone (502), no capacity (503), time-out (504). `reason` is
   * for the log.
   */
  lost(status: 502 | 503 | 504, reason: string): void
  /** The application reads: that many more bytes of a streamed body may come. */
  wantBody(bytes: number): void
  /** A cancelled task has left the runtime: nobody will open the file of its body any more. */
  released(): void
}

/** What became of a response's head and what came with it. */
export type HeadOutcome = typeof TAKEN | typeof KEPT | typeof REFUSED
/** Its bytes are not needed any more: the same memory may be used for others. */
export const TAKEN = 0
/** They are: they have been given to a socket that has not taken them yet. */
export const KEPT = 1
/** The head broke a rule; the exchange has been answered 500 and wants nothing more. */
export const REFUSED = 2

export type TaskBody =
  | { readonly kind: 'whole'; readonly chunks: readonly Buffer[]; readonly length: number }
  | { readonly kind: 'file'; readonly path: string; readonly length: number }
  | { readonly kind: 'stream' }

/** A part of a regular file, named so that a path swapped meanwhile is noticed. */
export interface FileReference {
  readonly path: string
  readonly device: number
  readonly inode: number
  readonly offset: number
  readonly length: number
}

/** The gateway's hold on a submitted task. After the task's ending every call is ignored. */
export interface TaskHandle {
  /** Whoever runs it has begun to answer several others, which are not complete either. */
  readonly crowded: boolean
  /** It keeps a thread from other requests while it waits for credit. */
  readonly blocking: boolean
  /** The client is gone. The task gets no further calls but {@link Task.released}. */
  cancel(): void
  /** A piece of a streamed body; `end` with the last one, which may be empty. */
  sendBody(chunk: Buffer, end: boolean): void
  /** A streamed body broke off. */
  abortBody(): void
  /** The client has taken that many bytes of the response body. */
  grant(bytes: number): void
}
