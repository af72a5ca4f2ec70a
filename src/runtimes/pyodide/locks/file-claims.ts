import { type ClaimLinks, claimantOf, claimLink } from './claim-links.ts'

/** Which file. Both as `stat` has them. */
export interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
}

/**
 * What this process has claimed of the disk, in memory that its threads share, and when it gives it
 * back.
 *
 * A process claims a file for all its interpreters together before the first lock, and keeps the
 * claim beyond the last one for a moment: to make and remove a link for each of a server's
 * transactions would change the folder hundreds of times a second. It gives it back when nobody has
 * used it for a tick of the keeper (main thread), or somebody has asked. Whoever waits asks again
 * and again, so a question is forgotten after a while. While one counts, no interpreter gets its
 * *first* lock on the file; those that have one may go on, or they would wait for themselves. When
 * the last lock is gone so is the claim, and the process leaves it to others for a moment. A lock
 * that lasts keeps all others waiting, too; so after a second without success the process goes on
 * as usual for two.
 *
 * All methods but {@link FileClaims.isLate} are for whoever has the table's mutex. A slot is UNSURE
 * while its link is being made or removed: whoever finds it so, having the mutex, knows that a
 * thread was ended there.
 */
export class FileClaims {
  readonly #words: Int32Array
  readonly #longs: BigInt64Array
  readonly #bytes: Uint8Array
  readonly #offset: number
  readonly #count: number
  readonly #links: ClaimLinks
  readonly #nextSerial: () => number
  readonly #isLocked: (file: FileIdentity) => boolean
  #asked = Number.MIN_SAFE_INTEGER

  /**
   * @param table where the slots are, `count` of {@link CLAIM_BYTES} bytes each from `offset`
   * @param isLocked whether any interpreter of this process has locks on a file
   */
  constructor(
    table: { readonly buffer: SharedArrayBuffer; readonly offset: number; readonly count: number },
    links: ClaimLinks,
    nextSerial: () => number,
    isLocked: (file: FileIdentity) => boolean,
  ) {
    this.#words = new Int32Array(table.buffer)
    this.#longs = new BigInt64Array(table.buffer)
    this.#bytes = new Uint8Array(table.buffer)
    this.#offset = table.offset
    this.#count = table.count
    this.#links = links
    this.#nextSerial = nextSerial
    this.#isLocked = isLocked
  }

