import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DrainDelay } from './drain-delay.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('without a delay it is done at once', () => {
  const then = vi.fn()
  new DrainDelay().begin(0, then)
  expect(then).toHaveBeenCalledOnce()
})

test('it is done after the delay, once', () => {
  const then = vi.fn()
  const delay = new DrainDelay()
  delay.begin(2, then)
  vi.advanceTimersByTime(1999)
  expect(then).not.toHaveBeenCalled()
  expect(delay.isPending).toBe(true)
  vi.advanceTimersByTime(1)
  delay.end()
  expect(then).toHaveBeenCalledOnce()
  expect(delay.isPending).toBe(false)
})

test('it can be ended before its time, and cancelled', () => {
  const then = vi.fn()
  const delay = new DrainDelay()
  delay.begin(2, then)
  delay.end()
  expect(then).toHaveBeenCalledOnce()
  delay.begin(2, then)
  delay.cancel()
  vi.advanceTimersByTime(5000)
  expect(then).toHaveBeenCalledOnce()
})
