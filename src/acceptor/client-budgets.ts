import type { ErrorLog } from '../logging/error-log.ts'
import { coded } from '../messages/coded.ts'
import { descriptorLimit } from '../process/descriptor-limit.ts'
import { acceptorsOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { defaultClientMemory, defaultDiskLimits } from '../spool/defaults.ts'
import { DiskBudget } from '../spool/disk-budget.ts'
import { MemoryBudget } from '../spool/memory-budget.ts'
import type { Spool } from '../spool/spool.ts'

/** The share of the descriptors for temporary files. */
const SHARE_OF_TEMPORARY_FILES = 1 / 10
/** How long a request body waits for disk space if `body_timeout` is off, in seconds. */
const BODY_PATIENCE_S = 30
/** How often it is logged at most that the memory for clients is used up, in milliseconds. */
const LOG_EVERY_MS = 10_000

/** An acceptor's share of the memory and the disk space for clients. */
export function clientBudgets(settings: Settings, directory: string, log: ErrorLog): Spool {
  const acceptors = acceptorsOf(settings)
  const memory = Math.ceil((settings.clientMemory ?? defaultClientMemory()) / acceptors)
  const disk = defaultDiskLimits(directory)
  let loggedAt = Number.NEGATIVE_INFINITY
  const memoryUsedUp = (held: number) => {
    const now = performance.now()
    if (now - loggedAt < LOG_EVERY_MS) return
    loggedAt = now
    log.warning(
      coded(
        'MONO4032',
        `client_memory is used up: ${held} bytes are held for clients, and each acceptor may ` +
          'hold ' +
          `${memory}. Requests that need more are answered 503, and clients that hold memory ` +
          'without progress are disconnected',
      ),
    )
  }
  return {
    memory: new MemoryBudget(memory, memoryUsedUp),
    disk: new DiskBudget({
      directory,
      limit: Math.ceil((settings.spoolSize ?? disk.limit) / acceptors),
      reserve: settings.spoolReserve ?? disk.reserve,
      files: Math.floor(descriptorLimit() * SHARE_OF_TEMPORARY_FILES),
    }),
    directory,
    bodyMemory: settings.requestBufferSize,
    patience: settings.bodyTimeout === 0 ? BODY_PATIENCE_S : settings.bodyTimeout,
    responseLimit: settings.responseSpoolSize,
  }
}
