import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileLocks } from './file-locks.ts'
import { createLockTable, END_OF_FILE, type LockKind, releaseOwner } from './lock-table.ts'

const file = { device: 65024n, inode: 5449701n }
const other = { device: 65024n, inode: 2n ** 63n + 5n }
const whole = { start: 0n, end: END_OF_FILE }
const bytes = (start: number, end: number) => ({ start: BigInt(start), end: BigInt(end) })

function owners(count: number, table = createLockTable()): FileLocks[] {
  return Array.from({ length: count }, (_, index) => new FileLocks(table, index + 1))
}

describe('locks between interpreters', () => {
  it('an exclusive lock keeps others out, and a shared one those who want it for themselves', () => {
    const [one, two] = owners(2) as [FileLocks, FileLocks]
    expect(one.lock(file, bytes(0, 10), 'shared', false)).toBeNull()
    expect(two.lock(file, bytes(5, 6), 'shared', false)).toBeNull()
    expect(one.lock(file, bytes(0, 10), 'exclusive', false)).toBe('EAGAIN')
    expect(two.unlock(file, whole)).toBeNull()
    expect(one.lock(file, bytes(0, 10), 'exclusive', false)).toBeNull()
    expect(two.lock(file, bytes(9, 10), 'shared', false)).toBe('EAGAIN')
    expect(two.lock(file, bytes(10, 11), 'exclusive', false)).toBeNull()
  })

  it('files are told apart by device and inode', () => {
    const [one, two] = owners(2) as [FileLocks, FileLocks]
    expect(one.lock(file, whole, 'exclusive', false)).toBeNull()
    expect(two.lock(other, whole, 'exclusive', false)).toBeNull()
    expect(two.lock({ ...file, device: 1n }, whole, 'exclusive', false)).toBeNull()
  })

  it('says which lock is in the way', () => {
    const [one, two] = owners(2) as [FileLocks, FileLocks]
    one.lock(file, bytes(3, 7), 'shared', false)
    expect(two.conflict(file, whole, 'shared')).toBeNull()
    expect(two.conflict(file, whole, 'exclusive')).toMatchObject({
      kind: 'shared',
      owner: 1,
      start: 3n,
      end: 7n,
    })
    expect(one.conflict(file, whole, 'exclusive')).toBeNull()
  })

  it('closing a file releases all of the owner on it, and nothing of others', () => {
    const [one, two] = owners(2) as [FileLocks, FileLocks]
    one.lock(file, bytes(0, 1), 'exclusive', false)
    one.lock(file, bytes(5, 9), 'exclusive', false)
    two.lock(file, bytes(2, 3), 'exclusive', false)
    expect(one.any).toBe(true)
    one.closed(file)
    expect(one.any).toBe(false)
    expect(two.lock(file, bytes(0, 20), 'exclusive', false)).toBeNull()
  })

  it('a full table is ENOLCK and changes nothing', () => {
    const [one, two] = owners(2, createLockTable(2)) as [FileLocks, FileLocks]
    expect(one.lock(file, bytes(0, 1), 'exclusive', false)).toBeNull()
    expect(one.lock(file, bytes(2, 3), 'exclusive', false)).toBeNull()
    expect(one.lock(file, bytes(4, 5), 'exclusive', false)).toBe('ENOLCK')
    expect(two.lock(other, bytes(4, 5), 'exclusive', false)).toBe('ENOLCK')
    expect(one.unlock(file, bytes(0, 1))).toBeNull()
    expect(two.lock(other, bytes(4, 5), 'exclusive', false)).toBeNull()
  })

  it('what an ended interpreter held is free, also the table itself', () => {
    const table = createLockTable()
    const [one, two] = owners(2, table) as [FileLocks, FileLocks]
    one.lock(file, whole, 'exclusive', false)
    // Its thread was ended inside of a change.
    Atomics.store(new Int32Array(table), 0, 1)
    releaseOwner(table, 1)
    expect(two.lock(file, whole, 'exclusive', false)).toBeNull()
  })

  it('a signal ends the waiting', () => {
    const table = createLockTable()
    const [one] = owners(1, table) as [FileLocks]
    one.lock(file, whole, 'exclusive', false)
    let asked = 0
    const two = new FileLocks(table, 2, { interrupted: () => ++asked > 2 })
    expect(two.lock(file, whole, 'shared', true)).toBe('EINTR')
  })

  it('keeps the same locks as a list of bytes would', () => {
    const operation = fc.record({
      owner: fc.integer({ min: 0, max: 2 }),
      start: fc.integer({ min: 0, max: 15 }),
      length: fc.integer({ min: 1, max: 8 }),
      kind: fc.constantFrom<LockKind | null>('shared', 'exclusive', null),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const locks = owners(3)
        const model = locks.map(() => new Array<LockKind | null>(24).fill(null))
        for (const { owner, start, length, kind } of operations) {
          const range = bytes(start, start + length)
          const positions = Array.from({ length }, (_, index) => start + index)
          const blocked =
            kind !== null &&
            model.some(
              (held, index) =>
                index !== owner &&
                positions.some(
                  (at) =>
                    held[at] === 'exclusive' || (held[at] === 'shared' && kind === 'exclusive'),
                ),
            )
          const mine = locks[owner] as FileLocks
          const answer =
            kind === null ? mine.unlock(file, range) : mine.lock(file, range, kind, false)
          expect(answer).toBe(blocked ? 'EAGAIN' : null)
          if (!blocked) for (const at of positions) (model[owner] as (LockKind | null)[])[at] = kind
        }
        for (const [owner, mine] of locks.entries()) {
          for (let at = 0; at < 24; at++) {
            const expected = model.some((held, index) => index !== owner && held[at] !== null)
            expect(mine.conflict(file, bytes(at, at + 1), 'exclusive') !== null).toBe(expected)
          }
        }
      }),
    )
  })

  it('threads that change one number under a lock lose no change, also when one of them is ended', async () => {
    const table = createLockTable()
    const number = new SharedArrayBuffer(8)
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.module).then(({ FileLocks }) => {
        const locks = new FileLocks(workerData.table, workerData.owner)
        const file = { device: 1n, inode: 2n }
        const number = new Int32Array(workerData.number)
        parentPort.postMessage('begun')
        for (let turn = 0; turn < workerData.turns; turn++) {
          const range = { start: 0n, end: turn % 2 === 0 ? workerData.end : 10n }
          const failure = locks.lock(file, range, 'exclusive', true)
          if (failure !== null) throw new Error(failure)
          const before = number[workerData.field]
          for (let spin = 0; spin < 200; spin++) number[1] === spin
          number[workerData.field] = before + 1
          locks.unlock(file, range)
        }
      })`
    const start = (owner: number, turns: number, field: number) =>
      new Worker(code, {
        eval: true,
        workerData: {
          module: new URL('../../../../dist/runtimes/pyodide/locks/file-locks.js', import.meta.url)
            .href,
          end: END_OF_FILE,
          table,
          number,
          owner,
          turns,
          field,
        },
      })
    const ended = start(9, 1_000_000_000, 1)
    await once(ended, 'message')
    const counting = [1, 2, 3].map((owner) => once(start(owner, 3000, 0), 'exit'))
    await ended.terminate()
    releaseOwner(table, 9)
    expect((await Promise.all(counting)).flat()).toEqual([0, 0, 0])
    expect(new Int32Array(number)[0]).toBe(9000)
  })
})
