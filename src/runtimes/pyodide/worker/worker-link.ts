import type { MessagePort } from 'node:worker_threads'
import type { InterpreterFailure } from '../failure.ts'
import type { Mount } from '../files/mounts.ts'
import type { InterpreterImage } from '../image/image.ts'

/**
 * What an acceptor and a worker's thread share. While the thread runs Python it is blocked and
 * receives no messages, so there are words of shared memory in addition to the message port.
 */

/** The positions of the shared words. */
export const WORDS = {
  /** How many messages were sent to the thread. The thread sleeps on this word. */
  sent: 0,
  /**
   * The last stream that has begun or was taken back. Whichever side raises it from n to n + 1 or
   * more decides about the streams in between.
   */
  begun: 1,
  /** The stream that a timeout is to end. */
  late: 2,
  /** The interpreter's WebAssembly memory, in pages of 64 KiB. */
  pages: 3,
  /** The last stream whose application was interrupted by a timeout. */
  interrupted: 4,
  /**
   * Bytes of frames and output that the thread has sent and the acceptor has not received. The
   * thread sleeps on this word too.
   */
  untaken: 5,
  /** The stream whose stack is to be logged, and the milliseconds for which it has run. */
  shown: 6,
  shownAfter: 7,
  /** The profile that is being taken, or was taken last; whether it still is; samples a second. */
  sampled: 8,
  sampling: 9,
  hertz: 10,
} as const

/**
 * How much a thread may send before it waits for the acceptor, in bytes. A port's queue has no
 * limit, so an application that prints in an endless loop would take all memory, and all of the
 * acceptor's time.
 */
export const MOST_UNTAKEN = 1024 * 1024

export const WORDS_BYTES = 64

/**
 * The signal that interrupts a late request; see `EmbeddedWorker` in
 * `python/monoceros/embedded.py`.
 */
export const SIGALRM = 14

/**
 * The signal that asks for a stack: of an application that is being loaded (`serve` in
 * `python/monoceros/embedded.py`), or of a request that has run for long (`EmbeddedWorker`).
 */
export const SIGURG = 23

/** The signal of a sample, and of the end of a profile; see `EmbeddedWorker` too. */
export const SIGPROF = 27

/** The data that a worker's thread is started with. */
export interface WorkerThreadData {
  readonly port: MessagePort
  /** {@link WORDS}, as an Int32Array. */
  readonly shared: SharedArrayBuffer
  /** The interrupt buffer: one byte. */
  readonly signals: SharedArrayBuffer
  readonly number: number
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  readonly environment: Readonly<Record<string, string>>
  readonly memoryLimit: number | null
  /** The file locks of this process (`createLockTable()`). */
  readonly locks: SharedArrayBuffer
  /** This interpreter's number in the table of locks. */
  readonly owner: number
}

/** What a thread sends in addition to frames, which are Uint8Arrays. */
export type ThreadNotice =
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** It has claimed a file for this process, for the `ClaimKeeper`. */
  | { readonly type: 'claimed' }
  /** Its memory has reached the limit (bytes), and too little of it is free for requests. */
  | { readonly type: 'full'; readonly limit: number }
  /** The answer to {@link SIGURG}: the stack of the application that is being loaded. */
  | { readonly type: 'stands'; readonly stack: string }
  | { readonly type: 'ended'; readonly status: number }
  /** The interpreter itself failed. The failure never contains JavaScript. */
  | { readonly type: 'broken'; readonly failure: InterpreterFailure }
