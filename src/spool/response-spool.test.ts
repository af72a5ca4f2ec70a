import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeSpool } from '../../tests/support/spool.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { Span } from '../bytes/span.ts'
import { DiskBudget } from './disk-budget.ts'
import { MemoryBudget } from './memory-budget.ts'
import { ResponseSpool } from './response-spool.ts'
import type { Spool } from './spool.ts'
import { SpoolAhead } from './spool-ahead.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-response-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const KIB = 1024
const MIB = 1024 * KIB

function openFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false // closed meanwhile
    }
  }).length
}

/**
 * A spool between an application that produces what it may, and a client that takes what it is told
 * to.
 */
class Bench {
  readonly spool: Spool
  readonly ahead: SpoolAhead
  readonly response: ResponseSpool
  readonly said: string[] = []
  readonly sent: Buffer[] = []
  readonly given: Buffer[] = []
  credit = 0
  stuck = 0
  unsent = 0
  #byte = 0

  constructor(options: Partial<Spool> & { disk?: DiskBudget } = {}) {
    this.spool = makeSpool(directory, {
      memory: new MemoryBudget(1024 * MIB),
      responseLimit: 64 * MIB,
      ...options,
    })
    this.ahead = new SpoolAhead(this.spool.memory.limit)
    this.response = new ResponseSpool(
      this.spool,
      this.ahead,
      {
        send: (piece) => {
          this.unsent += piece.length
          this.sent.push(Buffer.from(piece.view()))
          return false
        },
        finish: (broken) => this.said.push(broken ? 'broken' : 'finished'),
        grant: (bytes) => {
          this.credit += bytes
        },
        stuck: () => this.stuck++,
        trouble: (error) => this.said.push(error.message),
      },
      0,
    )
  }

  /**
   * The application produces up to that many bytes in pieces of a frame's size, as far as it has
   * credit; returns how many.
   */
  produce(bytes: number): number {
    let produced = 0
    for (;;) {
      const piece = this.#producePiece(Math.min(bytes - produced, 100 * KIB))
      if (piece === 0) return produced
      produced += piece
    }
  }

  #producePiece(bytes: number): number {
    const length = Math.min(bytes, this.credit)
    if (length === 0) return 0
    this.credit -= length
    const piece = Buffer.alloc(length, ++this.#byte & 0xff)
    this.given.push(Buffer.from(piece))
    const kept = this.response.append(new Span().lend(piece, 0, length, 0))
    if (!kept) piece.fill(0) // its memory is used for something else
    return length
  }

  /** The client takes up to that many bytes. */
  take(bytes: number): void {
    const taken = Math.min(bytes, this.unsent)
    this.unsent -= taken
    if (taken > 0) this.response.written(taken)
  }

  get received(): Buffer {
    return Buffer.concat(this.sent)
  }

  async takeAll(): Promise<void> {
    await waitFor('the end', () => {
      this.take(Number.POSITIVE_INFINITY)
      return this.said.length > 0
    })
  }

  /** Everything it had taken of the budgets has been given back. */
  async nothingHeld(): Promise<void> {
    await waitFor('the file to be closed', () => openFiles() === 0 && this.spool.disk.used === 0)
    expect([this.spool.memory.held, this.spool.disk.used]).toEqual([0, 0])
    expect(this.ahead.left).toBe(new SpoolAhead(this.spool.memory.limit).left)
  }
}

