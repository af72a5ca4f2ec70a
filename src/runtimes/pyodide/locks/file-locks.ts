import { claimantOf } from './claim-links.ts'
import { claimIdentity, type FileIdentity, keyOf, otherIdentity } from './file-identity.ts'
import {
  END_OF_FILE,
  type HeldLock,
  LAST_OWNER,
  type LockEntry,
  type LockKind,
  type LockRange,
  LockTable,
  PATIENCE,
  type RangeLock,
} from './lock-table.ts'

/** Why a lock could not be set. */
export type LockFailure = 'EAGAIN' | 'EINTR' | 'ENOLCK'

/** How often to try again while another process has the file, ms, for the first `HANDOVER` ms. */
const SOON = 2
/** How long a lock that must not wait waits for another process, ms. */
const HANDOVER = 100
/** The same if an attempt has failed within the last `JUST` ms: SQLite repeats its attempts. */
const SHORT_HANDOVER = 10
const JUST = 300
/** After this time without success, the log says which process has the file, ms. */
const LONG = 4000

/** What an interpreter's locks need from the rest of it. */
export interface LockListener {
  /**
   * Whether the interpreter has a pending signal. A lock that is being waited for then fails with
   * EINTR.
   */
  readonly interrupted?: () => boolean
  /** Called for each new claim of the process, for the main thread's `ClaimKeeper`. */
  readonly claimed?: () => void
  /** Called with one line, at most once for each text, if something cannot be locked. */
  readonly notice?: (text: string) => void
}

/**
 * Returns a file's path on the disk, as bytes and without links; null if the file cannot or must
 * not be claimed.
 */
export type FilePlace = () => Buffer | null

const nowhere: FilePlace = () => null

/**
 * POSIX record locks (fcntl's F_SETLK, F_SETLKW, F_GETLK) between the interpreters of one process,
 * and of several. This is one interpreter's access to them. All methods are synchronous; only
 * {@link FileLocks.lock} waits.
 *
 * The kernel's locks cannot be used: they belong to a process, so threads would not exclude each
 * other, and Node has no call for them. SQLite relies on locks for everything it promises to those
 * who share a file. So they are kept in memory that the threads share, by the rules of POSIX: an
 * owner's locks never conflict with each other, a new lock replaces the owner's earlier ones in its
 * range, and closing any descriptor of a file releases all locks that the owner has on it.
 *
 * Between processes, whole files are locked, not ranges. A process claims a file (`file-claims.ts`)
 * before the first lock of either kind. While another process has the claim, a lock fails or waits
 * as if that process had locked all of the file. Even an attempt that must not wait does so for a
 * tenth of a second, because a process keeps a claim until another one asks for it.
 *
 * Limits, which cannot be avoided without native code:
 *
 * - Other programs do not see these locks, and theirs are not seen here.
 * - There are no claims in a folder that cannot be written or whose file system has no links.
 * - Processes that know a file by different names (hard links, bind mounts) do not exclude each
 *   other.
 * - Deadlocks (EDEADLK) are not detected. They end with the request's timeout.
 */
export class FileLocks {
  readonly #owner: number
  readonly #table: LockTable
  readonly #listener: LockListener
  /** Files on which this owner has locks, so that closing any other file costs nothing. */
  readonly #files = new Set<string>()
  /**
   * The file that another process has claimed: since when, when that was last seen, and when a lock
   * last failed because of it.
   */
  #refused = { key: '', since: 0, seen: 0, failed: Number.NEGATIVE_INFINITY }
  readonly #noticed = new Set<string>()

  /**
   * @param table from `createLockTable`
   * @param owner the interpreter's number: from 1 to 2^31 - 2, and never used again for this table
   */
  constructor(table: SharedArrayBuffer, owner: number, listener: LockListener = {}) {
    if (!Number.isInteger(owner) || owner < 1 || owner > LAST_OWNER) {
      throw new RangeError(`The owner of locks must be a number from 1 to 2^31 - 2, not ${owner}`)
    }
    this.#owner = owner
    this.#table = new LockTable(table, owner)
    this.#listener = listener
  }

