/**
 * A map that forgets: a key that has not been set for a while is dropped, and so is the older half
 * when there are too many. No timer is needed, and no list of the keys in their order.
 */
export class TwoGenerations<Value> {
  readonly #most: number
  readonly #keptMs: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()
  #since = Number.NEGATIVE_INFINITY

  /**
   * @param most the most keys that are kept
   * @param keptMs for how long a key is kept at least, unless there are too many
   */
  constructor(most: number, keptMs: number) {
    this.#most = most
    this.#keptMs = keptMs
  }

  /** How many keys are kept. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  /** @param now of a monotonic clock, in milliseconds */
  set(key: string, value: Value, now: number): void {
    if (this.#young.size >= this.#most >> 1 || now - this.#since >= this.#keptMs) {
      // After twice the time, the young ones are old enough to go, too.
      this.#old = now - this.#since >= 2 * this.#keptMs ? new Map() : this.#young
      this.#young = new Map()
      this.#since = now
    }
    this.#young.set(key, value)
  }
}
