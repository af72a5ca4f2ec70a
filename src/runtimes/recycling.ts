/** When a worker, or a process with a TypeScript application, is to be replaced by a fresh one. */
import { formatByteSize } from '../settings/byte-size.ts'

/** The settings of the same names. Sizes in bytes, times in seconds; 0 for no limit. */
export interface RecyclingSettings {
  readonly maxWorkerMemory: number
  readonly maxWorkerMemoryJitter: number
  readonly maxWorkerLifetime: number
  readonly maxWorkerLifetimeJitter: number
}

/** How much memory a process has now. */
export interface MemoryUse {
  /** Bytes. */
  readonly bytes: number
  /** It shares memory with others that is not counted, because its end would not free it. */
  readonly sharesMore: boolean
}

/**
 * The limits of one worker, with its own share of jitter, so that not all workers are replaced at
 * the same time.
 *
 * @example
 * const limits = new RecyclingLimits(settings)
 * limits.overMemory({ bytes: 432013312, sharesMore: false })
 * // 'uses 412 MiB (max_worker_memory 400M)'
 */
export class RecyclingLimits {
  readonly #settings: RecyclingSettings
  readonly #memory: number
  readonly #lifetime: number

  constructor(settings: RecyclingSettings) {
    this.#settings = settings
    this.#memory = settings.maxWorkerMemory + Math.random() * settings.maxWorkerMemoryJitter
    this.#lifetime = settings.maxWorkerLifetime + Math.random() * settings.maxWorkerLifetimeJitter
  }

  /** What is to be said of a worker that uses more than it may; null for one that does not. */
  overMemory({ bytes, sharesMore }: MemoryUse): string | null {
    const { maxWorkerMemory } = this.#settings
    if (maxWorkerMemory === 0 || bytes <= this.#memory) return null
    const jitter = mebibytes(this.#memory - maxWorkerMemory)
    const more = jitter === 0 ? '' : ` and ${jitter} MiB of jitter`
    const beside = sharesMore ? ' beside what it shares' : ''
    const limit = `max_worker_memory ${formatByteSize(maxWorkerMemory)}${more}`
    return `uses ${mebibytes(bytes)} MiB${beside} (${limit})`
  }

  /** The same for one that has served for longer than it may. `age` in seconds. */
  overLifetime(age: number): string | null {
    if (this.#settings.maxWorkerLifetime === 0 || age < this.#lifetime) return null
    return `has served for ${Math.round(age)} s (max_worker_lifetime)`
  }
}

/** Whether there is anything to watch. */
export function watchesWorkers(settings: RecyclingSettings): boolean {
  return settings.maxWorkerMemory > 0 || settings.maxWorkerLifetime > 0
}

/**
 * How long to wait before the next look, in milliseconds: a few seconds, and longer if looking has
 * taken long, which it does for much memory. It never takes more than a hundredth of the time.
 *
 * @param took how long the last look took, in milliseconds
 */
export function nextLook(took: number): number {
  return Math.max(LOOK_MS, took * 100)
}

const LOOK_MS = 2000

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2)
}