  /**
   * Locks a range. The lock replaces what this owner had there.
   *
   * @param place called when the process has to claim the file. Without it other processes are not
   * excluded
   * @returns null if it is locked, or the reason: EAGAIN (another owner has it and `wait` is
   * false), EINTR, ENOLCK (the table is full)
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
      const { releases } = this.#table
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
        this.#table.waitForRelease(releases, PATIENCE)
        continue
      }
      const now = performance.now()
      begun ??= now
      if (!wait && now - begun >= this.#patience(file, begun)) {
        this.#refused.failed = now
        return 'EAGAIN'
      }
      this.#table.waitForRelease(releases, now - begun < HANDOVER ? SOON : PATIENCE)
    }
  }

  /**
   * Releases what this owner has locked in a range. It fails (ENOLCK) only if that splits a lock in
   * two and the table is full.
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
   * Another owner's lock that conflicts with a range, or null. Another process's lock is reported
   * as one on the whole file.
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

  /** Whether this owner has any locks. If not, a caller need not identify a file to close it. */
  get any(): boolean {
    return this.#files.size > 0
  }

  /** A descriptor of the file was closed: POSIX releases all locks that this owner has on it. */
  closed(file: FileIdentity): void {
    this.unlock(file, { start: 0n, end: END_OF_FILE })
  }

  /**
   * Gives back unused claims, because folders that contain their links are about to be moved or
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
   * Whether another process was granted what this owner has locked, because this process did not
   * renew its claim for too long, for example in a paused container. Then the file must not be
   * written any more. Call it before a change of the disk if {@link FileLocks.any}.
   *
   * @param path of what is to be changed: a locked file, or a file that belongs to it and whose
   * name begins with that of the locked file
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
        `${place()} cannot be locked: ` +
          `the system does not allow the link beside it (${result.code})`,
      )
    else if (result.holder !== null) this.#reportHolder(file, result.holder, place)
    return false
  }

  #hasLocks(file: FileIdentity): boolean {
    if (this.#files.size === 0) return false
    return this.#files.has(keyOf(file)) || this.#files.has(keyOf(otherIdentity(file)))
  }

  /** How long to wait for another process, ms. */
  #patience(file: FileIdentity, begun: number): number {
    const { key, failed } = this.#refused
    return key === keyOf(file) && begun - failed < JUST ? SHORT_HANDOVER : HANDOVER
  }

  #reportHolder(file: FileIdentity, holder: string, place: FilePlace): void {
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
        ? `${path} cannot be locked: this version of Monoceros did not make ` +
            `${path}-monoceros, which marks the file as locked. ` +
            'Remove it if nothing uses the file'
        : `${path} is locked by another Monoceros process, ${pid} (see ${path}-monoceros)`,
    )
  }

  #notice(text: string): void {
    if (this.#noticed.has(text)) return
    this.#noticed.add(text)
    this.#listener.notice?.(text)
  }

  #conflict(file: FileIdentity, range: LockRange, kind: LockKind): LockEntry | null {
    for (const entry of this.#table.entries(file)) {
      if (entry.owner === this.#owner || entry.start >= range.end || entry.end <= range.start)
        continue
      if (kind === 'exclusive' || entry.kind === 'exclusive') return entry
    }
    return null
  }

  /**
   * Sets a range of this owner to a kind, or to none. Adjacent locks of the same kind are joined
   * with it; locks of the other kind are cut.
   *
   * @returns false if the table is full
   */
  #replace(file: FileIdentity, range: LockRange, kind: LockKind | null): boolean {
    let { start, end } = range
    const old: LockEntry[] = []
    const made: RangeLock[] = []
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
    if (!this.#table.replace(file, old, made)) return false
    if (made.length > 0 || others) this.#files.add(keyOf(file))
    else this.#files.delete(keyOf(file))
    return true
  }
}