describe('a spooled response', () => {
  it('of 20 MB is taken from the application at once, and given to the client as it reads', async () => {
    const bench = new Bench()
    expect(bench.response.begin(20_000_000, 0, true)).toBe(true)
    expect(bench.produce(20_000_000)).toBe(20_000_000)
    bench.response.end(false)
    await waitFor('the disk', () => bench.spool.memory.held === 0)
    expect(bench.unsent).toBeLessThan(256 * KIB)
    await bench.takeAll()
    expect(bench.said).toEqual(['finished'])
    expect(bench.received.equals(Buffer.concat(bench.given))).toBe(true)
    await bench.nothingHeld()
  })

  it('of a client that takes what comes does not touch the disk, and is never delayed', async () => {
    const bench = new Bench()
    expect(bench.response.begin(Number.POSITIVE_INFINITY, 0)).toBe(true)
    for (let event = 0; event < 300; event++) {
      bench.produce(100)
      expect(bench.unsent).toBe(100)
      bench.take(100)
    }
    expect(openFiles()).toBe(0)
    bench.response.end(false)
    expect(bench.said).toEqual(['finished'])
    await bench.nothingHeld()
  })

  it('keeps a little in memory until the client has proved to be slow', async () => {
    const bench = new Bench()
    bench.response.begin(MIB, 0)
    bench.produce(MIB)
    expect(openFiles()).toBe(0)
    bench.response.spill()
    await waitFor('the disk', () => bench.spool.memory.held === 0)
    expect(openFiles()).toBe(1)
    bench.response.end(true)
    await bench.takeAll()
    expect(bench.said).toEqual(['broken'])
    expect(bench.received.length).toBe(MIB)
    await bench.nothingHeld()
  })

  it('lets the application go on whenever there is space, also when the client pauses after keeping pace', async () => {
    const bench = new Bench()
    bench.response.begin(Number.POSITIVE_INFINITY, 0)
    // The client takes nearly all that comes, so that little waits, in memory; then nothing more.
    while (bench.credit > 0) {
      bench.produce(100 * KIB)
      bench.take(60 * KIB)
    }
    bench.response.spill()
    await waitFor('credit', () => bench.credit >= 64 * KIB)
    bench.response.discard()
    await bench.nothingHeld()
  })

  it('without an end stops at the limit, and goes on when the client has taken what there is', async () => {
    const bench = new Bench({ responseLimit: MIB })
    bench.response.begin(Number.POSITIVE_INFINITY, 0)
    bench.response.spill()
    const fill = async () => {
      let before = -1
      let total = 0
      while (total !== before) {
        before = total
        total += bench.produce(100 * KIB)
        await new Promise((resolve) => setTimeout(resolve, 5))
        await waitFor('the disk', () => bench.spool.memory.held === 0)
      }
      return total
    }
    const first = await fill()
    expect(bench.stuck).toBe(1)
    expect(bench.response.stuck).toBe(true)
    expect(first).toBeLessThanOrEqual(MIB + 256 * KIB)
    expect(first).toBeGreaterThanOrEqual(MIB - 128 * KIB)
    expect(bench.spool.disk.used).toBeLessThanOrEqual(MIB)
    await waitFor('credit', () => {
      bench.take(Number.POSITIVE_INFINITY)
      return bench.credit > 0
    })
    expect(await fill()).toBeGreaterThan(512 * KIB)
    bench.response.discard()
    await bench.nothingHeld()
  })

  it('does not begin where the disk has no space, or where it is turned off', async () => {
    const bench = new Bench({
      disk: new DiskBudget({ directory, limit: 1000, reserve: 0, files: 1000 }),
    })
    expect(bench.response.begin(MIB, 0)).toBe(false)
    const off = new Bench({
      responseLimit: 0,
      disk: new DiskBudget({ directory, limit: 10, reserve: 0, files: 1000 }),
    })
    expect(off.response.begin(MIB, 0)).toBe(false)
    expect(bench.credit + off.credit).toBe(0)
    await bench.nothingHeld()
  })

  it('goes on from memory when the file cannot be written', async () => {
    const bench = new Bench({ directory: '/nowhere/at/all' })
    bench.response.begin(3 * MIB, 0, true)
    bench.produce(3 * MIB)
    await waitFor('the trouble', () => bench.said.length > 0)
    expect(bench.said.join()).toContain('ENOENT')
    bench.response.end(false)
    bench.said.length = 0
    await bench.takeAll()
    expect(bench.said).toEqual(['finished'])
    expect(bench.received.equals(Buffer.concat(bench.given))).toBe(true)
    await bench.nothingHeld()
  })

  it('arrives whole and in order, whatever the application and the client do, and gives everything back', async () => {
    const step = fc.oneof(
      fc.record({ produce: fc.integer({ min: 1, max: 400 * KIB }) }),
      fc.record({ take: fc.integer({ min: 1, max: 300 * KIB }) }),
      fc.record({ wait: fc.constant(true) }),
      fc.record({ spill: fc.constant(true) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 64 * KIB, max: 2 * MIB }),
        fc.boolean(),
        fc.boolean(),
        async (steps, responseLimit, broken, discarded) => {
          const bench = new Bench({ responseLimit })
          expect(bench.response.begin(Number.POSITIVE_INFINITY, 0)).toBe(true)
          for (const action of steps) {
            if ('produce' in action) bench.produce(action.produce)
            else if ('take' in action) bench.take(action.take)
            else if ('spill' in action) bench.response.spill()
            else await new Promise(setImmediate)
            expect(bench.spool.disk.used).toBeLessThanOrEqual(responseLimit)
          }
          if (discarded) bench.response.discard()
          else {
            bench.response.end(broken)
            await bench.takeAll()
            expect(bench.said).toEqual([broken ? 'broken' : 'finished'])
            expect(bench.received.equals(Buffer.concat(bench.given))).toBe(true)
          }
          await bench.nothingHeld()
        },
      ),
      { numRuns: 60 },
    )
  })
})
