import type { RequestHandler } from '../../http/exchange.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { CacheStore } from './cache-store.ts'
import { type DropsLink, SharedDrops } from './shared-drops.ts'
import type { StoredResponse } from './stored-response.ts'

export interface CacheOptions {
  /** The most bytes that the store takes, with keys and heads. */
  readonly bytes: number
  /** The most bytes that the body of a stored response has. */
  readonly largest: number
  /** How long a request waits for the response to another one, in seconds. */
  readonly wait: number
  /**
   * The share of the age since Last-Modified for which a response without a lifetime is fresh; 0
   * for none.
   */
  readonly heuristic: number
  /** Clients may have certificates. The answers to those that have one are not stored. */
  readonly clientCertificates: boolean
  /** Addresses and networks that may send PURGE. */
  readonly purgeFrom: readonly string[]
  readonly memory: MemoryBudget
  readonly events: RequestEvents
  /** The caches of other acceptors; null if there are none. */
  readonly others: DropsLink | null
}

/** The most requests that wait for responses to others; further ones do not wait. */
const MOST_WAITING = 10_000
/** The most responses that are asked for again behind a client's back at the same time. */
export const MOST_REFRESHED = 64

/** A request that waits for the response to another one. */
export interface Waiter {
  /** @param stored what the other request has brought; null if that cannot be used */
  release(stored: StoredResponse | null): void
}

/** A request to the application whose response may be stored. */
export interface RunningFill {
  /** The resource that it is for. */
  readonly key: string
  /** Others may wait for it. */
  joinable: boolean
  /** @returns false if too many wait already */
  join(waiter: Waiter): boolean
  /** The waiter's client has left. */
  leave(waiter: Waiter): void
  /** Its response must not be stored, because what it shows has been changed. */
  outdate(): void
}

/** What the parts of the cache share. */
export class CacheContext {
  readonly options: CacheOptions
  readonly memory: MemoryBudget
  readonly store: CacheStore
  readonly next: RequestHandler
  readonly #drops: SharedDrops | null
  /** Requests that wait. */
  waiting = 0
  /** Fills without a client. */
  refreshing = 0
  /** Those that others may join, by the variant that they are for. */
  readonly #joinable = new Map<string, RunningFill>()
  readonly #names = new Map<RunningFill, string>()
  /** All of them, by resource. */
  readonly #running = new Map<string, Set<RunningFill>>()

  constructor(options: CacheOptions, store: CacheStore, next: RequestHandler) {
    this.options = options
    this.memory = options.memory
    this.store = store
    this.next = next
    const { others } = options
    this.#drops = others === null ? null : new SharedDrops(others)
    if (others === null) return
    others.receive = ({ keys, beginnings }) => {
      for (const key of keys) this.#invalidate(key)
      for (const beginning of beginnings) this.#invalidateAll(beginning)
    }
  }

  mayWait(): boolean {
    return this.waiting < MOST_WAITING
  }

  /** The fill that a request for this variant may wait for. */
  joinable(variant: string): RunningFill | undefined {
    return this.#joinable.get(variant)
  }

  /** Lets others wait for a fill. */
  offer(variant: string, fill: RunningFill): void {
    fill.joinable = true
    this.#joinable.set(variant, fill)
    this.#names.set(fill, variant)
  }

  /** Nobody else may wait for it. */
  forget(fill: RunningFill): void {
    const variant = this.#names.get(fill)
    if (variant === undefined) return
    this.#names.delete(fill)
    if (this.#joinable.get(variant) === fill) this.#joinable.delete(variant)
  }

  fillBegins(fill: RunningFill): void {
    const others = this.#running.get(fill.key)
    if (others === undefined) this.#running.set(fill.key, new Set([fill]))
    else others.add(fill)
  }

  fillEnds(fill: RunningFill): void {
    this.forget(fill)
    const all = this.#running.get(fill.key)
    if (!all?.delete(fill)) return
    if (all.size === 0) this.#running.delete(fill.key)
  }

  /**
   * Drops what is stored for a resource, and what is about to be.
   * @returns how many responses were stored
   */
  invalidate(key: string): number {
    this.#drops?.key(key)
    return this.#invalidate(key)
  }

  #invalidate(key: string): number {
    for (const fill of this.#running.get(key) ?? []) this.#outdate(fill)
    return this.store.drop(key)
  }

  /** The same for all resources whose key begins like this. */
  invalidateAll(beginning: string): number {
    this.#drops?.beginning(beginning)
    return this.#invalidateAll(beginning)
  }

  #invalidateAll(beginning: string): number {
    for (const [key, fills] of this.#running)
      if (key.startsWith(beginning)) for (const fill of fills) this.#outdate(fill)
    return this.store.dropAll(beginning)
  }

  #outdate(fill: RunningFill): void {
    this.forget(fill)
    fill.outdate()
  }
}
