import { describe, expect, it } from 'vitest'
import { nextLook, RecyclingLimits, watchesWorkers } from './recycling.ts'

const MIB = 1024 ** 2
const none = {
  maxWorkerMemory: 0,
  maxWorkerMemoryJitter: 0,
  maxWorkerLifetime: 0,
  maxWorkerLifetimeJitter: 0,
}

describe('the limits of a worker', () => {
  it('name how much memory it uses, and the setting', () => {
    const limits = new RecyclingLimits({ ...none, maxWorkerMemory: 400 * MIB })
    expect(limits.overMemory({ bytes: 400 * MIB, sharesMore: false })).toBeNull()
    expect(limits.overMemory({ bytes: 412 * MIB, sharesMore: false })).toBe(
      'uses 412 MiB (max_worker_memory 400M)',
    )
    expect(limits.overMemory({ bytes: 412 * MIB, sharesMore: true })).toBe(
      'uses 412 MiB beside what it shares (max_worker_memory 400M)',
    )
  })

  it('name how long it has served', () => {
    const limits = new RecyclingLimits({ ...none, maxWorkerLifetime: 60 })
    expect(limits.overLifetime(59.9)).toBeNull()
    expect(limits.overLifetime(61.2)).toBe('has served for 61 s (max_worker_lifetime)')
  })

  it('have jitter of their own', () => {
    const settings = {
      maxWorkerMemory: 100 * MIB,
      maxWorkerMemoryJitter: 50 * MIB,
      maxWorkerLifetime: 100,
      maxWorkerLifetimeJitter: 50,
    }
    const all = Array.from({ length: 50 }, () => new RecyclingLimits(settings))
    const over = all.filter((one) => one.overLifetime(125) !== null).length
    expect(over).toBeGreaterThan(0)
    expect(over).toBeLessThan(50)
    expect(all.every((one) => one.overLifetime(100) === null)).toBe(true)
    expect(all.every((one) => one.overLifetime(150) !== null)).toBe(true)
    const said = all.map((one) => one.overMemory({ bytes: 150 * MIB, sharesMore: false }))
    expect(new Set(said).size).toBeGreaterThan(5)
    expect(said[0]).toMatch(/^uses 150 MiB \(max_worker_memory 100M and \d+ MiB of jitter\)$/)
  })

  it('are none by default', () => {
    const limits = new RecyclingLimits(none)
    expect(limits.overMemory({ bytes: 1e12, sharesMore: false })).toBeNull()
    expect(limits.overLifetime(1e9)).toBeNull()
    expect(watchesWorkers(none)).toBe(false)
    expect(watchesWorkers({ ...none, maxWorkerLifetime: 1 })).toBe(true)
  })
})

it('looking never takes more than a hundredth of the time', () => {
  expect(nextLook(1)).toBe(2000)
  expect(nextLook(100)).toBe(10_000)
})
