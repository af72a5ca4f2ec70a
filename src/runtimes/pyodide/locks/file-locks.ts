import { randomInt } from 'node:crypto'
import { ClaimLinks, claimantOf } from './claim-links.ts'
import { CLAIM_BYTES, FileClaims, type FileIdentity } from './file-claims.ts'

/**
 * POSIX record locks (fcntl's F_SETLK, F_SETLKW, F_GETLK) between the interpreters of one process,
 * and of several.
 *
 * The kernel's own are of no use here: they belong to a process, so threads would not exclude each
 * other, and Node has no call for them. SQLite relies on them for everything it promises to those
 * who share a file, so they are kept in memory that the threads share, by the rules of POSIX: an
 * owner's locks never conflict with each other, a new lock replaces the owner's earlier ones in its
 * range, and closing any descriptor of a file releases all that the owner has on it.
 *
 * Between processes whole files are excluded, not ranges: a process claims a file (file-claims.ts)
 * before the first lock, whatever its kind, and while another has the claim a lock fails as if that
 * had everything locked, or is waited for. An attempt that must not wait does so all the same for a
 * tenth of a second: the other may have its claim only because nobody has wanted it yet.
 *
 * What is not Monoceros neither sees these locks nor are its own seen, and there are no claims
 * where the folder cannot be written or has no links; nor do processes meet that know a file by
 * several names (hard links, bind mounts). There is no way around it without native code. There is
 * no detection of deadlocks (EDEADLK): a lock that is waited for in a circle ends by the request's
 * time-out.
 */

/**
 * A lock's kind; an exclusive one conflicts with every other, a shared one only with exclusive
 * ones.
 */
export type LockKind = 'shared' | 'exclusive'

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
  /** The interpreter of this process that has it; 0 for one of another. */
  readonly owner: number
  readonly pid: number
}

export type LockFailure = 'EAGAIN' | 'EINTR' | 'ENOLCK'

/**
 * An SQLite connection has up to four at once, and an interpreter seldom more than a few
 * connections.
 */
const DEFAULT_LOCKS = 1024
/** How many files a process can have claimed. */
const CLAIMS = 64

// The table: a head of 32-bit numbers, then entries of ENTRY bytes, then those of file-claims.ts.
const MUTEX = 0
const RELEASES = 1
const USED = 2
/** How many entries there can be. */
const CAPACITY = 3
/** Tells this table from others that the process may have. */
const NUMBER = 4
/** Counts attempts to claim. */
const SERIAL = 5
const HEAD = 32
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

/**
 * How long a thread sleeps before it looks again, ms: whoever it waits for may have been ended
 * without a word, and a time-out may have come.
 */
const PATIENCE = 20
/** How often to try again when another process has the file, ms: at first and after a while. */
const SOON = 2
/**
 * How long to wait for another process where a lock must not wait, ms, and when it has just been
 * tried in vain: SQLite tries for as long as it is told to.
 */
const HANDOVER = 100
const SHORT_HANDOVER = 10
const JUST = 300
/** After this time in vain the user is told who has the file, ms. */
const LONG = 4000

/** The main thread's number. */
const KEEPER = 0x7fffffff
const LAST_OWNER = KEEPER - 1
/** How often the main thread looks after what is claimed, ms. */
const TICK = 25

/**
 * Locks of `flock` and of fcntl do not know of each other: the first are kept as those of another
 * device.
 */
const FLOCK = 1n << 62n

/**
 * Makes the table that interpreters share, to be handed to each of their threads. It has room for
 * `locks` ranges.
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

/** Where the locks that `flock` sets on a file are to be found. */
export function flockIdentity({ device, inode }: FileIdentity): FileIdentity {
  return { device: device | FLOCK, inode }
}

/**
 * Releases everything that an interpreter held, and the table itself if its thread was ended while
 * it changed it. To be called when the thread is gone, by whoever started it; never waits.
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

/** What an interpreter's locks have to do with the rest of it. */
export interface LockListener {
  /**
   * Whether a signal is waiting for the interpreter; a lock that is waited for then fails with
   * EINTR.
   */
  readonly interrupted?: () => boolean
  /**
   * The process has a claim that it had not: the main thread's {@link ClaimKeeper} must hear of it.
   */
  readonly claimed?: () => void
  /** Told, in one line and at most once each, why something cannot be locked. */
  readonly notice?: (text: string) => void
}

