import { expect, test } from 'vitest'
import { MemoryBudget } from './memory-budget.ts'
import { PiecePool } from './piece-pool.ts'

const KB = 1024

test('memory that came back is used again', () => {
  const memory = new MemoryBudget(1024 * KB)
  const pool = new PiecePool(memory)
  const piece = pool.take(40 * KB)
  expect([piece.length, memory.held]).toEqual([64 * KB, 64 * KB])
  pool.given(piece)
  expect(memory.held).toBe(0)
  expect(pool.take(64 * KB)).not.toBe(piece)
  pool.back(piece)
  expect(memory.held).toBe(128 * KB)
  expect(pool.take(17 * KB)).toBe(piece)
  expect(pool.take(16 * KB).length).toBe(16 * KB)
})

test('clients that stop reading do not get all of the large pieces', () => {
  const pool = new PiecePool(new MemoryBudget(Number.POSITIVE_INFINITY))
  const taken = Array.from({ length: 200 }, () => pool.take(256 * KB))
  expect(taken.filter(({ length }) => length === 256 * KB).length).toBe(32)
  expect(taken.filter(({ length }) => length === 64 * KB).length).toBe(168)
  for (const piece of taken) pool.given(piece)
  pool.drop(taken[0]!)
  pool.back(taken[1]!)
  const again = [1, 2, 3].map(() => pool.take(256 * KB).length)
  expect(again).toEqual([256 * KB, 256 * KB, 64 * KB])
})

test('what waits for its next use is bounded, and goes while memory is short', () => {
  const memory = new MemoryBudget(64 * 1024 * KB)
  const pool = new PiecePool(memory)
  const taken = [16, 64, 256].flatMap((size) =>
    Array.from({ length: 30 }, () => pool.take(size * KB)),
  )
  for (const piece of taken) pool.unused(piece)
  expect(memory.held).toBe(16 * 16 * KB + 8 * 64 * KB + 16 * 256 * KB)
  const piece = pool.take(64 * KB)
  memory.add(40 * 1024 * KB)
  expect(pool.take(256 * KB).length).toBe(16 * KB)
  pool.unused(piece)
  expect(memory.held).toBe((40 * 1024 + 16) * KB)
})
