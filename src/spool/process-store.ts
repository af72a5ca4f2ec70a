import { tmpdir } from 'node:os'
import { availableMemory, defaultClientMemory, defaultDiskLimits } from './defaults.ts'
import { DiskBudget } from './disk-budget.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { BodyStore } from './spool.ts'

let store: BodyStore | null = null

/**
 * Makes these the budgets of the process: what holds bytes for clients outside of the server, such
 * as `pythonApp`, counts there too.
 */
export function setProcessStore(bodyStore: BodyStore): void {
  store = bodyStore
}

/** The budgets of the process: those of the server in it, else some of its own by default. */
export function processStore(): BodyStore {
  if (store === null) {
    const directory = tmpdir()
    store = {
      memory: new MemoryBudget(defaultClientMemory()),
      disk: new DiskBudget(defaultDiskLimits(directory, availableMemory())),
      directory,
      bodyMemory: 1024 * 1024,
      patience: 30,
    }
  }
  return store
}
