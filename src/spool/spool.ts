import type { DiskBudget } from './disk-budget.ts'
import type { MemoryBudget } from './memory-budget.ts'

/** Where request bodies are kept, and the limits for them. */
export interface BodyStore {
  readonly memory: MemoryBudget
  readonly disk: DiskBudget
  /** A folder for temporary files, on the file system of `disk`. */
  readonly directory: string
  /** How many bytes of a request body stay in memory. */
  readonly bodyMemory: number
  /** How long a request body waits for space on the disk, in seconds. */
  readonly patience: number
}

/** A store for request bodies, and for the responses of slow clients. */
export interface Spool extends BodyStore {
  /** The most bytes of one response that are kept on the disk; 0 for none. */
  readonly responseLimit: number
}

/** There is no space for what a client sends. The answer should be 503. */
export class NoSpaceError extends Error {
  readonly code = 'no-space'
  readonly status = 503
}
