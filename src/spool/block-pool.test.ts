import { describe, expect, it } from 'vitest'
import { LENT_MEMORY } from '../bytes/lent-memory.ts'
import { BlockPool } from './block-pool.ts'
import { KeptPieces } from './kept-pieces.ts'

const KIB = 1024

function lent(size: number, byte: number): Buffer {
  return LENT_MEMORY.fill(byte, 0, size).subarray(0, size)
}

describe('a pool of blocks', () => {
  it('gives a block again that it was given', () => {
    const pool = new BlockPool()
    const small = pool.take(10 * KIB)
    const large = pool.take(17 * KIB)
    expect([small.length, large.length]).toEqual([16 * KIB, 64 * KIB])
    pool.give(small)
    pool.give(large)
    expect(pool.take(1)).toBe(small)
    expect(pool.take(64 * KIB)).toBe(large)
    expect(pool.take(64 * KIB)).not.toBe(large)
  })

  it.each([
    [16 * KIB, 64],
    [64 * KIB, 256],
  ])('keeps few enough free blocks of %i bytes', (size, kept) => {
    const pool = new BlockPool()
    const blocks = Array.from({ length: 300 }, () => pool.take(size))
    for (const block of blocks) pool.give(block)
    const again = Array.from({ length: 300 }, () => pool.take(size))
    expect(again.filter((block) => blocks.includes(block))).toHaveLength(kept)
  })
})

describe('pieces that are kept in a pool', () => {
  it('are copies of lent memory, in blocks that fit what is to follow', () => {
    const pool = new BlockPool()
    const pieces = new KeptPieces(pool)
    pieces.push(lent(10 * KIB, 1), 0)
    pieces.push(lent(10 * KIB, 2), 0)
    lent(20 * KIB, 9)
    const bytes = Buffer.concat(pieces.all())
    expect(bytes).toEqual(Buffer.concat([Buffer.alloc(10 * KIB, 1), Buffer.alloc(10 * KIB, 2)]))
    expect(pieces.held).toBe(2 * (16 * KIB + 128))
    expect(pieces.takeBlocks().map(({ length }) => length)).toEqual([16 * KIB, 16 * KIB])
    const large = new KeptPieces(pool)
    large.push(lent(10 * KIB, 1), 90 * KIB)
    expect(large.held).toBe(64 * KIB + 128)
  })

  it('mix with pieces that are not lent, in order', () => {
    const pieces = new KeptPieces(new BlockPool())
    const sent: Buffer[] = []
    const push = (chunk: Buffer) => {
      sent.push(Buffer.from(chunk))
      pieces.push(chunk)
    }
    for (let i = 0; i < 40; i++) {
      push(lent(5000 + i, i))
      push(Buffer.alloc(i * 7 + 1, 100 + i))
      if (i % 5 === 0) push(Buffer.alloc(17_000, 200 + (i % 50)))
    }
    expect(Buffer.concat(pieces.take()).equals(Buffer.concat(sent))).toBe(true)
    expect(pieces.held).toBe(0)
  })

  it('are copied without a pool too', () => {
    const pieces = new KeptPieces()
    pieces.push(lent(6000, 1))
    lent(6000, 2)
    expect(pieces.shift()).toEqual(Buffer.alloc(6000, 1))
  })
})