/**
 * Where a file is on the disk: bytes, without links; null when it cannot or must not be claimed.
 */
export type FilePlace = () => Buffer | null

const nowhere: FilePlace = () => null

/** The table, with its mutex. */
class LockTable {
  readonly words: Int32Array
  readonly longs: BigInt64Array
  readonly capacity: number
  readonly claims: FileClaims
  readonly #owner: number

  constructor(table: SharedArrayBuffer, owner: number) {
    this.words = new Int32Array(table)
    this.longs = new BigInt64Array(table)
    this.capacity = this.words[CAPACITY] as number
    this.#owner = owner
    const nextSerial = () => Atomics.add(this.words, SERIAL, 1)
    this.claims = new FileClaims(
      { buffer: table, offset: claimsOffset(this.capacity), count: CLAIMS },
      new ClaimLinks(this.words[NUMBER] as number, nextSerial),
      nextSerial,
      (file) => this.isLocked(file),
    )
  }

  *entries(file: FileIdentity): Generator<Entry> {
    const used = Atomics.load(this.words, USED)
    for (let index = 0; index < used; index++) {
      const owner = Atomics.load(this.words, (HEAD + index * ENTRY) / 4 + OWNER)
      if (owner === 0) continue
      const long = (HEAD + index * ENTRY) / 8
      if (this.longs[long + INODE] !== file.inode || this.longs[long + DEVICE] !== file.device)
        continue
      const kind =
        this.words[(HEAD + index * ENTRY) / 4 + KIND] === EXCLUSIVE ? 'exclusive' : 'shared'
      yield {
        index,
        owner,
        pid: process.pid,
        kind,
        start: this.longs[long + START] as bigint,
        end: this.longs[long + END] as bigint,
      }
    }
  }

  /** Whether any interpreter has locks on a file, of either sort. */
  isLocked(file: FileIdentity): boolean {
    return !this.entries(file).next().done || !this.entries(flockIdentity(file)).next().done
  }

