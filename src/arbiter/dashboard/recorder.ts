import { type Coded, coded } from '../../messages/coded.ts'
import type { Snapshot } from '../../metrics/snapshot.ts'
import { History } from './history.ts'
import { Sampler } from './sampler.ts'

/** How often a sample is taken while somebody looks, in milliseconds. */
const WATCHED_MS = 1000
/** And while nobody does. */
const UNWATCHED_MS = 5000
/** Who has not asked for so long does not look any more. */
const LOOKS_MS = 5000

/** Takes samples all the time: each second while a page is open, and otherwise every 5 seconds. */
export class Recorder {
  readonly history = new History()
  readonly #collect: () => Promise<Snapshot>
  readonly #failed: (text: Coded) => void
  readonly #sampler = new Sampler()
  #timer: NodeJS.Timeout | undefined
  #taking: Promise<void> | null = null
  #takenAt = Number.NEGATIVE_INFINITY
  #looksUntil = 0
  #ended = false

  /**
   * @param collect the values of this moment
   * @param failed logs an error of our own
   */
  constructor(collect: () => Promise<Snapshot>, failed: (text: Coded) => void) {
    this.#collect = collect
    this.#failed = failed
  }

  start(): void {
    void this.#take()
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  /** Somebody looks. Resolves when the newest sample is at most a second old. */
  async look(): Promise<void> {
    const now = performance.now()
    const looked = now < this.#looksUntil
    this.#looksUntil = now + LOOKS_MS
    if (this.#taking !== null) return await this.#taking
    if (looked && now - this.#takenAt < WATCHED_MS) return
    if (now - this.#takenAt >= WATCHED_MS) await this.#take()
    else this.#schedule()
  }

  async #take(): Promise<void> {
    clearTimeout(this.#timer)
    this.#taking ??= this.#sample()
    await this.#taking
  }

  async #sample(): Promise<void> {
    try {
      const snapshot = await this.#collect()
      const now = performance.now()
      const sample = this.#sampler.sample(snapshot, now)
      this.#takenAt = now
      if (sample !== null) this.history.add(Date.now(), sample)
    } catch (error) {
      this.#failed(
        coded(
          'MONO8203',
          `Cannot take a sample for the dashboard: ${(error as Error).stack ?? error}`,
        ),
      )
    } finally {
      this.#taking = null
      this.#schedule()
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#ended) return
    const now = performance.now()
    const pause = now < this.#looksUntil ? WATCHED_MS : UNWATCHED_MS
    const left = Math.max(50, this.#takenAt + pause - now)
    this.#timer = setTimeout(() => void this.#take(), left).unref()
  }
}
