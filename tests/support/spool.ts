import { DiskBudget } from '../../src/spool/disk-budget.ts'
import { MemoryBudget } from '../../src/spool/memory-budget.ts'
import type { Spool } from '../../src/spool/spool.ts'

/** A spool in `directory` whose limits nobody reaches, but for those that are given. */
export function makeSpool(directory: string, options: Partial<Spool> = {}): Spool {
  return {
    memory: new MemoryBudget(Number.POSITIVE_INFINITY),
    disk: new DiskBudget({ directory, limit: Number.POSITIVE_INFINITY, reserve: 0, files: 1000 }),
    directory,
    bodyMemory: 10,
    patience: 30,
    responseLimit: 0,
    ...options,
  }
}
