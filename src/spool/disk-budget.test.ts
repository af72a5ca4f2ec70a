import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { defaultClientMemory, defaultDiskLimits } from './defaults.ts'
import { DiskBudget } from './disk-budget.ts'

const directory = tmpdir()
const MIB = 1024 ** 2
const GIB = 1024 ** 3

describe('a disk budget', () => {
  it('gives up to its limit, and again what was given back', () => {
    const disk = new DiskBudget({ directory, limit: 100, reserve: 0, files: 1000 })
    expect(disk.take(60)).toBe(true)
    expect(disk.take(41)).toBe(false)
    expect(disk.take(40)).toBe(true)
    expect(disk.used).toBe(100)
    disk.give(60)
    expect(disk.take(60)).toBe(true)
  })

  it('gives no more files than there are descriptors for', () => {
    const disk = new DiskBudget({ directory, limit: 100, reserve: 0, files: 2 })
    expect([disk.take(1, 1), disk.take(1, 1), disk.take(1, 1)]).toEqual([true, true, false])
    expect(disk.take(1)).toBe(true) // of a file that is there
    disk.give(1, 1)
    expect(disk.take(1, 1)).toBe(true)
  })

  it('leaves the reserve of the file system free', () => {
    const { bavail, bsize } = statfsSync(directory)
    const free = bavail * bsize
    const reserve = Math.floor(free / 2)
    const disk = new DiskBudget({
      directory,
      limit: Number.POSITIVE_INFINITY,
      reserve,
      files: 1000,
    })
    expect(disk.take(free - reserve + GIB)).toBe(false)
    expect(disk.take(Math.floor((free - reserve) / 2))).toBe(true)
    // What was taken is not free any more, though nothing has been written yet.
    expect(disk.take(Math.floor((free - reserve) * 0.75))).toBe(false)
  })

  it('calls back those that wait when something is given back', async () => {
    const disk = new DiskBudget({ directory, limit: 100, reserve: 0, files: 1000 })
    disk.take(100)
    let called = 0
    disk.whenSpace(() => called++)
    disk.whenSpace(() => called++)()
    disk.give(1)
    await waitFor('the call', () => called > 0)
    expect(called).toBe(1)
  })
})

describe('the defaults', () => {
  it('for memory are a quarter of what there is, from 32 MiB to 1 GiB', () => {
    expect(defaultClientMemory(64 * MIB)).toBe(32 * MIB)
    expect(defaultClientMemory(512 * MIB)).toBe(128 * MIB)
    expect(defaultClientMemory(64 * GIB)).toBe(GIB)
  })

  it('for the disk leave some of it to others', () => {
    const { bavail, bsize, blocks } = statfsSync(directory)
    const { limit, reserve } = defaultDiskLimits(directory)
    expect(limit).toBeGreaterThan(0)
    expect(limit).toBeLessThanOrEqual(Math.min(8 * GIB, (bavail * bsize) / 2 + 64 * MIB))
    expect(reserve).toBe(Math.min(GIB, Math.floor((blocks * bsize) / 10)))
  })

  it('for a file system in memory are a part of the memory', () => {
    expect(defaultDiskLimits('/dev/shm', 40 * MIB).limit).toBeLessThanOrEqual(10 * MIB)
  })
})
