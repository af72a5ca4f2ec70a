import type { WorkerPool } from './pool.ts'

/** Workers that an application in this process has, beside those of the server. */
export interface ApplicationPool {
  /** As in `flaskapp:app`. */
  readonly application: string
  readonly pool: WorkerPool
  /** Its workers are threads: their pids are numbers that stand for them in the log. */
  readonly embedded: boolean
}

const pools = new Set<ApplicationPool>()

/**
 * Lets a server in this process list the workers of a pool, replace and profile them.
 *
 * @returns ends that
 */
export function showPool(pool: ApplicationPool): () => void {
  pools.add(pool)
  return () => {
    pools.delete(pool)
  }
}

/** Those that are shown now, in the order in which they were made. */
export function applicationPools(): readonly ApplicationPool[] {
  return [...pools]
}
