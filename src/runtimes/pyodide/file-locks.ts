/**
 * POSIX record locks (fcntl's F_SETLK, F_SETLKW, F_GETLK) between the interpreters of one process.
 *
 * The kernel's own are of no use here: they belong to a process, so threads would not exclude each other, and Node has no
 * call for them. SQLite relies on them for everything it promises to those who share a file, so they are kept in memory that the
 * threads share, by the rules of POSIX: an owner's locks never conflict with each other, a new lock replaces the
 * owner's earlier ones in its range, and closing any descriptor of a file releases all that the owner has on it.
 *
 * Other processes neither see these locks nor are theirs seen: what writes a file under locks, such as an SQLite
 * database, must be in one process. There is no way around it without native code. There is no detection of deadlocks (EDEADLK): a
 * lock that is waited for in a circle ends by the request's time-out.
 */

/** A lock's kind; an exclusive one conflicts with every other, a shared one only with exclusive ones. */
export type LockKind = 'shared' | 'exclusive'

/** Which file. Both as `stat` has them. */
export interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
}

/** Bytes from `start` up to and without `end`. */
export interface LockRange {
  readonly start: bigint
  readonly end: bigint
}

/** The end of a range that has none: up to the largest offset there is. */
export const END_OF_FILE = 2n ** 63n - 1n

/** A lock that is in the way. */
export interface HeldLock extends LockRange {
  readonly kind: LockKind
  readonly owner: number
}

export type LockFailure = 'EAGAIN' | 'EINTR' | 'ENOLCK'

/** An SQLite connection has up to four at once, and an interpreter seldom more than a few connections. */
const DEFAULT_LOCKS = 1024

// The table: a head of 32-bit numbers, then entries of ENTRY bytes.
const MUTEX = 0
const RELEASES = 1
const USED = 2
const HEAD = 16
const ENTRY = 48
// 32-bit fields of an entry. An owner of 0 makes it free.
const OWNER = 0
const KIND = 1
// 64-bit fields.
const DEVICE = 1
const INODE = 2
const START = 3
const END = 4

const SHARED = 1
const EXCLUSIVE = 2

/** How long a thread sleeps before it looks again, ms: whoever it waits for may have been ended without a word, and a time-out may have come. */
const PATIENCE = 20

/** Makes the table that interpreters share, to be handed to each of their threads. It has room for `locks` ranges. */
export function createLockTable(locks = DEFAULT_LOCKS): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD + locks * ENTRY)
}

/**
 * Releases everything that an interpreter held, and the table itself if its thread was ended while it changed it. To be called when the
 * thread is gone, by whoever started it; never waits.
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

interface Entry extends HeldLock {
  readonly index: number
}

/** One interpreter's way to the table. All methods are synchronous; only {@link FileLocks.lock} waits, if it is told to. */
export class FileLocks {
  readonly #owner: number
  readonly #words: Int32Array
  readonly #longs: BigInt64Array
  readonly #capacity: number
  readonly #interrupted: () => boolean
  /** Files that this owner has locks on, so that closing any other costs nothing. */
  readonly #files = new Set<string>()

  /**
   * @param table from {@link createLockTable}
   * @param owner the interpreter's number: positive, below 2^31, and used for no other as long as the table is
   * @param interrupted whether a signal is waiting for the interpreter; a lock that is waited for then fails with EINTR
   */
  constructor(table: SharedArrayBuffer, owner: number, interrupted: () => boolean = () => false) {
    if (!Number.isInteger(owner) || owner < 1 || owner > 0x7fffffff) {
      throw new RangeError(`An owner of locks is a number from 1 to 2^31 - 1, not ${owner}`)
    }
    this.#owner = owner
    this.#words = new Int32Array(table)
    this.#longs = new BigInt64Array(table)
    this.#capacity = Math.floor((table.byteLength - HEAD) / ENTRY)
    this.#interrupted = interrupted
  }

