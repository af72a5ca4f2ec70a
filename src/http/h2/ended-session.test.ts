import { describe, expect, it } from 'vitest'
import { PING_SIZE } from './abuse.ts'
import { EndedSessionWatch } from './ended-session.ts'

/** A connection, and the PINGs that were sent on it. */
class Bench {
  readonly traffic = { bytesRead: 0, bytesWritten: 0 }
  readonly watch = new EndedSessionWatch()
  ended = false
  #answered: ((bytes: number) => void) | null = null
  pings = 0

  look(): boolean {
    return this.watch.look(this.traffic, (answered) => {
      this.pings++
      if (!this.ended) this.traffic.bytesWritten += PING_SIZE
      this.#answered = answered
      return true
    })
  }

  answer(): void {
    this.traffic.bytesRead += PING_SIZE
    this.#answered!(PING_SIZE)
  }

  /** Looks that often, and says whether one found an end. */
  looks(times: number): boolean {
    return Array.from({ length: times }, () => this.look()).includes(true)
  }
}

describe('an HTTP/2 session', () => {
  it('is asked only when its client has sent something and fallen silent', () => {
    const bench = new Bench()
    expect(bench.looks(5)).toBe(false)
    expect(bench.pings).toBe(0)
    for (let i = 0; i < 5; i++) {
      bench.traffic.bytesRead += 50
      bench.look()
    }
    expect(bench.pings).toBe(0)
    bench.look()
    expect(bench.pings).toBe(1)
  })

  it.each([true, false])(
    'is asked once, and lives when the PING leaves (answered: %s)',
    (answers) => {
      const bench = new Bench()
      bench.traffic.bytesRead = 50
      bench.looks(2)
      if (answers) bench.answer()
      expect(bench.looks(10)).toBe(false)
      expect(bench.pings).toBe(1)
      bench.traffic.bytesRead += 14
      expect(bench.looks(10)).toBe(false)
      expect(bench.pings).toBe(2)
    },
  )

  it('has ended when the PING does not leave', () => {
    const bench = new Bench()
    bench.traffic.bytesRead = 50
    bench.ended = true
    expect(bench.looks(2)).toBe(false)
    expect(bench.look()).toBe(true)
  })

  it.each([true, false])('has ended when its GOAWAY does not leave (%s)', (ended) => {
    const bench = new Bench()
    bench.traffic.bytesRead = 50
    bench.ended = ended
    bench.look()
    bench.watch.expectGoaway(bench.traffic.bytesWritten)
    expect(bench.look()).toBe(false)
    if (!ended) bench.traffic.bytesWritten += 17
    expect(bench.look()).toBe(ended)
  })

  it('has not ended when something else comes or leaves', () => {
    for (const direction of ['bytesRead', 'bytesWritten'] as const) {
      const bench = new Bench()
      bench.traffic.bytesRead = 50
      bench.ended = true
      bench.looks(2)
      bench.traffic[direction]++
      expect(bench.look()).toBe(false)
    }
  })
})
