import type { Whereabouts } from '../load-watch.ts'
import type { FrameDecoder } from './frame-decoder.ts'
import type { FrameChannel } from './frame-writer.ts'

/**
 * A handle of the process or the thread that a worker lives in: frames there and back, its start
 * and its end. {@link Worker} speaks the protocol over it, whichever of the two it is.
 */
export interface WorkerHandle {
  /**
   * What it is called in logs: a process id, or the number of a thread. 0 when it could not be
   * started.
   */
  readonly pid: number
  /** The data channel's sending side. */
  readonly channel: FrameChannel
  sendControl(frame: Buffer): void
  /**
   * The last stream it has begun; everything before that has begun too. Known after its end as
   * well.
   */
  begun(): number
  /**
   * Takes back whatever of the streams up to `last` it has not begun, here and now.
   * @returns the last stream it has begun; null where only the worker itself can tell (it answers
   * RECALL with RETURNED)
   */
  takeBack(last: number): number | null
  /**
   * Raises in the application where it stands, if it works on that stream. @returns false where
   * that cannot be done
   */
  interrupt(stream: number): boolean
  /**
   * Where it stands while it loads the application, which goes on. Answers within two seconds, and
   * never rejects.
   */
  where(): Promise<Whereabouts>
  /**
   * Its answer to GET_STACKS, where that is asked by a frame: the stacks of its threads, as faulthandler
   * writes them.
   */
  stands(stacks: string): void
  /** Ends it, with its Python stacks in the log where it has some that nobody has seen. */
  abort(): void
  kill(): void
  /** It has ended: releases what is left of it. */
  dispose(): void
}

/** Called by a {@link WorkerHandle} about its process or thread. */
export interface WorkerListener {
  /** Where frames from the worker are to be put. */
  readonly decoder: FrameDecoder
  /**
   * Wraps whatever puts bytes into the decoder: a worker that breaks the protocol is ended there.
   */
  received(take: () => void): void
  /** Nothing will come of the data channel any more. */
  dataClosed(): void
  /** It has ended: `killed by SIGKILL`. Only the first time counts. */
  exited(reason: string): void
  /**
   * It serves, but should make way for a fresh one: `has no memory left`. May come more than once.
   */
  exhausted(why: string): void
  /** What it printed; null at the end of that stream. */
  output(stream: 'stdout' | 'stderr', chunk: Buffer | null): void
}

/**
 * Starts the process or the thread of a worker.
 * @throws Error if that is not possible; the listener's `exited` may report it instead
 */
export type WorkerStarter = (listener: WorkerListener, settings: WorkerSettings) => WorkerHandle

/** What is needed to start the process or the thread of a worker. */
export interface WorkerSettings {
  /** Of all the pool's workers, which one this is. */
  readonly number: number
  readonly application: string
  readonly chdir: string
  /** It keeps our process from ending no more than anything else does. */
  readonly background: boolean
}
