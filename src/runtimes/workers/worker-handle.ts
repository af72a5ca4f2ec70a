import type { SocketPassing } from '../../transport/node-internals.ts'
import type { StackReport } from '../load-watch.ts'
import type { MemoryUse } from '../recycling.ts'
import type { FrameDecoder } from './frame-decoder.ts'
import type { FrameChannel } from './frame-writer.ts'
import type { InspectionQuestion } from './worker-inspections.ts'

/**
 * A handle of the process or thread of a worker: frames in both directions, and its end.
 * {@link Worker} speaks the protocol over it, whichever of the two it is.
 */
export interface WorkerHandle {
  /** What it is called in logs: a process id, or the number of a thread. Never 0. */
  readonly pid: number
  /** The data channel's sending side. */
  readonly channel: FrameChannel
  sendControl(frame: Buffer): void
  /** Lends it clients' sockets; absent or null if that is not possible. */
  readonly sockets?: SocketPassing | null
  /**
   * The last stream that it has begun; everything before that has begun too. Also known after its
   * end.
   */
  begun(): number
  /**
   * Takes back at once those of the streams up to `last` that it has not begun.
   * @returns the last stream that it has begun; null if only the worker itself can tell, which
   * answers RECALL with RETURNED
   */
  takeBack(last: number): number | null
  /**
   * Raises in the application, if it works on that stream.
   * @returns false if that is not possible
   */
  interrupt(stream: number): boolean
  /**
   * Has it log where the application is that works on that stream, which goes on.
   *
   * @param seconds for how long it has run
   * @returns false if it is to be asked by a frame; absent if that is always so
   */
  showStack?(stream: number, seconds: number): boolean
  /**
   * Begins to answer a question; absent if it is to be asked by a frame. The answer is FINDINGS.
   *
   * @returns why it cannot be answered, or null
   */
  inspect?(id: number, question: InspectionQuestion): string | null
  /** Has it answer that question now; there whenever `inspect` is. */
  endInspection?(id: number): void
  /**
   * Finds out where the application is while it is loaded; it continues. Answers within two seconds
   * and never rejects.
   */
  reportStack(): Promise<StackReport>
  /** How much memory it has; null if it cannot be known. Never rejects. */
  memoryUse(): Promise<MemoryUse | null>
  /** The worker answered GET_STACKS with the stacks of its threads, as faulthandler writes them. */
  stacksReceived(stacks: string): void
  /** Ends it, and has its Python stacks logged unless they have been. */
  abort(): void
  kill(): void
  /** It has ended: releases what is left of it. */
  dispose(): void
}

/**
 * Called by a {@link WorkerHandle} about its process or thread; not before the promise of its
 * {@link WorkerStarter} is resolved.
 */
export interface WorkerListener {
  /** Where frames from the worker are to be put. */
  readonly decoder: FrameDecoder
  /**
   * Calls `take`, which puts bytes into the decoder, and kills a worker that breaks the protocol.
   */
  received(take: () => void): void
  /** Nothing more will come on the data channel. */
  dataClosed(): void
  /** It has ended: `killed by SIGKILL`. Only the first call counts. */
  exited(reason: string): void
  /**
   * It serves, but should be replaced: `has no memory left`. May be called more than once.
   */
  exhausted(why: string): void
  /** What it printed; null at the end of that stream. */
  output(stream: 'stdout' | 'stderr', chunk: Buffer | null): void
}

/**
 * Starts the process or thread of a worker. The promise is rejected with an Error if that is not
 * possible. Starting one may take time: a process may be forked by another one, which has loaded
 * the application.
 *
 * A worker may become unwanted before it has been started. Then {@link WorkerStartOptions.signal}
 * is aborted. A starter that takes time rejects its promise as soon as nothing is left of the
 * worker; otherwise the handle is killed as soon as there is one.
 */
export type WorkerStarter = (
  listener: WorkerListener,
  settings: WorkerStartOptions,
) => Promise<WorkerHandle>

/**
 * A process that has loaded the application once, and the workers that are forked from it. If the
 * process ends, the next worker waits until another one has loaded the application again.
 */
export interface WorkerSource {
  /** Resolves when a worker can be forked; otherwise as `start`. */
  readonly loaded: (signal: AbortSignal) => Promise<void>
  /** The promise is rejected with an ApplicationLoadError if that is why there is no worker. */
  readonly start: WorkerStarter
  /** No more workers are to be started. Resolves when its process has ended, as the last one. */
  retire(): Promise<void>
  /** Ends its process at once, but not its workers. */
  kill(): void
}

/** What is needed to start the process or the thread of a worker. */
export interface WorkerStartOptions {
  /** Which one of the pool's workers it is. */
  readonly number: number
  readonly application: string
  readonly chdir: string
  /** It does not keep this process from ending. */
  readonly background: boolean
  /** Aborted when the worker is not wanted any more. */
  readonly signal: AbortSignal
}
