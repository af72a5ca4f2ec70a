/** What has been dropped from a cache: keys, and beginnings of keys. */
export interface Dropped {
  readonly keys: readonly string[]
  readonly beginnings: readonly string[]
}

/** The way to the caches of the other acceptors, which have their own stores. */
export interface DropsLink {
  /** Has all others drop the same. */
  tell(dropped: Dropped): void
  /** The cache sets it: drops what others have dropped. */
  receive: ((dropped: Dropped) => void) | null
}

/** So many keys are told one by one; with more, the others drop everything. */
const MOST_KEYS = 1000
/** For so long drops are gathered, in milliseconds. */
const GATHERED_MS = 10

/**
 * Tells others what this cache has dropped. Clients can cause any number of drops, so they are
 * gathered, and the messages stay few and small.
 */
export class SharedDrops {
  readonly #link: DropsLink
  #keys = new Set<string>()
  #beginnings = new Set<string>()
  #timer: NodeJS.Timeout | null = null

  constructor(link: DropsLink) {
    this.#link = link
  }

  key(key: string): void {
    this.#keys.add(key)
    this.#later()
  }

  beginning(beginning: string): void {
    this.#beginnings.add(beginning)
    this.#later()
  }

  #later(): void {
    if (this.#keys.size > MOST_KEYS || this.#beginnings.size > MOST_KEYS) {
      this.#keys.clear()
      this.#beginnings = new Set([''])
    }
    this.#timer ??= setTimeout(() => this.#tell(), GATHERED_MS).unref()
  }

  #tell(): void {
    const dropped = { keys: [...this.#keys], beginnings: [...this.#beginnings] }
    this.#timer = null
    this.#keys = new Set()
    this.#beginnings = new Set()
    this.#link.tell(dropped)
  }
}
