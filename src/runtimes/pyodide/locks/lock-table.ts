import { randomInt } from 'node:crypto'
import { ClaimLinks } from './claim-links.ts'
import { CLAIM_BYTES } from './claim-slots.ts'
import { FileClaims } from './file-claims.ts'
import { type FileIdentity, flockIdentity } from './file-identity.ts'

/**
 * A lock's kind. An exclusive lock conflicts with every other lock, a shared one only with
 * exclusive ones.
 */
export type LockKind = 'shared' | 'exclusive'

/** Bytes [`start`, `end`). */
export interface LockRange {
  readonly start: bigint
  readonly end: bigint
}

/** The end of a range that has none: the largest offset. */
export const END_OF_FILE = 2n ** 63n - 1n

/** A lock that prevents another. */
export interface HeldLock extends LockRange {
  readonly kind: LockKind
  /** The interpreter of this process that holds it; 0 if another process does. */
  readonly owner: number
  readonly pid: number
}

/** A lock as it is written to the table. */
export interface RangeLock extends LockRange {
  readonly kind: LockKind
}

/** A lock in the table. */
export interface LockEntry extends HeldLock {
  readonly index: number
}

/** An SQLite connection needs up to four, and an interpreter seldom has more than a few. */
const DEFAULT_LOCKS = 1024
/** How many files a process can claim at a time. */
const CLAIMS = 64

// The table starts with a head of 32-bit numbers. Then follow entries of ENTRY bytes, and then the
// slots of claim-slots.ts.
const MUTEX = 0
/** Counts releases. A thread that waits for a lock sleeps on it. */
const RELEASES = 1
/** How many entries have ever been used. */
const USED = 2
/** How many entries there can be. */
const CAPACITY = 3
/** Distinguishes this table from others of the process. */
const NUMBER = 4
/** Counts attempts to claim. */
const SERIAL = 5
const HEAD = 32
const ENTRY = 48
// 32-bit fields of an entry. An entry whose owner is 0 is free.
const OWNER = 0
const KIND = 1
// 64-bit fields.
const DEVICE = 1
const INODE = 2
const START = 3
const END = 4

const SHARED = 1
const EXCLUSIVE = 2

/**
 * How long a thread sleeps before it looks again, ms. The one it waits for may have been ended
 * without a notice, and its own request may have timed out.
 */
export const PATIENCE = 20

/** The owner number of the main thread. */
export const KEEPER = 0x7fffffff
/** The largest owner number of an interpreter. */
export const LAST_OWNER = KEEPER - 1

/**
 * Makes the table that interpreters share. Pass it to each of their threads.
 *
 * @param locks how many ranges can be locked at a time
 */
export function createLockTable(locks = DEFAULT_LOCKS): SharedArrayBuffer {
  const table = new SharedArrayBuffer(claimsOffset(locks) + CLAIMS * CLAIM_BYTES)
  const words = new Int32Array(table)
  words[CAPACITY] = locks
  words[NUMBER] = randomInt(2 ** 24)
  return table
}

function claimsOffset(locks: number): number {
  return Math.ceil((HEAD + locks * ENTRY) / 64) * 64
}

/**
 * Releases everything that an interpreter held, and the mutex if its thread was ended while it
 * changed the table. Call it in the thread that started the interpreter, when the interpreter's
 * thread is gone. It never waits.
 */
export function releaseOwner(table: SharedArrayBuffer, owner: number): void {
  const words = new Int32Array(table)
  const used = Atomics.load(words, USED)
  for (let index = 0; index < used; index++) {
    Atomics.compareExchange(words, (HEAD + index * ENTRY) / 4 + OWNER, owner, 0)
  }
  Atomics.compareExchange(words, MUTEX, owner, 0)
  Atomics.notify(words, MUTEX)
  Atomics.add(words, RELEASES, 1)
  Atomics.notify(words, RELEASES)
}

/** The locks of all interpreters of a process, in shared memory, with a mutex. */
export class LockTable {
  /** What the process has claimed of the disk. */
  readonly claims: FileClaims
  readonly #words: Int32Array
  readonly #longs: BigInt64Array
  readonly #capacity: number
  readonly #owner: number

