import type { DiskBudget } from './disk-budget.ts'
import type { MemoryBudget } from './memory-budget.ts'

/** Where request bodies are kept, and how many bytes. */
export interface BodyStore {
  readonly memory: MemoryBudget
  readonly disk: DiskBudget
  /** A folder for temporary files, on the file system of `disk`. */
  readonly directory: string
  /** Up to this many bytes a request body stays in memory. */
  readonly bodyMemory: number
  /** A request body that finds no room on the disk waits this long for it, in seconds. */
  readonly patience: number
}

/** The same for the responses of slow clients too. */
export interface Spool extends BodyStore {
  /** The most bytes of one response that are kept on the disk; 0 for none. */
  readonly responseLimit: number
}

/** There is no room for what a client sends: it should be answered 503. */
export class NoRoomError extends Error {
  readonly code = 'no-room'
  readonly status = 503
}
