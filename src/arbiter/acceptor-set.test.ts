import fc from 'fast-check'
import { expect, test } from 'vitest'
import { restartDelay, shareOf } from './acceptor-set.ts'

test('workers are shared out evenly, each acceptor has one at least, and none is lost', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 64 }),
      (total, acceptors) => {
        const shares = Array.from({ length: acceptors }, (_, index) =>
          shareOf(total, acceptors, index),
        )
        expect(Math.min(...shares)).toBeGreaterThanOrEqual(1)
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(Math.max(total, acceptors))
      },
    ),
  )
})

test('an acceptor that had its time is replaced at once, one that died young later and later, up to 5 s', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map(restartDelay)).toEqual([
    0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000,
  ])
})