  /** @param owner the user of this object: an interpreter's number, or {@link KEEPER} */
  constructor(table: SharedArrayBuffer, owner: number) {
    this.#words = new Int32Array(table)
    this.#longs = new BigInt64Array(table)
    this.#capacity = this.#words[CAPACITY] as number
    this.#owner = owner
    const nextSerial = () => Atomics.add(this.#words, SERIAL, 1)
    this.claims = new FileClaims(
      { buffer: table, offset: claimsOffset(this.#capacity), count: CLAIMS },
      new ClaimLinks(this.#words[NUMBER] as number, nextSerial),
      nextSerial,
      (file) => this.isLocked(file),
    )
  }

  /** Waits until the mutex is this owner's. */
  enter(): void {
    for (;;) {
      const holder = Atomics.compareExchange(this.#words, MUTEX, 0, this.#owner)
      if (holder === 0) return
      Atomics.wait(this.#words, MUTEX, holder, PATIENCE)
    }
  }

  /**
   * Takes the mutex if it is free. Does not wait: the holder may have ended, and only the main
   * thread can repair that.
   */
  tryToEnter(): boolean {
    return Atomics.compareExchange(this.#words, MUTEX, 0, this.#owner) === 0
  }

  leave(): void {
    Atomics.store(this.#words, MUTEX, 0)
    Atomics.notify(this.#words, MUTEX, 1)
  }

  /** How many releases there have been, for {@link LockTable.waitForRelease}. */
  get releases(): number {
    return Atomics.load(this.#words, RELEASES)
  }

  /** Blocks until there have been more than `releases` releases, or `milliseconds` have passed. */
  waitForRelease(releases: number, milliseconds: number): void {
    Atomics.wait(this.#words, RELEASES, releases, milliseconds)
  }

  /** Whether any interpreter has locks on a file, of fcntl or of `flock`. */
  isLocked(file: FileIdentity): boolean {
    return !this.entries(file).next().done || !this.entries(flockIdentity(file)).next().done
  }

  /** All locks on a file. */
  *entries(file: FileIdentity): Generator<LockEntry> {
    const used = Atomics.load(this.#words, USED)
    for (let index = 0; index < used; index++) {
      const owner = Atomics.load(this.#words, (HEAD + index * ENTRY) / 4 + OWNER)
      if (owner === 0) continue
      const long = (HEAD + index * ENTRY) / 8
      if (this.#longs[long + INODE] !== file.inode || this.#longs[long + DEVICE] !== file.device)
        continue
      const kind =
        this.#words[(HEAD + index * ENTRY) / 4 + KIND] === EXCLUSIVE ? 'exclusive' : 'shared'
      yield {
        index,
        owner,
        pid: process.pid,
        kind,
        start: this.#longs[long + START] as bigint,
        end: this.#longs[long + END] as bigint,
      }
    }
  }

  /**
   * Replaces locks of this owner on a file with others.
   *
   * @returns false if the table has no space; it is unchanged then
   */
  replace(file: FileIdentity, old: readonly LockEntry[], made: readonly RangeLock[]): boolean {
    const free = this.#free(made.length)
    if (free === null) return false
    // Write the new locks first: no other owner may find a range unlocked that is locked both
    // before and after.
    for (const [position, lock] of made.entries()) this.#write(free[position] as number, file, lock)
    for (const { index } of old) Atomics.store(this.#words, (HEAD + index * ENTRY) / 4 + OWNER, 0)
    if (old.length > 0) {
      Atomics.add(this.#words, RELEASES, 1)
      Atomics.notify(this.#words, RELEASES)
    }
    return true
  }

  #free(count: number): number[] | null {
    const found: number[] = []
    for (let index = 0; index < this.#capacity && found.length < count; index++) {
      if (Atomics.load(this.#words, (HEAD + index * ENTRY) / 4 + OWNER) === 0) found.push(index)
    }
    return found.length < count ? null : found
  }

  #write(index: number, file: FileIdentity, lock: RangeLock): void {
    const word = (HEAD + index * ENTRY) / 4
    const long = (HEAD + index * ENTRY) / 8
    this.#words[word + KIND] = lock.kind === 'exclusive' ? EXCLUSIVE : SHARED
    this.#longs[long + DEVICE] = file.device
    this.#longs[long + INODE] = file.inode
    this.#longs[long + START] = lock.start
    this.#longs[long + END] = lock.end
    // Write the owner last: if the thread is ended before that, the entry stays free.
    Atomics.store(this.#words, word + OWNER, this.#owner)
    if (Atomics.load(this.#words, USED) <= index) Atomics.store(this.#words, USED, index + 1)
  }
}