  enter(): void {
    for (;;) {
      const holder = Atomics.compareExchange(this.words, MUTEX, 0, this.#owner)
      if (holder === 0) return
      Atomics.wait(this.words, MUTEX, holder, PATIENCE)
    }
  }

  /** Does not wait: whoever has it may have ended, which only the main thread can put right. */
  tryToEnter(): boolean {
    return Atomics.compareExchange(this.words, MUTEX, 0, this.#owner) === 0
  }

  leave(): void {
    Atomics.store(this.words, MUTEX, 0)
    Atomics.notify(this.words, MUTEX, 1)
  }
}

/**
 * What a process's main thread does for the claims of its interpreters: gives back what nobody
 * uses, also at the end of the process, and says that the rest is alive. It keeps no process from
 * ending.
 */
export class ClaimKeeper {
  readonly #table: LockTable
  readonly #onExit = () => this.#end()
  #timer: NodeJS.Timeout | null = null

  constructor(table: SharedArrayBuffer) {
    this.#table = new LockTable(table, KEEPER)
  }

  /** An interpreter has made the process claim something, or may have. */
  claimed(): void {
    if (this.#timer !== null) return
    this.#timer = setInterval(() => this.#tick(), TICK).unref()
    process.on('exit', this.#onExit)
  }

  #tick(): void {
    if (!this.#table.tryToEnter()) return
    const busy = this.#table.claims.tick()
    this.#table.leave()
    if (busy || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    process.off('exit', this.#onExit)
  }

  /**
   * Threads run on until the process is gone, so what they have locked stays claimed, by a process
   * that does not exist. The mutex is kept: they get no more.
   */
  #end(): void {
    for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
      if (!this.#table.tryToEnter()) continue
      this.#table.claims.settle()
      return
    }
  }
}

/**
 * One interpreter's way to the table. All methods are synchronous; only {@link FileLocks.lock}
 * waits.
 */
export class FileLocks {
  readonly #owner: number
  readonly #table: LockTable
  readonly #words: Int32Array
  readonly #longs: BigInt64Array
  readonly #listener: LockListener
  /** Files that this owner has locks on, so that closing any other costs nothing. */
  readonly #files = new Set<string>()
  /**
   * The file that cannot be had because of another process: since when, when that was last seen,
   * and when a lock last failed for it.
   */
  #refused = { key: '', since: 0, seen: 0, failed: Number.NEGATIVE_INFINITY }
  readonly #noticed = new Set<string>()

  /**
   * @param table from {@link createLockTable}
   * @param owner the interpreter's number: positive, below 2^31 - 1, and used for no other as long
   * as the table is
   */
  constructor(table: SharedArrayBuffer, owner: number, listener: LockListener = {}) {
    if (!Number.isInteger(owner) || owner < 1 || owner > LAST_OWNER) {
      throw new RangeError(`An owner of locks is a number from 1 to 2^31 - 2, not ${owner}`)
    }
    this.#owner = owner
    this.#table = new LockTable(table, owner)
    this.#words = this.#table.words
    this.#longs = this.#table.longs
    this.#listener = listener
  }

  /**
   * Locks a range, in place of what this owner had there.
   *
   * @param place asked when the process has to claim the file; without it other processes are not
   * kept out
   * @returns null when it is locked, or why not: EAGAIN (another has it and `wait` is false),
   * EINTR, ENOLCK (the table is full)
   */
  lock(
    file: FileIdentity,
    range: LockRange,
    kind: LockKind,
    wait: boolean,
    place: FilePlace = nowhere,
  ): LockFailure | null {
    let begun: number | null = null
    for (;;) {
      const releases = Atomics.load(this.#words, RELEASES)
      let claimed = true
      this.#table.enter()
      try {
        if (this.#conflict(file, range, kind) === null) {
          claimed = this.#claim(file, place)
          if (claimed) return this.#replace(file, range, kind) ? null : 'ENOLCK'
        }
      } finally {
        this.#table.leave()
      }
      if (!wait && claimed) return 'EAGAIN'
      if (this.#listener.interrupted?.()) return wait ? 'EINTR' : 'EAGAIN'
      if (claimed) {
        Atomics.wait(this.#words, RELEASES, releases, PATIENCE)
        continue
      }
      const now = performance.now()
      begun ??= now
      if (!wait && now - begun >= this.#patience(file, begun)) {
        this.#refused.failed = now
        return 'EAGAIN'
      }
      Atomics.wait(this.#words, RELEASES, releases, now - begun < HANDOVER ? SOON : PATIENCE)
    }
  }

  /**
   * Releases what this owner has in a range. Fails (ENOLCK) only when that would part a lock in two
   * and the table is full.
   */
  unlock(file: FileIdentity, range: LockRange): LockFailure | null {
    if (!this.#files.has(keyOf(file))) return null
    this.#table.enter()
    try {
      if (!this.#replace(file, range, null)) return 'ENOLCK'
      if (!this.#files.has(keyOf(file))) this.#table.claims.released(claimIdentity(file))
      return null
    } finally {
      this.#table.leave()
    }
  }

  /**
   * Another owner's lock that keeps this one from getting the range, or null. Another process has
   * all of a file, as far as can be known.
   */
  conflict(
    file: FileIdentity,
    range: LockRange,
    kind: LockKind,
    place: FilePlace = nowhere,
  ): HeldLock | null {
    this.#table.enter()
    try {
      const held = this.#conflict(file, range, kind)
      if (held !== null) return held
      const pid = this.#table.claims.claimant(claimIdentity(file), place)
      return pid === null ? null : { kind: 'exclusive', owner: 0, pid, start: 0n, end: END_OF_FILE }
    } finally {
      this.#table.leave()
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

  /**
   * Gives back claims that are not in use, whose links are in folders that are about to be moved or
   * removed.
   */
  settle(): void {
    this.#table.enter()
    try {
      this.#table.claims.settle()
    } finally {
      this.#table.leave()
    }
  }

  /**
   * Whether another process has been granted what this owner has locked, because this one gave no
   * sign of life for long: a paused container. Then it must not be written any more. To be asked
   * before a change of the disk by those who have {@link FileLocks.any}.
   *
   * @param path of what is to be changed: a locked file, or what belongs to it and begins with its
   * name
   */
  isLost(path: string): boolean {
    if (!this.#table.claims.isLate()) return false
    this.#table.enter()
    try {
      return this.#table.claims.isLost(path, (file) => this.#hasLocks(file))
    } finally {
      this.#table.leave()
    }
  }

  /** Claims a file for the process before this owner's first lock on it. */
  #claim(file: FileIdentity, place: FilePlace): boolean {
    if (this.#hasLocks(file)) return true
    const result = this.#table.claims.acquire(claimIdentity(file), place)
    if (result.outcome === 'taken') this.#listener.claimed?.()
    if (result.outcome === 'taken' || result.outcome === 'granted') {
      this.#refused.key = ''
      return true
    }
    if (result.outcome === 'impossible')
      this.#notice(
        `${place()} cannot be locked: the system refuses the link beside it (${result.code})`,
      )
    else if (result.holder !== null) this.#tellHolder(file, result.holder, place)
    return false
  }

  #hasLocks(file: FileIdentity): boolean {
    if (this.#files.size === 0) return false
    return (
      this.#files.has(keyOf(file)) ||
      this.#files.has(keyOf({ device: file.device ^ FLOCK, inode: file.inode }))
    )
  }

  /** How long to wait for another process, ms. */
  #patience(file: FileIdentity, begun: number): number {
    const { key, failed } = this.#refused
    return key === keyOf(file) && begun - failed < JUST ? SHORT_HANDOVER : HANDOVER
  }

  #tellHolder(file: FileIdentity, holder: string, place: FilePlace): void {
    const key = keyOf(file)
    const now = performance.now()
    const { seen, failed } = this.#refused
    if (this.#refused.key !== key || now - seen > JUST)
      this.#refused = { key, since: now, seen: now, failed }
    this.#refused.seen = now
    if (now - this.#refused.since < LONG) return
    const pid = claimantOf(holder)
    const path = place()
    this.#notice(
      pid === null
        ? `${path} cannot be locked: ${path}-monoceros is in the way, which is not of this version of Monoceros; remove it if nothing uses the file`
        : `${path} is locked by another process of Monoceros, ${pid}; see ${path}-monoceros`,
    )
  }

  #notice(text: string): void {
    if (this.#noticed.has(text)) return
    this.#noticed.add(text)
    this.#listener.notice?.(text)
  }

  #conflict(file: FileIdentity, range: LockRange, kind: LockKind): Entry | null {
    for (const entry of this.#table.entries(file)) {
      if (entry.owner === this.#owner || entry.start >= range.end || entry.end <= range.start)
        continue
      if (kind === 'exclusive' || entry.kind === 'exclusive') return entry
    }
    return null
  }

  /**
   * Sets the range of this owner to a kind, or to none. What it touches of the same kind becomes
   * one with it; of the other, it is cut.
   */
  #replace(file: FileIdentity, range: LockRange, kind: LockKind | null): boolean {
    let { start, end } = range
    const old: Entry[] = []
    const made: (LockRange & { kind: LockKind })[] = []
    let others = false
    for (const entry of this.#table.entries(file)) {
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
      if (entry.start < range.start)
        made.push({ start: entry.start, end: range.start, kind: entry.kind })
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

  #free(count: number): number[] | null {
    const found: number[] = []
    for (let index = 0; index < this.#table.capacity && found.length < count; index++) {
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
}

/** Which file's claim a lock needs, whatever sort it is of. */
function claimIdentity({ device, inode }: FileIdentity): FileIdentity {
  return { device: device & ~FLOCK, inode }
}

function keyOf(file: FileIdentity): string {
  return `${file.device}:${file.inode}`
}