  /**
   * Sees to it that this process has the claim, for an interpreter that is about to lock the file
   * and has no lock on it yet.
   *
   * @param where the file's path; null when it has none that can be claimed
   */
  acquire(file: FileIdentity, where: () => Buffer | null): Acquired {
    const now = milliseconds()
    let slot = this.#find(file)
    if (slot !== null) {
      switch (this.#get(slot, STATE)) {
        case HELD:
          this.#look(slot, now)
          if (this.#isDraining(slot, now)) {
            if (!this.#isLocked(file)) this.#giveBack(slot, now)
            return { outcome: 'busy', holder: null }
          }
          this.#set(slot, USES, this.#get(slot, USES) + 1)
          return GRANTED
        case LOST:
          if (this.#isLocked(file)) return { outcome: 'busy', holder: null }
          break
        case YIELDED:
          if (this.#isOthersTurn(slot, file, now)) return { outcome: 'busy', holder: null }
          break
        case NONE:
          if (elapsed(this.#get(slot, LOOKED), now) < UNCLAIMABLE) return GRANTED
          break
        case UNSURE:
          this.#links.repair(this.#link(slot))
      }
      this.#set(slot, STATE, FREE)
    }
    const path = where()
    if (path !== null && path.length <= PATH_BYTES) this.#clearPlace(path)
    slot = this.#free()
    if (slot === null) return { outcome: 'busy', holder: null }
    this.#longs[(slot >>> 3) + DEVICE] = file.device
    this.#longs[(slot >>> 3) + INODE] = file.inode
    this.#set(slot, LOOKED, now)
    if (path === null || path.length > PATH_BYTES) {
      this.#set(slot, LENGTH, 0)
      this.#set(slot, STATE, NONE)
      return GRANTED
    }
    return this.#take(slot, file, path, now)
  }

  /**
   * An interpreter has let go of a file: gives the claim back if that was asked for and it was the
   * last.
   */
  released(file: FileIdentity): void {
    const slot = this.#find(file)
    if (slot === null || this.#get(slot, STATE) !== HELD) return
    const now = milliseconds()
    if (this.#isDraining(slot, now) && !this.#isLocked(file)) this.#giveBack(slot, now)
  }

  /** Another process that has claimed a file, or null. */
  claimant(file: FileIdentity, where: () => Buffer | null): number | null {
    const slot = this.#find(file)
    if (slot !== null && this.#get(slot, STATE) === HELD) return null
    const path = where()
    const holder = path === null ? null : this.#links.holder(claimLink(path), file.inode)
    return holder === null ? null : claimantOf(holder)
  }

  /** Gives back all that is not in use: before something is done to folders, and at the end. */
  settle(): void {
    const now = milliseconds()
    for (const slot of this.#slots()) {
      if (this.#get(slot, STATE) !== HELD || this.#isLocked(this.#file(slot))) continue
      this.#giveBack(slot, now)
      this.#set(slot, STATE, FREE)
    }
  }

  /** What the keeper does from time to time. Returns whether there is anything left to be kept. */
  tick(): boolean {
    const now = milliseconds()
    let busy = false
    for (const slot of this.#slots()) {
      const file = this.#file(slot)
      switch (this.#get(slot, STATE)) {
        case HELD: {
          this.#look(slot, now)
          const uses = this.#get(slot, USES)
          const idle = uses === this.#get(slot, SEEN)
          this.#set(slot, SEEN, uses)
          const draining = this.#isDraining(slot, now)
          if ((idle || draining) && !this.#isLocked(file)) this.#giveBack(slot, now)
          else if (elapsed(this.#get(slot, TOUCHED), now) >= TOUCH) this.#touch(slot, now)
          break
        }
        case LOST:
          if (!this.#isLocked(file)) this.#set(slot, STATE, FREE)
          break
        case YIELDED:
          if (elapsed(this.#get(slot, UNTIL), now) >= 0) this.#set(slot, STATE, FREE)
          break
        case NONE:
          if (elapsed(this.#get(slot, LOOKED), now) >= UNCLAIMABLE) this.#set(slot, STATE, FREE)
          break
        case UNSURE:
          this.#links.repair(this.#link(slot))
          this.#set(slot, STATE, FREE)
      }
      busy ||= this.#get(slot, STATE) !== FREE
    }
    return busy
  }

  /**
   * Whether some claim was not touched for so long that those who cannot see this process may soon
   * take it for abandoned. Needs no mutex.
   */
  isLate(): boolean {
    let now: number | null = null
    for (const slot of this.#slots()) {
      const state = Atomics.load(this.#words, (slot >>> 2) + STATE)
      if (state === LOST) return true
      if (state !== HELD) continue
      now ??= milliseconds()
      if (elapsed(this.#get(slot, TOUCHED), now) >= LATE) return true
    }
    return false
  }

  /**
   * Touches what is late, and says whether a claim was lost under which this interpreter has locks:
   * it must not write there any more.
   *
   * @param path of what it wants to change: that of a claimed file, or beginning with it
   */
  isLost(path: string, hasLocks: (file: FileIdentity) => boolean): boolean {
    const now = milliseconds()
    let lost = false
    for (const slot of this.#slots()) {
      if (this.#get(slot, STATE) === HELD && elapsed(this.#get(slot, TOUCHED), now) >= LATE)
        this.#touch(slot, now)
      if (this.#get(slot, STATE) !== LOST) continue
      lost ||= path.startsWith(this.#path(slot).toString()) && hasLocks(this.#file(slot))
    }
    return lost
  }

  #take(slot: number, file: FileIdentity, path: Buffer, now: number): Acquired {
    this.#set(slot, LENGTH, path.length)
    this.#bytes.set(path, slot + PATH)
    this.#set(slot, SERIAL, this.#nextSerial())
    this.#set(slot, STATE, UNSURE)
    const link = this.#link(slot)
    const taking = this.#links.take(link, this.#text(slot), file.inode)
    if (taking.outcome === 'busy') {
      this.#set(slot, STATE, FREE)
      const time = performance.now()
      if (time - this.#asked >= ASK) {
        this.#asked = time
        this.#links.ask(link)
      }
      return taking
    }
    if (taking.outcome === 'impossible') {
      const never = NEVER.has(taking.code)
      this.#set(slot, STATE, never ? NONE : FREE)
      return never ? GRANTED : taking
    }
    // What was asked until now was not of us.
    this.#links.asked(link)
    this.#set(slot, ASKED, 0)
    this.#set(slot, USES, 1)
    this.#set(slot, SEEN, 0)
    this.#set(slot, TOUCHED, now)
    this.#set(slot, STATE, HELD)
    return { outcome: 'taken' }
  }

  /** Lets the link go that others may want. Leaves it to them for a moment if they have asked. */
  #giveBack(slot: number, now: number): void {
    const yields = this.#isDraining(slot, now)
    const link = this.#link(slot)
    const text = this.#text(slot)
    this.#set(slot, STATE, UNSURE)
    this.#links.release(link, text)
    this.#set(slot, UNTIL, now + YIELD)
    this.#set(slot, STATE, yields ? YIELDED : FREE)
  }

  /**
   * After the claim was left to others: whether they have not had it yet, as far as can be seen.
   */
  #isOthersTurn(slot: number, file: FileIdentity, now: number): boolean {
    const link = this.#link(slot)
    if (elapsed(this.#get(slot, UNTIL), now) >= 0 || this.#links.holder(link, file.inode) !== null)
      return false
    this.#look(slot, now)
    // They are still there, and have not come round to it.
    if (this.#get(slot, ASKED) === 1 && this.#isDraining(slot, now)) {
      this.#set(slot, UNTIL, this.#get(slot, ASKED_AT) + YIELD)
    }
    return true
  }

  #touch(slot: number, now: number): void {
    if (this.#links.touch(this.#link(slot), this.#text(slot))) this.#set(slot, TOUCHED, now)
    else this.#set(slot, STATE, LOST)
  }

  /** Hears whether somebody has asked. Not more often than pays. */
  #look(slot: number, now: number): void {
    if (elapsed(this.#get(slot, LOOKED), now) < LOOK) return
    this.#set(slot, LOOKED, now)
    if (!this.#links.asked(this.#link(slot))) return
    if (this.#get(slot, ASKED) === 0 || elapsed(this.#get(slot, SINCE), now) >= DRAIN + PAUSE)
      this.#set(slot, SINCE, now)
    this.#set(slot, ASKED, 1)
    this.#set(slot, ASKED_AT, now)
  }

  #isDraining(slot: number, now: number): boolean {
    return (
      this.#get(slot, ASKED) === 1 &&
      elapsed(this.#get(slot, ASKED_AT), now) < FORGET &&
      elapsed(this.#get(slot, SINCE), now) < DRAIN
    )
  }

  /**
   * A place has one claim: what this process has there for another file, which was replaced, goes.
   */
  #clearPlace(path: Buffer): void {
    for (const slot of this.#slots()) {
      const state = this.#get(slot, STATE)
      if ((state !== HELD && state !== UNSURE) || !this.#path(slot).equals(path)) continue
      if (state === UNSURE) this.#links.repair(this.#link(slot))
      else this.#links.release(this.#link(slot), this.#text(slot))
      this.#set(slot, STATE, FREE)
    }
  }

  #find({ device, inode }: FileIdentity): number | null {
    for (const slot of this.#slots()) {
      if (this.#get(slot, STATE) === FREE) continue
      if (
        this.#longs[(slot >>> 3) + INODE] === inode &&
        this.#longs[(slot >>> 3) + DEVICE] === device
      )
        return slot
    }
    return null
  }

  #free(): number | null {
    let spare: number | null = null
    for (const slot of this.#slots()) {
      const state = this.#get(slot, STATE)
      if (state === FREE) return slot
      if (state === YIELDED || state === NONE) spare ??= slot
    }
    const used = Atomics.load(this.#words, (this.#offset >>> 2) + USED)
    if (used < this.#count) {
      this.#set(this.#offset, USED, used + 1)
      return this.#offset + used * CLAIM_BYTES
    }
    if (spare !== null) return spare
    this.settle()
    for (const slot of this.#slots()) if (this.#get(slot, STATE) === FREE) return slot
    return null
  }

  /** Those that have ever been used. */
  *#slots(): Generator<number> {
    const used = Atomics.load(this.#words, (this.#offset >>> 2) + USED)
    for (let index = 0; index < used; index++) yield this.#offset + index * CLAIM_BYTES
  }

  #file(slot: number): FileIdentity {
    return {
      device: this.#longs[(slot >>> 3) + DEVICE] as bigint,
      inode: this.#longs[(slot >>> 3) + INODE] as bigint,
    }
  }

  #path(slot: number): Buffer {
    return Buffer.from(this.#bytes.slice(slot + PATH, slot + PATH + this.#get(slot, LENGTH)))
  }

  #link(slot: number): Buffer {
    return claimLink(this.#path(slot))
  }

  #text(slot: number): string {
    return this.#links.text(this.#get(slot, SERIAL), this.#longs[(slot >>> 3) + INODE] as bigint)
  }

  #get(slot: number, field: number): number {
    return this.#words[(slot >>> 2) + field] as number
  }

  #set(slot: number, field: number, value: number): void {
    Atomics.store(this.#words, (slot >>> 2) + field, value)
  }
}

/**
 * How it went: the process has the claim (now or before), or it goes without one as there can be
 * none; another has it; or the system refused, with its code.
 */
export type Acquired =
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'granted' }
  /** The text of the other's claim, or null when it is only not our turn. */
  | { readonly outcome: 'busy'; readonly holder: string | null }
  | { readonly outcome: 'impossible'; readonly code: string }

const GRANTED: Acquired = { outcome: 'granted' }

/** How many bytes a slot takes. */
export const CLAIM_BYTES = 4224

// States of a slot.
const FREE = 0
/** The link is being made or removed. */
const UNSURE = 1
const HELD = 2
/** Given back because somebody asked, who should get it now. */
const YIELDED = 3
/** There can be no claim there: locks hold within the process. */
const NONE = 4
/** Somebody who could not see this process took it for dead. */
const LOST = 5

// 32-bit fields.
const STATE = 0
const SERIAL = 1
const LENGTH = 2
/** Counts first locks; SEEN is what the keeper saw of it last. */
const USES = 3
const SEEN = 4
const LOOKED = 5
const ASKED = 6
const ASKED_AT = 7
/** When the process began to let the claim run out. */
const SINCE = 8
const TOUCHED = 9
const UNTIL = 10
/** Of the first slot only: how many have ever been used. */
const USED = 11
// 64-bit fields.
const DEVICE = 6
const INODE = 7
/** In bytes. */
const PATH = 64
const PATH_BYTES = 4096

// All in milliseconds.
/** How often to look for questions, at most. */
const LOOK = 10
/** How often to ask, at most. */
const ASK = 5
/**
 * When a question is forgotten that is not repeated: SQLite's longest pause between two attempts is
 * 100.
 */
const FORGET = 250
/** How long to leave a claim to those who asked for it. */
const YIELD = 150
/** How long to refuse first locks for those who ask, and how long not to afterwards. */
const DRAIN = 1000
const PAUSE = 2000
/** How long to believe that a place can have no claims. */
const UNCLAIMABLE = 100
/** How often to touch a claim that lasts, and when that is late. Others wait ten seconds. */
const TOUCH = 1000
const LATE = 5000

/**
 * A folder that cannot be written or has no links: no process can have a claim there, or not this
 * one.
 */
const NEVER = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
])

/** Of a clock that all threads have, and nobody sets; it wraps around. */
function milliseconds(): number {
  return Number(BigInt.asIntN(32, process.hrtime.bigint() / 1_000_000n))
}

function elapsed(since: number, now: number): number {
  return (now - since) | 0
}
