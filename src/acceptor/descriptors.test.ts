import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { descriptorLimit } from '../process/descriptor-limit.ts'
import { connectionLimit, DescriptorWatch, openDescriptors } from './descriptors.ts'

describe('how many connections there can be', () => {
  test('is what was asked for where descriptors suffice, and nothing is said', () => {
    for (const limit of [1_048_576, 30_000, Number.POSITIVE_INFINITY]) {
      expect(connectionLimit(20_000, limit, 30, 4)).toEqual({ maxConnections: 20_000, warning: '' })
    }
  })

  test('is four fifths of what is left when all else has what it needs, and it is said how to have more', () => {
    // 4096 - 46 that are open - 4 workers more in a reload - 256 that are turned away
    const { maxConnections, warning } = connectionLimit(20_000, 4096, 46, 4)
    expect(maxConnections).toBe(Math.floor((4096 - 46 - 4 * 6 - 256) * 0.8))
    expect(warning).toBe(
      'max_connections is lowered from 20000 to 3016: ' +
        'an acceptor may have 4096 files open, including sockets. ' +
        'Raise that limit where you start the server ' +
        '(ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker). ' +
        'Or use --max-connections 3016 or less.',
    )
  })

  test('is one where there is space for none', () => {
    expect(connectionLimit(20_000, 20, 30, 1).maxConnections).toBe(1)
  })
})

test('the limit is that of this process, and what is open is counted', () => {
  const limit = descriptorLimit()
  expect(limit).toBeGreaterThan(20)
  const before = openDescriptors()
  expect(before).toBeGreaterThan(3)
  expect(before).toBeLessThan(limit)
  const more = Array.from({ length: 10 }, () => openSync(devNull, 'r'))
  onTestFinished(() => {
    for (const descriptor of more) closeSync(descriptor)
  })
  expect(openDescriptors()).toBe(before + 10)
})

test('while descriptors can be had a watch says nothing, and it looks once a second', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const said: string[] = []
  const watch = new DescriptorWatch({
    usedUp: () => said.push('used up'),
    recovered: () => said.push('recovered'),
  })
  vi.advanceTimersByTime(10_000)
  watch.check()
  expect(said).toEqual([])
  expect(vi.getTimerCount()).toBe(1)
  watch.stop()
  expect(vi.getTimerCount()).toBe(0)
})
