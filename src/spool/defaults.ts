import { statfsSync } from 'node:fs'
import { totalmem } from 'node:os'
import type { DiskLimits } from './disk-budget.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
/** Linux's number for a file system in memory (statfs(2)). */
const TMPFS_MAGIC = 0x01021994

/** The limit of files if the number of file descriptors is not known. */
const FILES = 1000

/** The memory in bytes: the container's limit (cgroup), or the machine's memory. */
export function availableMemory(): number {
  const limit = (process as { constrainedMemory?: () => number | undefined }).constrainedMemory?.()
  const machine = totalmem()
  // Without a limit Node returns 0, undefined, or a number larger than any memory.
  return limit !== undefined && limit > 0 && limit < machine ? limit : machine
}

/**
 * The default of `client_memory`: a quarter of the memory, at least 32 MiB and at most 1 GiB.
 */
export function defaultClientMemory(memory = availableMemory()): number {
  return Math.max(32 * MIB, Math.min(GIB, Math.floor(memory / 4)))
}

/**
 * The default limits for temporary files.
 *
 * @param directory a folder of their file system
 */
export function defaultDiskLimits(directory: string, memory = availableMemory()): DiskLimits {
  let blocks: { bavail: number; bsize: number; blocks: number; type: number }
  try {
    blocks = statfsSync(directory)
  } catch {
    // The size is not known. A write that fails reports its own error.
    return { directory, limit: GIB, reserve: 0, files: FILES }
  }
  const { bavail, bsize, type } = blocks
  const half = Math.min(8 * GIB, Math.floor((bavail * bsize) / 2))
  const limit = type === TMPFS_MAGIC ? Math.min(half, Math.floor(memory / 4)) : half
  const reserve = Math.min(GIB, Math.floor((blocks.blocks * bsize) / 10))
  return { directory, limit, reserve, files: FILES }
}
