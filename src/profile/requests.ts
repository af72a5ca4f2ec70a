/** What may be asked for: of the server by a command, and of an acceptor by the arbiter. */

/** Stacks for some seconds. */
export interface ProfileRequest {
  readonly seconds: number
  /** Samples a second. */
  readonly hertz: number
  /** The pid of the only worker that is asked; null for all. */
  readonly worker: number | null
  /** Whether the profiles of V8 are wanted as they are too (`.cpuprofile`). */
  readonly raw: boolean
}

/** Which lines allocate memory that stays, for some seconds. */
export interface MemoryRequest {
  readonly seconds: number
  /** How many lines. */
  readonly top: number
  /** The pid of the only worker that is asked; null for all. */
  readonly worker: number | null
}

/** One that an acceptor takes. */
export interface Keyed {
  /** A number of the arbiter's, by which it can be ended before its time. */
  readonly key: number
}

/** What `seconds`, `hertz` and `top` may be at most, and are if nobody says. */
export const PROFILE_LIMITS = {
  seconds: { most: 3600, usual: 10 },
  hertz: { most: 1000, usual: 100 },
  top: { most: 1000, usual: 20 },
} as const

/** How long a snapshot of a heap may take, in milliseconds. */
export const SNAPSHOT_MS = 10 * 60_000

/** A worker or an acceptor that has found nothing, and why. */
export interface Unprofiled {
  readonly pid: number
  readonly reason: string
}
