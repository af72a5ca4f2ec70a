import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { MemoryBudget, UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import { PiecePool } from '../spool/piece-pool.ts'
import { FileTransfer } from './file-transfer.ts'
import type { Segment } from './range-content.ts'

const KB = 1024
const MB = KB * KB
const SIZE = 2 * MB
const content = Buffer.from(Array.from({ length: SIZE }, (_, n) => (n * 7) & 0xff))

interface Given {
  settled?: boolean
  memory?: MemoryBudget
  segments?: readonly Segment[]
}

function transfer({ settled = true, memory = UNLIMITED_MEMORY, segments }: Given = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-transfer-'))
  const path = join(folder, 'file')
  writeFileSync(path, content)
  const fd = openSync(path, 'r+')
  onTestFinished(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  const pieces: Buffer[] = []
  /** The memory that they came in. */
  const views: Buffer[] = []
  const seen = { finished: false, failed: '', idle: false }
  const source = { fd, stat: fstatSync(fd, { bigint: true }), settled }
  const made = new FileTransfer(
    source,
    segments ?? [{ start: 0, end: SIZE }],
    PiecePool.of(memory),
    {
      data: (piece) => {
        // Its memory is used again.
        pieces.push(Buffer.from(piece))
        views.push(piece)
        return true
      },
      finish: () => {
        seen.finished = true
      },
      failed: (reason) => {
        seen.failed = reason
      },
      idle: () => {
        seen.idle = true
      },
    },
  )
  const given = () => pieces.reduce((sum, piece) => sum + piece.length, 0)
  /** Takes each piece after a time, until the end. */
  const take = async (afterMs: number) => {
    for (let taken = 0; !seen.finished && seen.failed === ''; taken++) {
      await waitFor('a piece or the end', () => {
        return pieces.length > taken || seen.finished || seen.failed !== ''
      })
      if (pieces.length === taken) return
      if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs))
      made.written(pieces[taken]!.length)
    }
  }
  return { made, fd, pieces, views, seen, given, take }
}

test('a client that takes nothing holds one piece of 64 KiB', async () => {
  const { made, given, seen } = transfer()
  made.begin()
  await waitFor('the first piece', () => given() > 0)
  await new Promise((resolve) => setImmediate(resolve))
  expect(made.busy).toBe(false)
  expect([given(), seen.finished]).toEqual([64 * KB, false])
})

test('while memory is short, it is 16 KiB', async () => {
  const memory = new MemoryBudget(MB)
  memory.add(MB / 2)
  const { made, given } = transfer({ memory })
  made.begin()
  await waitFor('the first piece', () => given() > 0)
  expect([given(), made.busy]).toEqual([16 * KB, false])
})

test('a slow client gets small pieces one at a time, and all of the file', async () => {
  const { made, pieces, take } = transfer({ segments: [{ start: 5, end: 300 * KB }] })
  made.begin()
  await take(40)
  expect(Buffer.concat(pieces).equals(content.subarray(5, 300 * KB))).toBe(true)
  expect(Math.max(...pieces.map(({ length }) => length))).toBe(64 * KB)
})

test('pieces for a fast client grow to 256 KiB', async () => {
  const { made, pieces, take, seen } = transfer()
  made.begin()
  await take(0)
  expect(seen.finished).toBe(true)
  expect(Buffer.concat(pieces).equals(content)).toBe(true)
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(256 * KB)
})

test('segments come in their order, bytes and parts of the file', async () => {
  const segments = [
    Buffer.from('head'),
    { start: 10, end: 20 },
    Buffer.alloc(0),
    { start: 7, end: 7 },
    { start: 0, end: 100 * KB },
    Buffer.from('tail'),
  ]
  const { made, pieces, take } = transfer({ segments })
  made.begin()
  await take(0)
  const expected = Buffer.concat([
    Buffer.from('head'),
    content.subarray(10, 20),
    content.subarray(0, 100 * KB),
    Buffer.from('tail'),
  ])
  expect(Buffer.concat(pieces).equals(expected)).toBe(true)
})

test.each([
  [true, 'it was changed while it was sent'],
  [false, ''],
])('a file that is written to, and was settled: %s', async (settled, failed) => {
  const { made, fd, given, take, seen } = transfer({ settled })
  made.begin()
  await waitFor('the first piece', () => given() > 0)
  writeSync(fd, 'x', SIZE)
  await take(0)
  expect(seen).toMatchObject({ failed, finished: !settled })
  if (settled) expect(given()).toBeLessThan(SIZE)
})

test('a transfer that is closed during a read says when the file may be closed', async () => {
  const { made, given, seen } = transfer()
  made.begin()
  expect(made.busy).toBe(true)
  made.close()
  await waitFor('the end of the read', () => seen.idle)
  expect([given(), made.busy, seen.finished, seen.failed]).toEqual([0, false, false, ''])
})

test('memory is used again only when the client has taken what was in it', async () => {
  const { made, views, take, pieces, seen } = transfer()
  made.begin()
  await take(0)
  expect(seen.finished).toBe(true)
  expect(Buffer.concat(pieces).equals(content)).toBe(true)
  const memories = new Set(views.map(({ buffer }) => buffer))
  expect(memories.size).toBeLessThan(views.length)
})

test('memory of pieces that nobody has taken is not used again', async () => {
  const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
  const first = transfer({ memory })
  first.made.begin()
  await waitFor('the first piece', () => first.given() > 0)
  first.made.close()
  const second = transfer({ memory })
  second.made.begin()
  await second.take(0)
  expect(second.seen.finished).toBe(true)
  const buffers = second.views.map(({ buffer }) => buffer)
  expect(buffers).not.toContain(first.views[0]!.buffer)
  expect(first.views[0]!.equals(content.subarray(0, 64 * KB))).toBe(true)
})
