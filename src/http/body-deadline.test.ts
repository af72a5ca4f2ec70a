import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BodyDeadline } from './body-deadline.ts'
import { Deadlines } from './deadlines.ts'

const TIMEOUTS = { header: 1, body: 2, wholeBody: 10, keepAlive: 1, write: 1 }

let clock: Deadlines
let stop: () => void

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  clock = new Deadlines()
  const member = { deadlinesPlace: -1, checkDeadlines() {} }
  clock.add(member)
  stop = () => clock.delete(member)
})

afterEach(() => {
  stop()
  vi.useRealTimers()
})

const seconds = (count: number) => vi.advanceTimersByTime(count * 1000)

describe('the deadline of a body', () => {
  it('is none before the client owes the body, and after its end', () => {
    const deadline = new BodyDeadline(clock, TIMEOUTS, { body: 0, write: 0 })
    expect(deadline.at).toBe(Number.POSITIVE_INFINITY)
    deadline.begin()
    expect(deadline.at).toBeLessThan(clock.now + 2500)
    deadline.end()
    expect(deadline.at).toBe(Number.POSITIVE_INFINITY)
  })

  it('is renewed for a body that keeps to its rate, and no other', () => {
    const deadline = new BodyDeadline(clock, TIMEOUTS, { body: 100, write: 0 })
    deadline.begin()
    deadline.received(200)
    expect(deadline.passed()).toBeNull()
    expect(deadline.at).toBeGreaterThan(clock.now)
    deadline.received(199)
    expect(deadline.passed()).toMatchObject({ status: 408, code: 'body-timeout' })
  })

  it('is at the latest that of the whole body', () => {
    const deadline = new BodyDeadline(clock, TIMEOUTS, { body: 0, write: 0 })
    deadline.begin()
    for (let i = 0; i < 5; i++) {
      seconds(2)
      deadline.received(1)
      expect(deadline.passed()).toBeNull()
    }
    expect(deadline.at).toBeLessThan(clock.now + 500)
    seconds(0.5)
    expect(deadline.passed()).toMatchObject({ status: 408, code: 'body-too-long' })
  })

  it('stands still in a pause, and does not begin anew after it', () => {
    const deadline = new BodyDeadline(clock, TIMEOUTS, { body: 0, write: 0 })
    deadline.begin()
    seconds(1)
    deadline.pause()
    deadline.pause()
    expect(deadline.at).toBe(Number.POSITIVE_INFINITY)
    seconds(60)
    deadline.resume()
    expect(deadline.at - clock.now).toBeLessThan(1500)
    expect(deadline.at - clock.now).toBeGreaterThan(500)
  })

  it('may begin in a pause', () => {
    const deadline = new BodyDeadline(clock, TIMEOUTS, { body: 0, write: 0 })
    deadline.pause()
    deadline.begin()
    expect(deadline.at).toBe(Number.POSITIVE_INFINITY)
    seconds(60)
    deadline.resume()
    expect(deadline.at - clock.now).toBeGreaterThan(1500)
  })
})
