import { LRUCache } from 'lru-cache'
import type { RequestHead } from '../../http/request-head.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { RequestFacts } from './request-facts.ts'
import type { StoredResponse } from './stored-response.ts'
import { varyKey } from './vary-key.ts'

/** The most variants of a resource; with more, the oldest one goes. */
const MOST_VARIANTS = 64
/** Resources whose responses could not be stored, of which the last ones are remembered. */
const MOST_UNCACHEABLE = 4096
/** The most characters of their keys: clients choose how long these are. */
const LONGEST_UNCACHEABLE = 1024 * 1024
/** For how long, in milliseconds. */
const UNCACHEABLE_MS = 30_000
/** A resource without its variants, in bytes. */
const OVERHEAD = 512

/** The stored responses to one key. All of them have the same Vary. */
export class Resource {
  readonly vary: readonly string[]
  readonly variants = new Map<string, StoredResponse>()
  size: number

  constructor(key: string, vary: readonly string[]) {
    this.vary = vary
    this.size = OVERHEAD + 2 * key.length
  }

  /** @returns null if no response to this request can be stored */
  variantKey(head: RequestHead, proxies: string): string | null {
    const key = varyKey(this.vary, head)
    return key === null ? null : proxies + key
  }
}

export interface StoreOptions {
  /** The most bytes that all entries take, with their keys and heads. */
  readonly bytes: number
  /** Counts entries that are gone, as long as they are being sent. */
  readonly memory: MemoryBudget
}

/** Stored responses. The least recently used ones make room for new ones. */
export class CacheStore {
  readonly #memory: MemoryBudget
  readonly #bytes: number
  readonly #resources: LRUCache<string, Resource>
  readonly #uncacheable: LRUCache<string, true>
  /** A resource is taken out to be put back with another size. */
  #resizing = false

  constructor({ bytes, memory }: StoreOptions) {
    this.#memory = memory
    this.#bytes = bytes
    this.#resources = new LRUCache<string, Resource>({
      maxSize: bytes,
      dispose: (resource) => {
        if (this.#resizing) return
        for (const variant of resource.variants.values()) variant.dropped(memory)
      },
    })
    this.#uncacheable = new LRUCache({
      max: MOST_UNCACHEABLE,
      maxSize: LONGEST_UNCACHEABLE,
      sizeCalculation: (_, key) => key.length,
      ttl: UNCACHEABLE_MS,
      // With its default of 1 ms, it makes a timer for every millisecond in which it is asked.
      ttlResolution: 1000,
    })
  }

  /** Bytes of all entries. */
  get size(): number {
    return this.#resources.calculatedSize
  }

  /** How many resources there are. */
  get count(): number {
    return this.#resources.size
  }

  get(key: string): Resource | undefined {
    return this.#resources.get(key)
  }

  /** Stores a response, in place of the one that the same request would get. */
  put({ key, proxies }: RequestFacts, head: RequestHead, response: StoredResponse): void {
    const { vary } = response.rules
    this.#uncacheable.delete(key)
    let resource = this.#resources.get(key)
    if (resource !== undefined && resource.vary.join() !== vary.join()) {
      this.#resources.delete(key)
      resource = undefined
    }
    resource ??= new Resource(key, vary)
    const variantKey = resource.variantKey(head, proxies)
    if (variantKey === null) return
    this.#drop(resource, variantKey)
    const room = this.#bytes / 2
    for (const [oldest] of resource.variants) {
      const crowded = resource.variants.size >= MOST_VARIANTS
      if (!crowded && resource.size + response.size <= room) break
      this.#drop(resource, oldest)
    }
    resource.variants.set(variantKey, response)
    resource.size += response.size + 2 * variantKey.length
    this.#resizing = true
    this.#resources.delete(key)
    this.#resizing = false
    this.#resources.set(key, resource, { size: resource.size })
    if (!this.#resources.has(key)) response.dropped(this.#memory)
  }

  #drop(resource: Resource, variantKey: string): void {
    const variant = resource.variants.get(variantKey)
    if (variant === undefined) return
    resource.variants.delete(variantKey)
    resource.size -= variant.size + 2 * variantKey.length
    variant.dropped(this.#memory)
  }

  /**
   * Drops all variants of a resource.
   * @returns how many there were
   */
  drop(key: string): number {
    const count = this.#resources.peek(key)?.variants.size ?? 0
    this.#resources.delete(key)
    return count
  }

  /**
   * Drops all resources whose key begins like this. It looks at every key.
   * @returns how many responses there were
   */
  dropAll(beginning: string): number {
    let count = 0
    for (const key of [...this.#resources.keys()])
      if (key.startsWith(beginning)) count += this.drop(key)
    return count
  }

  /** Notes that a request with this key got a response that may not be stored. */
  noteUncacheable(key: string): void {
    this.#uncacheable.set(key, true)
  }

  /** Whether it is not worth waiting for the response to another request. */
  isUncacheable(key: string): boolean {
    return this.#uncacheable.has(key)
  }
}
