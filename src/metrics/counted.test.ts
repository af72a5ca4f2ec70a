import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Counts, Histogram, NamedCounts } from './counted.ts'

test('a value falls into the first bucket whose bound it does not exceed', () => {
  const histogram = new Histogram([1, 2.5, 5])
  for (const value of [0, 1, 1.1, 2.5, 5, 5.1, 1000]) histogram.observe(value)
  expect(histogram.value().counts).toEqual([2, 2, 1, 2])
})

test('every value is counted once, and in the sum', () => {
  const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }))
  fc.assert(
    fc.property(values, (all) => {
      const histogram = new Histogram([0.5, 1, 10])
      for (const value of all) histogram.observe(value)
      const { counts, sum } = histogram.value()
      expect(counts.reduce((a, b) => a + b, 0)).toBe(all.length)
      expect(counts[0]).toBe(all.filter((value) => value <= 0.5).length)
      expect(sum).toBeCloseTo(
        all.reduce((a, b) => a + b, 0),
        6,
      )
    }),
  )
})

test('a bucket keeps the newest trace', () => {
  const histogram = new Histogram([1])
  histogram.observe(0.5)
  expect(histogram.value().exemplars).toBeUndefined()
  histogram.observe(0.6, 'aa')
  histogram.observe(0.7, 'bb')
  histogram.observe(2)
  const [first, second] = histogram.value().exemplars ?? []
  expect(first).toMatchObject({ traceId: 'bb', value: 0.7 })
  expect(second).toBeNull()
})

test('all values of a label are shown from the beginning', () => {
  const counts = new Counts(['a', 'b'])
  counts.add('b', 2)
  expect(counts.series()).toEqual([
    { labels: ['a'], value: 0 },
    { labels: ['b'], value: 2 },
  ])
})

test('names are bounded', () => {
  const counts = new NamedCounts()
  for (let i = 0; i < 1000; i++) counts.add(`name-${i}`)
  expect(counts.series()).toHaveLength(100)
  expect(counts.series().find(({ labels }) => labels[0] === 'other')?.value).toBe(901)
})
