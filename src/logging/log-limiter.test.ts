import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromElsewhere } from '../messages/coded.ts'
import { LogLimiter } from './log-limiter.ts'

/** A limiter on a clock that stands still until the test moves it. */
function bench() {
  const written: string[] = []
  const timers: { at: number; callback: () => void }[] = []
  let now = 1_000_000
  const limiter = new LogLimiter({
    write: (level, text) => written.push(`${level}: ${text}`),
    now: () => now,
    after: (milliseconds, callback) => timers.push({ at: now + milliseconds, callback }),
  })
  return {
    limiter,
    written,
    take: () => written.splice(0),
    pass(milliseconds: number): void {
      const until = now + milliseconds
      for (;;) {
        const next = timers.findIndex(({ at }) => at <= until)
        if (next === -1) break
        const [timer] = timers.splice(next, 1)
        now = timer!.at
        timer!.callback()
      }
      now = until
    },
    get pending(): number {
      return timers.length
    },
  }
}

describe('a limited log', () => {
  test('writes what comes now and then, and sets no timer for it', () => {
    const { limiter, take, pass, pending } = bench()
    for (let i = 0; i < 30; i++) {
      limiter.log('warning', 'visits', fromElsewhere(`visit ${i}`))
      pass(1000)
    }
    expect(take()).toHaveLength(30)
    expect(pending).toBe(0)
  })

  test('writes ten of a flood, then one a second, and says how many it left out', () => {
    const { limiter, take, pass } = bench()
    for (let i = 0; i < 5000; i++)
      limiter.log('warning', 'bad requests', fromElsewhere(`bad request ${i}`))
    expect(take()).toEqual(Array.from({ length: 10 }, (_, i) => `warning: bad request ${i}`))
    pass(5000)
    expect(take()).toEqual([
      'warning: 4990 more log entries about bad requests were suppressed in the last 5 s ' +
        '[MONO8003]',
    ])
    pass(60_000)
    expect(take()).toEqual([])
  })

  test('goes on telling while a flood lasts', () => {
    const { limiter, take, pass } = bench()
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 100; i++)
        limiter.log('warning', 'bad requests', fromElsewhere('bad request'))
      pass(1000)
    }
    pass(5000)
    const written = take()
    const told = written.filter((line) => line.includes('suppressed'))
    const left = told.reduce((sum, line) => sum + Number(/\d+/.exec(line)![0]), 0)
    expect(written.length - told.length + left).toBe(6000)
    expect(written.length - told.length).toBeLessThanOrEqual(10 + 60)
    expect(told.length).toBeLessThanOrEqual(13)
    expect(told.length).toBeGreaterThanOrEqual(10)
  })

  test('keeps kinds apart', () => {
    const { limiter, take, pass } = bench()
    for (let i = 0; i < 11; i++) limiter.log('warning', 'bad requests', fromElsewhere('bad'))
    for (let i = 0; i < 12; i++) limiter.log('error', 'answers with 503', fromElsewhere('full'))
    expect(take()).toEqual([...Array(10).fill('warning: bad'), ...Array(10).fill('error: full')])
    pass(5000)
    expect(take()).toEqual([
      'warning: 1 more log entry about bad requests was suppressed in the last 5 s [MONO8003]',
      'error: 2 more log entries about answers with 503 were suppressed in the last 5 s [MONO8003]',
    ])
  })

  test('tells what is left when the process ends', () => {
    const { limiter, take } = bench()
    for (let i = 0; i < 12; i++) limiter.log('warning', 'bad requests', fromElsewhere('bad'))
    take()
    limiter.report()
    limiter.report()
    expect(take()).toEqual([
      'warning: 2 more log entries about bad requests were suppressed in the last 1 s [MONO8003]',
    ])
  })

  test('has another burst where one is given', () => {
    const { limiter, take, pass } = bench()
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 5; i++) limiter.log('warning', 'closed doors', fromElsewhere('closed'), 1)
      pass(1000)
    }
    expect(take()).toEqual(['warning: closed', 'warning: closed', 'warning: closed'])
  })

  test('loses count of nothing, and writes no more than a burst and one a second, whatever comes when', () => {
    const step = fc.record({ entries: fc.nat(40), pause: fc.nat(4000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { limiter, written, pass } = bench()
        let sent = 0
        let passed = 0
        for (const { entries, pause } of steps) {
          for (let i = 0; i < entries; i++) limiter.log('warning', 'things', fromElsewhere('thing'))
          sent += entries
          pass(pause)
          passed += pause
        }
        pass(5000)
        const whole = written.filter((line) => line === 'warning: thing').length
        const left = written
          .filter((line) => line !== 'warning: thing')
          .reduce((sum, line) => sum + Number(/\d+/.exec(line)![0]), 0)
        expect(whole + left).toBe(sent)
        expect(whole).toBeLessThanOrEqual(10 + passed / 1000)
      }),
    )
  })
})