  /**
   * Locks a range, in place of what this owner had there.
   *
   * @returns null when it is locked, or why not: EAGAIN (another has it and `wait` is false), EINTR, ENOLCK (the table is full)
   */
  lock(file: FileIdentity, range: LockRange, kind: LockKind, wait: boolean): LockFailure | null {
    for (;;) {
      const releases = Atomics.load(this.#words, RELEASES)
      this.#enter()
      try {
        if (this.#conflict(file, range, kind) === null)
          return this.#replace(file, range, kind) ? null : 'ENOLCK'
      } finally {
        this.#leave()
      }
      if (!wait) return 'EAGAIN'
      if (this.#interrupted()) return 'EINTR'
      Atomics.wait(this.#words, RELEASES, releases, PATIENCE)
    }
  }

  /** Releases what this owner has in a range. Fails (ENOLCK) only when that would part a lock in two and the table is full. */
  unlock(file: FileIdentity, range: LockRange): LockFailure | null {
    if (!this.#files.has(keyOf(file))) return null
    this.#enter()
    try {
      return this.#replace(file, range, null) ? null : 'ENOLCK'
    } finally {
      this.#leave()
    }
  }

  /** Another owner's lock that keeps this one from getting the range, or null. */
  conflict(file: FileIdentity, range: LockRange, kind: LockKind): HeldLock | null {
    this.#enter()
    try {
      return this.#conflict(file, range, kind)
    } finally {
      this.#leave()
    }
  }

  /** Whether this owner has locks: if not, nobody needs to find out which file is being closed. */
  get any(): boolean {
    return this.#files.size > 0
  }

  /** A descriptor of the file was closed: POSIX releases all that this owner has on it. */
  closed(file: FileIdentity): void {
    this.unlock(file, { start: 0n, end: END_OF_FILE })
  }

  #conflict(file: FileIdentity, range: LockRange, kind: LockKind): Entry | null {
    for (const entry of this.#entries(file)) {
      if (entry.owner === this.#owner || entry.start >= range.end || entry.end <= range.start) continue
      if (kind === 'exclusive' || entry.kind === 'exclusive') return entry
    }
    return null
  }

  /** Sets the range of this owner to a kind, or to none. What it touches of the same kind becomes one with it; of the other, it is cut. */
  #replace(file: FileIdentity, range: LockRange, kind: LockKind | null): boolean {
    let { start, end } = range
    const old: Entry[] = []
    const made: (LockRange & { kind: LockKind })[] = []
    let others = false
    for (const entry of this.#entries(file)) {
      if (entry.owner !== this.#owner) continue
      if (
        entry.kind === kind
          ? entry.start > end || entry.end < start
          : entry.start >= end || entry.end <= start
      ) {
        others = true
        continue
      }
      old.push(entry)
      if (entry.kind === kind) {
        if (entry.start < start) start = entry.start
        if (entry.end > end) end = entry.end
        continue
      }
      if (entry.start < range.start) made.push({ start: entry.start, end: range.start, kind: entry.kind })
      if (entry.end > range.end) made.push({ start: range.end, end: entry.end, kind: entry.kind })
    }
    if (kind !== null) made.push({ start, end, kind })
    const free = this.#free(made.length)
    if (free === null) return false
    // The new ones first: others never find the range without a lock that it has before and after.
    for (const [position, lock] of made.entries()) this.#write(free[position] as number, file, lock)
    for (const { index } of old) Atomics.store(this.#words, (HEAD + index * ENTRY) / 4 + OWNER, 0)
    if (old.length > 0) {
      Atomics.add(this.#words, RELEASES, 1)
      Atomics.notify(this.#words, RELEASES)
    }
    if (made.length > 0 || others) this.#files.add(keyOf(file))
    else this.#files.delete(keyOf(file))
    return true
  }

  *#entries(file: FileIdentity): Generator<Entry> {
    const used = Atomics.load(this.#words, USED)
    for (let index = 0; index < used; index++) {
      const owner = Atomics.load(this.#words, (HEAD + index * ENTRY) / 4 + OWNER)
      if (owner === 0) continue
      const long = (HEAD + index * ENTRY) / 8
      if (this.#longs[long + INODE] !== file.inode || this.#longs[long + DEVICE] !== file.device) continue
      const kind = this.#words[(HEAD + index * ENTRY) / 4 + KIND] === EXCLUSIVE ? 'exclusive' : 'shared'
      yield {
        index,
        owner,
        kind,
        start: this.#longs[long + START] as bigint,
        end: this.#longs[long + END] as bigint,
      }
    }
  }

  #free(count: number): number[] | null {
    const found: number[] = []
    for (let index = 0; index < this.#capacity && found.length < count; index++) {
      if (Atomics.load(this.#words, (HEAD + index * ENTRY) / 4 + OWNER) === 0) found.push(index)
    }
    return found.length < count ? null : found
  }

  #write(index: number, file: FileIdentity, lock: LockRange & { kind: LockKind }): void {
    const word = (HEAD + index * ENTRY) / 4
    const long = (HEAD + index * ENTRY) / 8
    this.#words[word + KIND] = lock.kind === 'exclusive' ? EXCLUSIVE : SHARED
    this.#longs[long + DEVICE] = file.device
    this.#longs[long + INODE] = file.inode
    this.#longs[long + START] = lock.start
    this.#longs[long + END] = lock.end
    // The owner last: an entry that a thread did not live to complete is free.
    Atomics.store(this.#words, word + OWNER, this.#owner)
    if (Atomics.load(this.#words, USED) <= index) Atomics.store(this.#words, USED, index + 1)
  }

  #enter(): void {
    for (;;) {
      const holder = Atomics.compareExchange(this.#words, MUTEX, 0, this.#owner)
      if (holder === 0) return
      Atomics.wait(this.#words, MUTEX, holder, PATIENCE)
    }
  }

  #leave(): void {
    Atomics.store(this.#words, MUTEX, 0)
    Atomics.notify(this.#words, MUTEX, 1)
  }
}

function keyOf(file: FileIdentity): string {
  return `${file.device}:${file.inode}`
}
