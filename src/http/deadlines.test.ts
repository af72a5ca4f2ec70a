import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Deadlined, Deadlines } from './deadlines.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

class Member implements Deadlined {
  readDeadline = Number.POSITIVE_INFINITY
  writeDeadline = Number.POSITIVE_INFINITY
  readonly passed: string[] = []

  readDeadlinePassed(): void {
    this.readDeadline = Number.POSITIVE_INFINITY
    this.passed.push('read')
  }

  writeDeadlinePassed(): void {
    this.writeDeadline = Number.POSITIVE_INFINITY
    this.passed.push('write')
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
        member.readDeadline = deadlines.in(seconds)
        vi.advanceTimersByTime(seconds * 1000 - 1)
        expect(member.passed).toEqual([])
        vi.advanceTimersByTime(501)
        expect(member.passed).toEqual(['read'])
        deadlines.delete(member)
      }
    }
  })

  it('are two, each by itself, and each passes once', () => {
    const deadlines = new Deadlines()
    const member = new Member()
    deadlines.add(member)
    member.readDeadline = deadlines.in(3)
    member.writeDeadline = deadlines.in(1)
    vi.advanceTimersByTime(2000)
    expect(member.passed).toEqual(['write'])
    vi.advanceTimersByTime(5000)
    expect(member.passed).toEqual(['write', 'read'])
  })

  it('of 0 seconds never pass', () => {
    const deadlines = new Deadlines()
    const member = new Member()
    deadlines.add(member)
    member.readDeadline = deadlines.in(0)
    vi.advanceTimersByTime(1e6)
    expect(member.passed).toEqual([])
  })

  it('may be moved before they pass, and do not pass for who has left', () => {
    const deadlines = new Deadlines()
    const [moved, gone] = [new Member(), new Member()]
    deadlines.add(moved)
    deadlines.add(gone)
    moved.readDeadline = deadlines.in(1)
    gone.readDeadline = deadlines.in(1)
    vi.advanceTimersByTime(900)
    moved.readDeadline = deadlines.in(10)
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
    member.readDeadline = deadlines.in(1)
    vi.advanceTimersByTime(900)
    expect(member.passed).toEqual([])
    vi.advanceTimersByTime(700)
    expect(member.passed).toEqual(['read'])
    deadlines.delete(member)
  })
})
