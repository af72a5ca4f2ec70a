import { expect, it } from 'vitest'
import { BackOff, MAX_DELAY_MS } from './back-off.ts'

it('waits longer after each failure, up to a limit', () => {
  const backOff = new BackOff()
  const delays = Array.from({ length: 9 }, () => {
    const { delay } = backOff
    backOff.failed()
    return delay
  })
  expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, MAX_DELAY_MS])
})

it('counts a worker that ended early as a failure, and begins anew after one that lived', () => {
  const backOff = new BackOff()
  backOff.failed()
  backOff.ended(10)
  expect(backOff.delay).toBe(200)
  backOff.ended(5000)
  expect(backOff.delay).toBe(0)
})
