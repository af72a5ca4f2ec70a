import type { Span } from '../bytes/span.ts'
import type { RequestTimes } from '../observe/request-times.ts'
import type { LentSocket } from '../transport/lent-socket.ts'

/**
 * What runs an application, as the gateway sees it. A runtime takes whole requests and gives back
 * responses. It never sees a client's socket, so that a slow or broken client cannot block it; this
 * is the central rule of the design.
 */
export interface Runtime {
  /**
   * Takes a request that is ready to run. The runtime answers by calling the task's methods, and
   * calls none of them before this returns.
   */
  submit(task: Task): TaskHandle
  /** How many tasks wait to be run. */
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
   * Writes the environ as a marshalled dict (see `docs/reference/frames.md`) at `at`.
   * @returns where it ends
   */
  writeEnviron(out: Buffer, at: number): number
  /** The request's body: whole, in a file, or still to come; then the runtime calls `wantBody`. */
  readonly body: TaskBody
  /**
   * When the client stops waiting for the answer, so that the task is not begun after that.
   * Milliseconds of `performance.now()`.
   */
  readonly abandonedAt: number
  /** The runtime notes when it is given to a worker and when it begins; null if nobody measures. */
  readonly times?: RequestTimes | null

  /**
   * The application gives hints before its response (RFC 8297).
   *
   * @param lines fields, as workers send them in a head (`field-block/`), not checked; lent
   */
  earlyHints(lines: Span): void
  /**
   * The response begins.
   *
   * @param head as workers send it (`field-block/`), not checked; it is in the headroom of `body`
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
  /** The worker holds that many bytes of the body, and waits until the client takes some. */
  held(bytes: number): void
  /**
   * The worker can send the next bytes of the body to the client itself. Absent where that is never
   * possible.
   *
   * @param bytes how many
   * @param held how many of them it holds in its memory until then
   * @returns the socket that is to be lent to it: a head with a sufficient Content-Length has been
   * given to the kernel. Null if the bytes are to come here
   */
  offered?(bytes: number, held: number): LentSocket | null
  /** The worker has written that many bytes to the socket, as above, and has given it back. */
  sent?(bytes: number): void
  /** The response is over; `broken` if it is not complete. */
  responseEnd(broken: boolean): void
  /** The rest of the response is a part of a file. Also ends the task. */
  responseFile(reference: FileReference): void
  /** The application raised before any of its response was sent. */
  failed(traceback: string): void
  /**
   * The runtime cannot answer: the worker is gone (502), there is no capacity (503), or the request
   * timed out (504). `reason` is for the log.
   */
  lost(status: 502 | 503 | 504, reason: string): void
  /** The application reads the body: that many more bytes of a streamed one may come. */
  wantBody(bytes: number): void
  /** A cancelled task has left the runtime: the file of its body will not be opened any more. */
  released(): void
}

/** What happened to a response's head and to the bytes that came with it. */
export type HeadOutcome = typeof TAKEN | typeof KEPT | typeof REFUSED
/** The bytes are not needed any more: their memory may be used again. */
export const TAKEN = 0
/** The bytes are still needed: a socket has them and has not sent them yet. */
export const KEPT = 1
/** The head broke a rule: the client has been answered 500, and the rest is not needed. */
export const REFUSED = 2

/** Uses memory again that a channel may read after a call has returned. */
export interface MemoryOwner {
  /** A piece of it is needed … */
  memoryInUse(): void
  /** … and not any more. Called once for each call of the other. */
  memoryUnused(): void
}

export type TaskBody =
  | {
      readonly kind: 'whole'
      readonly chunks: readonly Buffer[]
      readonly length: number
      /** Uses the memory of the chunks again when nobody needs it. */
      readonly owner?: MemoryOwner
    }
  | { readonly kind: 'file'; readonly path: string; readonly length: number }
  | { readonly kind: 'stream' }

/** A part of a regular file. Device and inode show whether the path still names the same file. */
export interface FileReference {
  readonly path: string
  readonly device: number
  readonly inode: number
  readonly offset: number
  readonly length: number
}

/** The gateway's handle of a submitted task. After the task's ending, every call is ignored. */
export interface TaskHandle {
  /** Its worker has begun to answer several others, which are not complete either. */
  readonly crowded: boolean
  /** It occupies a thread while it waits for credit. */
  readonly blocking: boolean
  /** The client is gone. The task gets no further calls but {@link Task.released}. */
  cancel(): void
  /** A piece of a streamed body; `end` with the last one, which may be empty. */
  sendBody(chunk: Buffer, end: boolean): void
  /** A streamed body ended too early. */
  abortBody(): void
  /** The client has taken that many bytes of the response body. */
  grant(bytes: number): void
}
