import { Histogram } from './counted.ts'
import { DELAY_SECONDS } from './metric-table.ts'

/** How often it is looked, in milliseconds. */
const EVERY_MS = 100

/** How long the event loop of this process keeps timers waiting. */
export class DelayWatch {
  readonly delays = new Histogram(DELAY_SECONDS)
  readonly #timer: NodeJS.Timeout
  #due = performance.now() + EVERY_MS

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.delays.observe(Math.max(0, now - this.#due) / 1000)
      this.#due = now + EVERY_MS
    }, EVERY_MS).unref()
  }

  end(): void {
    clearInterval(this.#timer)
  }
}
