import type { MessagePort } from 'node:worker_threads'
import type { InterpreterFailure } from './failure.ts'
import type { Mount } from './files/mounts.ts'
import type { InterpreterImage } from './image/image.ts'

/**
 * What an acceptor and a worker's thread share, as a thread is blocked while it runs Python and
 * hears nothing by itself: words of shared memory beside the message port.
 */

/** Places in the shared words. */
export const words = {
  /** How many messages were sent to the thread; it sleeps on this one. */
  sent: 0,
  /**
   * The last stream that has begun or was taken back: whoever raises it from n to n + 1 or more
   * decides over those in between.
   */
  begun: 1,
  /** The stream that a time-out wants to end. */
  late: 2,
  /** Bytes of WebAssembly memory that the interpreter has, in pages of 64 KiB. */
  pages: 3,
  /** The last stream whose application was interrupted by a time-out. */
  interrupted: 4,
  /**
   * Bytes of frames and output that the thread has sent and the acceptor has not taken; the thread
   * sleeps on this one, too.
   */
  untaken: 5,
} as const

/**
 * How much a thread may have sent, in bytes, before it waits for the acceptor: a port's queue has
 * no end, and what an application prints in an endless loop would take all memory, and all of the
 * acceptor's time before it looks at anything else.
 */
export const MOST_UNTAKEN = 1024 * 1024

export const WORDS_BYTES = 64

/**
 * The stack that a thread with an interpreter should have, in MiB (`resourceLimits.stackSizeMb`):
 * so much that Python's own limits come first, and deep nesting is a RecursionError. With Node's 4
 * MiB `json.loads("[" * 20000)` ends the interpreter. Only what is used of it is memory.
 */
export const STACK_MB = 64

/**
 * What V8 may have in such a thread for objects that are new
 * (`resourceLimits.maxYoungGenerationSizeMb`), in MiB; there are few, as Python's are in
 * WebAssembly's memory. By default it comes to have 12 while Pyodide starts, and keeps them.
 */
export const YOUNG_GENERATION_MB = 6

/**
 * The signal by which a late request is interrupted; see `EmbeddedWorker` in
 * `python/monoceros/embedded.py`.
 */
export const SIGALRM = 14

/**
 * The signal that asks where the application stands while it is loaded; see `serve` in
 * `python/monoceros/embedded.py`.
 */
export const SIGURG = 23

/** All that a worker's thread begins with. */
export interface WorkerThreadData {
  readonly port: MessagePort
  /** {@link words}, as an Int32Array. */
  readonly shared: SharedArrayBuffer
  /** One byte: the interrupt buffer. */
  readonly signals: SharedArrayBuffer
  readonly number: number
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  readonly environment: Readonly<Record<string, string>>
  readonly memoryLimit: number | null
  /** The file locks of this process, `createLockTable()`, and who this is in it. */
  readonly locks: SharedArrayBuffer
  readonly owner: number
}

/** What a thread says beside frames, which are Uint8Arrays. */
export type ThreadNotice =
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** It has claimed a file for this process, for the `ClaimKeeper`. */
  | { readonly type: 'claimed' }
  /** Its memory is at its limit, in bytes, and what is in use leaves no room for requests. */
  | { readonly type: 'full'; readonly limit: number }
  /** Asked by {@link SIGURG}: where the application stands that is being loaded. */
  | { readonly type: 'stands'; readonly stack: string }
  | { readonly type: 'ended'; readonly status: number }
  /** The interpreter itself failed: never with JavaScript in it. */
  | { readonly type: 'broken'; readonly failure: InterpreterFailure }
