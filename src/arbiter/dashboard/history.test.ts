import { expect, test } from 'vitest'
import { COLUMNS, type Column, type Sample } from '../../dashboard/columns.ts'
import { History } from './history.ts'

function sample(waiting: number): Sample {
  return {
    ...(Object.fromEntries(COLUMNS.map((name) => [name, 0])) as Record<Column, number>),
    waiting,
  }
}

test('keeps the newest samples, and gives those that somebody has not got yet', () => {
  const history = new History(3)
  for (let at = 1; at <= 5; at++) history.add(at * 1000, sample(at))
  expect(history.read(0)).toMatchObject({
    next: 5,
    times: [3000, 4000, 5000],
    columns: { waiting: [3, 4, 5] },
  })
  expect(history.read(4).times).toEqual([5000])
  expect(history.read(5).times).toEqual([])
  expect(history.read(0, 4500).times).toEqual([5000])
  // Of another server, which had taken more.
  expect(history.read(99).times).toEqual([])
})

test('what nobody knows is null, and numbers are short', () => {
  const history = new History(2)
  history.add(1, { ...sample(Number.NaN), sent: 1234.5678 })
  expect(history.read(0).columns).toMatchObject({ waiting: [null], sent: [1235] })
})
