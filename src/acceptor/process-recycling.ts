import {
  nextLook,
  RecyclingLimits,
  type RecyclingSettings,
  watchesWorkers,
} from '../runtimes/recycling.ts'

/** A younger process is not replaced because of its memory; milliseconds. */
const YOUNG_MS = 5000

/** Tells when this process, which runs the application itself, is to be replaced. */
export class ProcessRecycling {
  readonly #settings: RecyclingSettings
  readonly #limits: RecyclingLimits
  readonly #retire: (why: string) => void
  #startedAt = 0
  #timer: NodeJS.Timeout | null = null

  /** @param retire called once, with what the log says of this process */
  constructor(settings: RecyclingSettings, retire: (why: string) => void) {
    this.#settings = settings
    this.#limits = new RecyclingLimits(settings)
    this.#retire = retire
  }

  /** It serves from now on. */
  start(): void {
    this.#startedAt = performance.now()
    if (watchesWorkers(this.#settings))
      this.#timer = setInterval(() => this.#look(), nextLook(0)).unref()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  #look(): void {
    const age = performance.now() - this.#startedAt
    const bytes = age < YOUNG_MS ? 0 : process.memoryUsage.rss()
    const why =
      this.#limits.overLifetime(age / 1000) ?? this.#limits.overMemory({ bytes, sharesMore: false })
    if (why === null) return
    this.stop()
    this.#retire(why)
  }
}
