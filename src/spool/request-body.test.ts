import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeSpool } from '../../tests/support/spool.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { LENT_MEMORY } from '../bytes/lent-memory.ts'
import { DiskBudget } from './disk-budget.ts'
import { MemoryBudget } from './memory-budget.ts'
import { RequestBody } from './request-body.ts'
import { NoSpaceError } from './spool.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-body-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Descriptors of this process that are files of `directory`, names taken away or not. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(directory) ? [target] : []
    } catch {
      return [] // closed meanwhile: the descriptor of the listing itself
    }
  })
}

function nothingLeft(): Promise<boolean> {
  return waitFor(
    'the file to be closed',
    () => openFiles().length === 0 && readdirSync(directory).length === 0,
  )
}

function written(body: RequestBody): Promise<void> {
  return new Promise((resolve) => body.whenWritten(resolve))
}

describe('a request body', () => {
  it('of up to the limit stays in memory', () => {
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 10 }))
    body.append(Buffer.from('01234'))
    body.append(Buffer.from('56789'))
    expect(body.behind).toBe(false)
    const kept = body.finished()
    expect(kept).toMatchObject({ kind: 'whole', length: 10 })
    expect(kept.kind === 'whole' && Buffer.concat(kept.chunks).toString()).toBe('0123456789')
    expect(openFiles()).toEqual([])
  })

  it('gives its memory back for the next one, unless somebody still reads it', () => {
    const store = makeSpool(directory, { bodyMemory: 100_000, memory: new MemoryBudget(10 ** 6) })
    const bodyOf = (byte: number) => {
      const body = new RequestBody(store, 8000)
      body.append(LENT_MEMORY.fill(byte, 0, 8000).subarray(0, 8000))
      const kept = body.finished()
      return { body, bytes: kept.kind === 'whole' ? kept.chunks[0]! : Buffer.alloc(0) }
    }
    const first = bodyOf(1)
    expect(store.memory.held).toBe(16 * 1024 + 128)
    first.body.discard()
    expect(store.memory.held).toBe(0)
    const second = bodyOf(2)
    expect(second.bytes.buffer).toBe(first.bytes.buffer)
    second.body.memoryInUse()
    second.body.discard()
    const third = bodyOf(3)
    expect(third.bytes.buffer).not.toBe(second.bytes.buffer)
    expect(second.bytes).toEqual(Buffer.alloc(8000, 2))
    third.body.discard()
    second.body.memoryUnused()
    expect(bodyOf(4).bytes.buffer).toBe(second.bytes.buffer)
  })

  it('of one byte more goes to a file that has no name', async () => {
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 10 }))
    body.append(Buffer.from('01234'))
    body.append(Buffer.from('567890'))
    expect(body.behind).toBe(true)
    await written(body)
    expect(body.behind).toBe(false)
    const kept = body.finished()
    expect(kept).toMatchObject({ kind: 'file', length: 11 })
    expect(kept.kind === 'file' && readFileSync(kept.path, 'latin1')).toBe('01234567890')
    expect(readdirSync(directory)).toEqual([])
    body.discard()
    await nothingLeft()
  })

  it('is in its place whole and in order, however it came', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { maxLength: 20 }),
        fc.integer({ min: 0, max: 3000 }),
        async (pieces, memory) => {
          const body = new RequestBody(makeSpool(directory, { bodyMemory: memory }))
          for (const [index, piece] of pieces.entries()) {
            body.append(Buffer.from(piece))
            if (index % 3 === 2) await written(body)
          }
          await written(body)
          const whole = Buffer.concat(pieces)
          const kept = body.finished()
          expect(kept.kind).toBe(whole.length > memory ? 'file' : 'whole')
          if (kept.kind === 'file') expect(readFileSync(kept.path).equals(whole)).toBe(true)
          if (kept.kind === 'whole') expect(Buffer.concat(kept.chunks).equals(whole)).toBe(true)
          expect(body.length).toBe(whole.length)
          body.discard()
        },
      ),
      { numRuns: 60 },
    )
    await nothingLeft()
  })

  it('keeps what comes while the file is behind', async () => {
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 0 }))
    const pieces = Array.from({ length: 50 }, (_, i) => Buffer.alloc(10_000, i))
    for (const piece of pieces) body.append(piece)
    await written(body)
    const kept = body.finished()
    expect(kept.kind === 'file' && readFileSync(kept.path).equals(Buffer.concat(pieces))).toBe(true)
    body.discard()
    await nothingLeft()
  })

  it('leaves no descriptor and no file, at whatever moment it is discarded', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const body = new RequestBody(makeSpool(directory, { bodyMemory: 4 }))
      body.append(Buffer.alloc(300_000, 1))
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      body.append(Buffer.alloc(300_000, 2))
      body.discard()
      body.discard()
    }
    await nothingLeft()
  })

  it('does not call back after it was discarded', async () => {
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 0 }))
    body.append(Buffer.from('abc'))
    let called = false
    body.whenWritten(() => {
      called = true
    })
    body.discard()
    await waitFor('the write to end', () => !body.behind)
    expect(called).toBe(false)
    await nothingLeft()
  })

  it('that cannot be stored says so when it is complete, even when more came after the failure', async () => {
    const body = new RequestBody(makeSpool(join(directory, 'missing'), { bodyMemory: 0 }))
    body.append(Buffer.from('one'))
    await written(body)
    expect(body.failure).toBeInstanceOf(Error)
    body.append(Buffer.from('two'))
    body.append(Buffer.from('three'))
    await written(body)
    expect(() => body.finished()).toThrow(/ENOENT/)
    body.discard()
    expect(existsSync(join(directory, 'missing'))).toBe(false)
  })

  it('of single bytes takes about as much memory as it has bytes, and says how much', () => {
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 1024 * 1024, memory }))
    const source = Buffer.alloc(64 * 1024, 'z')
    for (let at = 0; at < 300_000; at++)
      body.append(source.subarray(at % source.length, (at % source.length) + 1))
    const kept = body.finished()
    expect(kept.kind === 'whole' && kept.chunks.length).toBeLessThan(20)
    expect(
      kept.kind === 'whole' && Buffer.concat(kept.chunks).equals(Buffer.alloc(300_000, 'z')),
    ).toBe(true)
    expect(memory.held).toBeGreaterThan(300_000)
    // The source of the first piece, and a block with space.
    expect(memory.held).toBeLessThan(300_000 + 2 * 66_000)
    body.discard()
    expect(memory.held).toBe(0)
  })

  it('goes to the disk early while memory is short', async () => {
    const memory = new MemoryBudget(100)
    const body = new RequestBody(makeSpool(directory, { bodyMemory: 1024 * 1024, memory }))
    memory.add(60)
    body.append(Buffer.alloc(17 * 1024))
    expect(body.behind).toBe(true)
    await written(body)
    expect(body.finished().kind).toBe('file')
    body.discard()
    expect(memory.held).toBe(60)
    await nothingLeft()
  })

  it('is refused where the disk has no space for it, and takes none', async () => {
    const disk = new DiskBudget({ directory, limit: 20, reserve: 0, files: 1000 })
    const body = new RequestBody(makeSpool(directory, { disk }))
    body.append(Buffer.alloc(21))
    await written(body)
    expect(body.failure).toBeInstanceOf(NoSpaceError)
    expect(disk.used).toBe(0)
    body.discard()
    await nothingLeft()
  })

  it('that is partly written waits for space, and goes on when there is some', async () => {
    const disk = new DiskBudget({ directory, limit: 100, reserve: 0, files: 1000 })
    const body = new RequestBody(makeSpool(directory, { disk }))
    body.append(Buffer.alloc(60, 'a'))
    await written(body)
    expect(disk.take(30)).toBe(true) // somebody else
    body.append(Buffer.alloc(40, 'b'))
    expect(body.behind).toBe(true)
    expect(body.failure).toBeNull()
    disk.give(30)
    await written(body)
    const kept = body.finished()
    expect(kept.kind === 'file' && readFileSync(kept.path, 'latin1')).toBe(
      `${'a'.repeat(60)}${'b'.repeat(40)}`,
    )
    expect(disk.used).toBe(100)
    body.discard()
    expect(disk.used).toBe(0)
    await nothingLeft()
  })

  it('that waits for space in vain is given up, and one that nobody wants any more does not wait', async () => {
    const disk = new DiskBudget({ directory, limit: 50, reserve: 0, files: 1000 })
    const patient = new RequestBody(makeSpool(directory, { disk }))
    const impatient = new RequestBody(makeSpool(directory, { disk, patience: 0.01 }))
    impatient.append(Buffer.alloc(20))
    patient.append(Buffer.alloc(30))
    await written(impatient)
    await written(patient)
    patient.append(Buffer.alloc(1))
    impatient.append(Buffer.alloc(1))
    await written(impatient)
    expect(impatient.failure).toBeInstanceOf(NoSpaceError)
    expect(patient.behind).toBe(true)
    patient.discard()
    impatient.discard()
    expect(disk.used).toBe(0)
    await nothingLeft()
  })
})
