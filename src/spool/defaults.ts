import { statfsSync } from 'node:fs'
import { totalmem } from 'node:os'
import type { DiskLimits } from './disk-budget.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
/** Linux's number for a file system that is in memory (statfs(2)). */
const TMPFS_MAGIC = 0x01021994

/** Files at a time where nobody knows how many descriptors there are. */
const FILES = 1000

/** The memory there is, in bytes: the limit of the container (cgroup), or the machine's. */
export function availableMemory(): number {
  const limit = (process as { constrainedMemory?: () => number | undefined }).constrainedMemory?.()
  const machine = totalmem()
  // Without a limit Node answers 0, undefined, or a number beyond any memory.
  return limit !== undefined && limit > 0 && limit < machine ? limit : machine
}

/**
 * How much memory is held for clients where nobody said: a quarter of what there is, from 32 MiB to
 * 1 GiB.
 */
export function defaultClientMemory(memory = availableMemory()): number {
  return Math.max(32 * MIB, Math.min(GIB, Math.floor(memory / 4)))
}

/**
 * How much of the disk temporary files may take where nobody said.
 *
 * @param directory a folder of the file system they are on
 */
export function defaultDiskLimits(directory: string, memory = availableMemory()): DiskLimits {
  let blocks: { bavail: number; bsize: number; blocks: number; type: number }
  try {
    blocks = statfsSync(directory)
  } catch {
    // nobody can tell: what cannot be written says so itself
    return { directory, limit: GIB, reserve: 0, files: FILES }
  }
  const { bavail, bsize, type } = blocks
  const half = Math.min(8 * GIB, Math.floor((bavail * bsize) / 2))
  const limit = type === TMPFS_MAGIC ? Math.min(half, Math.floor(memory / 4)) : half
  const reserve = Math.min(GIB, Math.floor((blocks.blocks * bsize) / 10))
  return { directory, limit, reserve, files: FILES }
}
