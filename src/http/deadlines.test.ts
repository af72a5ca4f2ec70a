import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Deadlined, Deadlines } from './deadlines.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** A connection with one exchange: two deadlines. */
class Member implements Deadlined {
  deadlinesPlace = -1
  own = Number.POSITIVE_INFINITY
  exchange = Number.POSITIVE_INFINITY
  readonly passed: string[] = []

  checkDeadlines(now: number): void {
    if (this.own <= now) {
      this.own = Number.POSITIVE_INFINITY
      this.passed.push('own')
    }
    if (this.exchange <= now) {
      this.exchange = Number.POSITIVE_INFINITY
      this.passed.push('exchange')
    }
  }
}

describe('deadlines', () => {
  it('pass never early and at most half a second late', () => {
    for (const seconds of [0.1, 1, 2.3]) {
      for (let offset = 0; offset < 250; offset += 30) {
        const deadlines = new Deadlines()
        const member = new Member()
        deadlines.add(member)
        vi.advanceTimersByTime(offset)
        member.own = deadlines.in(seconds)
        vi.advanceTimersByTime(seconds * 1000 - 1)
        expect(member.passed).toEqual([])
        vi.advanceTimersByTime(501)
        expect(member.passed).toEqual(['own'])
        deadlines.delete(member)
      }
    }
  })

  it('of a connection and of its exchanges pass each by itself, and once', () => {
    const deadlines = new Deadlines()
    const member = new Member()
    deadlines.add(member)
    member.own = deadlines.in(3)
    member.exchange = deadlines.in(1)
    vi.advanceTimersByTime(2000)
    expect(member.passed).toEqual(['exchange'])
    vi.advanceTimersByTime(5000)
    expect(member.passed).toEqual(['exchange', 'own'])
  })

  it('of 0 seconds never pass', () => {
    const deadlines = new Deadlines()
    const member = new Member()
    deadlines.add(member)
    member.own = deadlines.in(0)
    vi.advanceTimersByTime(1e6)
    expect(member.passed).toEqual([])
  })

  it('may be moved before they pass, and do not pass for who has left', () => {
    const deadlines = new Deadlines()
    const [moved, gone] = [new Member(), new Member()]
    deadlines.add(moved)
    deadlines.add(gone)
    moved.own = deadlines.in(1)
    gone.own = deadlines.in(1)
    vi.advanceTimersByTime(900)
    moved.own = deadlines.in(10)
    deadlines.delete(gone)
    vi.advanceTimersByTime(5000)
    expect([moved.passed, gone.passed]).toEqual([[], []])
  })

  it('cost no timer while there is nobody, and count from now for the first to come after that', () => {
    const deadlines = new Deadlines()
    expect(vi.getTimerCount()).toBe(0)
    const member = new Member()
    deadlines.add(member)
    expect(vi.getTimerCount()).toBe(1)
    deadlines.delete(member)
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60_000)
    deadlines.add(member)
    member.own = deadlines.in(1)
    vi.advanceTimersByTime(900)
    expect(member.passed).toEqual([])
    vi.advanceTimersByTime(700)
    expect(member.passed).toEqual(['own'])
    deadlines.delete(member)
  })
})
