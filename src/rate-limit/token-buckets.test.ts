import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRatePolicy, type RatePolicy } from './rate-policy.ts'
import { TokenBuckets } from './token-buckets.ts'

const policies = (...texts: string[]): RatePolicy[] =>
  texts.map((text) => {
    const policy = parseRatePolicy(text)
    if (policy === null) throw new Error(`not a policy: ${text}`)
    return policy
  })

class Clock {
  ms = 5000
  readonly now = () => this.ms
}

function limiter(texts: string[], most?: number) {
  const clock = new Clock()
  const buckets = new TokenBuckets(policies(...texts), most, clock.now)
  /** How many of so many requests are allowed now. */
  const allowed = (count: number, key = 'a') => {
    let passed = 0
    for (let i = 0; i < count; i++) if (buckets.take(key) === null) passed++
    return passed
  }
  return { clock, buckets, allowed }
}

describe('a policy', () => {
  it.each([
    ['20/s', { requests: 20, seconds: 1, burst: 20 }],
    ['20/s:burst=40', { requests: 20, seconds: 1, burst: 40 }],
    ['100/m', { requests: 100, seconds: 60, burst: 100 }],
    ['5/h:burst=1', { requests: 5, seconds: 3600, burst: 1 }],
    ['1000/d', { requests: 1000, seconds: 86400, burst: 1000 }],
  ])('%s', (text, expected) => {
    expect(parseRatePolicy(text)).toEqual({ text, ...expected })
  })

  it.each([
    '',
    '0/s',
    '20',
    '20/',
    '20/s:',
    '20/s:burst=0',
    '-1/s',
    '1.5/s',
    '20/w',
    '20/S',
    ' 20/s',
  ])('%j is none', (text) => expect(parseRatePolicy(text)).toBeNull())
})

describe('buckets', () => {
  it('allow the burst at once, then the rate', () => {
    const { clock, allowed, buckets } = limiter(['20/s:burst=40'])
    expect(allowed(100)).toBe(40)
    expect(buckets.take('a')).toMatchObject({ waitMs: 50 })
    clock.ms += 49
    expect(allowed(1)).toBe(0)
    clock.ms += 1
    expect(allowed(5)).toBe(1)
    clock.ms += 1000
    expect(allowed(100)).toBe(20)
    clock.ms += 2000
    expect(allowed(100)).toBe(40)
    clock.ms += 1e9
    expect(allowed(100)).toBe(40)
  })

  it('do not count what they refuse', () => {
    const { clock, allowed } = limiter(['1/s'])
    expect(allowed(1000)).toBe(1)
    clock.ms += 1000
    expect(allowed(1000)).toBe(1)
  })

  it('of several policies must all have a token, and give none otherwise', () => {
    const { clock, allowed, buckets } = limiter(['10/s', '15/m'])
    expect(allowed(100)).toBe(10)
    clock.ms += 1000
    // Refused requests have taken nothing of the second policy: 5 are left of 15, and 0.25 came.
    expect(allowed(100)).toBe(5)
    expect(buckets.take('a')?.policy.text).toBe('15/m')
    clock.ms += 3000
    expect(allowed(100)).toBe(1)
  })

  it('are one for each key', () => {
    const { allowed } = limiter(['3/s'])
    expect(allowed(9, 'a')).toBe(3)
    expect(allowed(9, 'b')).toBe(3)
  })

  it('never allow more than burst plus rate in any window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 }),
        (requests, burst, pauses) => {
          const { clock, buckets } = limiter([`${requests}/s:burst=${burst}`])
          const times: number[] = []
          for (const pause of pauses) {
            clock.ms += pause
            if (buckets.take('a') === null) times.push(clock.ms)
          }
          for (let i = 0; i < times.length; i++)
            for (let j = i; j < times.length; j++) {
              const most = burst + ((times[j]! - times[i]!) / 1000) * requests
              expect(j - i + 1).toBeLessThanOrEqual(most + 1e-5)
            }
        },
      ),
    )
  })

  it('stay within their bound for a million addresses', () => {
    const { buckets, clock } = limiter(['20/h'], 10_000)
    for (let i = 0; i < 1_000_000; i++) {
      if (i % 100 === 0) clock.ms++
      buckets.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
      if (i % 1000 === 0) expect(buckets.size).toBeLessThanOrEqual(10_000)
    }
  })

  it('of an address that goes on are kept while others come and go', () => {
    const { buckets, allowed } = limiter(['20/h'], 1000)
    let passed = 0
    for (let i = 0; i < 20; i++) {
      passed += allowed(1, 'busy')
      for (let j = 0; j < 400; j++) buckets.take(`${i} ${j}`)
    }
    expect(passed).toBe(20)
    expect(allowed(1, 'busy')).toBe(0)
  })

  it('that are full again are forgotten', () => {
    const { buckets, clock } = limiter(['20/s'])
    for (let i = 0; i < 500; i++) buckets.take(`early ${i}`)
    clock.ms += 1000
    buckets.take('a')
    clock.ms += 1000
    buckets.take('b')
    expect(buckets.size).toBe(2)
  })
})
