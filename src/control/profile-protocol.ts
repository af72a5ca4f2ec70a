/** What goes over a control socket for profiles; a part of `protocol.ts`. */
import type { StackFindings } from '../profile/findings.ts'
import type { MemoryFindings } from '../profile/memory.ts'
import type { MemoryRequest, ProfileRequest, Unprofiled } from '../profile/requests.ts'

export type { MemoryRequest, ProfileRequest, Unprofiled }

/** The answer to `POST /profile`; it takes `seconds`. */
export interface ProfileResult {
  readonly application: string
  readonly runtime: string
  readonly takenAt: number
  /** All workers added up. */
  readonly findings: StackFindings
  /** The processes that were asked, as workers are called in the log. */
  readonly workers: readonly number[]
  readonly failed: readonly Unprofiled[]
  /** V8's profile of each process as JSON; only of TypeScript, and if `raw` was given. */
  readonly raw: readonly { readonly pid: number; readonly profile: string }[]
}

/** The answer to `POST /memory`; it takes `seconds`. */
export interface MemoryResult {
  readonly application: string
  readonly workers: readonly { readonly pid: number; readonly memory: MemoryFindings }[]
  readonly failed: readonly Unprofiled[]
}

/**
 * `POST /heap-snapshot`: without `offset`, takes a snapshot of V8's heap in that process and says
 * how long it is; with it, gives a part of that; with `done`, drops it. Without a `worker`, says
 * which process there is.
 */
export interface HeapRequest {
  readonly worker: number | null
  readonly offset?: number
  readonly done?: boolean
}

export interface HeapResult {
  readonly pid: number
  readonly size: number
  /** In base64; empty at the end. */
  readonly part: string
}

/** What the actions of profiles answer. */
export interface ProfileResults {
  readonly profile: ProfileResult
  readonly memory: MemoryResult
  readonly 'heap-snapshot': HeapResult
}
