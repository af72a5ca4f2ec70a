import { coded } from '../../messages/coded.ts'
import type { RecycleCause } from '../../observe/worker-events.ts'
import { nextLook, RecyclingLimits, type RecyclingSettings, watchesWorkers } from '../recycling.ts'
import { WARNING } from './log-levels.ts'
import type { PoolLog } from './pool-log.ts'
import type { Worker } from './worker.ts'

/** What a {@link RecyclingWatch} needs of its pool. */
export interface WatchedPool {
  readonly workers: ReadonlySet<Worker>
  readonly log: PoolLog
  readonly background: boolean
  /** Replaces the worker, unless another one is being replaced; `why` as in `Pool.#recycle`. */
  recycle(worker: Worker, cause: RecycleCause, why: string): void
}

/**
 * A worker that has served for less than this is not replaced because of its memory: its
 * replacement would use as much as soon. Milliseconds.
 */
const YOUNG_MS = 5000

/** Replaces workers that use too much memory or have served for too long. */
export class RecyclingWatch {
  readonly #settings: RecyclingSettings
  readonly #pool: WatchedPool
  readonly #limits = new WeakMap<Worker, RecyclingLimits>()
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  #warned = false

  constructor(settings: RecyclingSettings, pool: WatchedPool) {
    this.#settings = settings
    this.#pool = pool
    if (watchesWorkers(settings)) this.#lookLater(0)
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #lookLater(took: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.#look(), nextLook(took))
    if (this.#pool.background) this.#timer.unref()
  }

  async #look(): Promise<void> {
    const begun = performance.now()
    // The oldest first.
    const serving = [...this.#pool.workers].filter(({ state }) => state === 'serving')
    for (const worker of serving) {
      const old = this.#tooOld(worker)
      const large = old === null ? await this.#tooLarge(worker) : null
      if (this.#stopped) return
      if (old !== null) this.#pool.recycle(worker, 'max-lifetime', old)
      else if (large !== null) this.#pool.recycle(worker, 'max-memory', large)
    }
    this.#lookLater(performance.now() - begun)
  }

  #limitsOf(worker: Worker): RecyclingLimits {
    const known = this.#limits.get(worker) ?? new RecyclingLimits(this.#settings)
    this.#limits.set(worker, known)
    return known
  }

  #tooOld(worker: Worker): string | null {
    const age = (performance.now() - worker.readyAt) / 1000
    return this.#limitsOf(worker).overLifetime(age)
  }

  async #tooLarge(worker: Worker): Promise<string | null> {
    if (this.#settings.maxWorkerMemory === 0) return null
    const use = await worker.memoryUse()
    const why = use === null ? null : this.#limitsOf(worker).overMemory(use)
    if (why === null || performance.now() - worker.readyAt < YOUNG_MS) return null
    if (worker.taken > 0) return why
    if (!this.#warned) {
      this.#warned = true
      const text = `Worker ${worker.pid} ${why} before its first request. It stays until it has one`
      this.#pool.log.log(WARNING, coded('MONO5008', text))
    }
    return null
  }
}
