import { tmpdir } from 'node:os'
import { availableMemory, defaultClientMemory, defaultDiskLimits } from './defaults.ts'
import { DiskBudget } from './disk-budget.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { BodyStore } from './spool.ts'

let store: BodyStore | null = null

/**
 * Sets the budgets of the process. Code outside the server that holds bytes for clients, such as
 * `pythonApp`, uses them too.
 */
export function setProcessStore(bodyStore: BodyStore): void {
  store = bodyStore
}

/** The budgets of the process: the server's if there is one in it, else default ones. */
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
