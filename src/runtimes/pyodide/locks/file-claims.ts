import { type ClaimLinks, claimantOf, claimLink } from './claim-links.ts'
import {
  ASKED,
  ASKED_AT,
  ClaimSlots,
  FREE,
  HELD,
  LOOKED,
  LOST,
  NONE,
  PATH_BYTES,
  SEEN,
  SERIAL,
  SINCE,
  type SlotMemory,
  STATE,
  TOUCHED,
  UNSURE,
  UNTIL,
  USES,
  YIELDED,
} from './claim-slots.ts'
import type { FileIdentity } from './file-identity.ts'

// All times are in milliseconds.
/** How often to look for questions, at most. */
const LOOK = 10
/** How often to ask, at most. */
const ASK = 5
/**
 * When a question is forgotten that is not repeated. SQLite's longest pause between two attempts is
 * 100.
 */
const FORGET = 250
/** How long to leave a claim to the process that asked for it. */
const YIELD = 150
/** How long to refuse first locks after a question, and how long to grant them after that. */
const DRAIN = 1000
const PAUSE = 2000
/** How long to assume that a file cannot be claimed. */
const UNCLAIMABLE = 100
/** How often to renew a claim, and when it is late. Others wait ten seconds. */
const TOUCH = 1000
const LATE = 5000

/**
 * Errors after which the process goes without a claim: the folder cannot be written or has no
 * links, so no process can claim a file there, or at least not this one.
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

/** The result of an attempt to claim a file. */
export type Acquired =
  /** The process did not have the claim before, and has it now. */
  | { readonly outcome: 'taken' }
  /** The process had the claim before, or no claim is possible and it goes without one. */
  | { readonly outcome: 'granted' }
  /** The text of another process's claim, or null if the claim is only left to others now. */
  | { readonly outcome: 'busy'; readonly holder: string | null }
  /** The system returned this error. */
  | { readonly outcome: 'impossible'; readonly code: string }

const GRANTED: Acquired = { outcome: 'granted' }

/**
 * What this process has claimed of the disk, and when it gives it back.
 *
 * A process claims a file for all its interpreters together before the first lock, and keeps the
 * claim for a moment after the last one is released: a link that is made and removed for each of a
 * server's transactions would change the folder hundreds of times a second.
 *
 * The process gives a claim back when it was not used during a tick of the keeper (main thread), or
 * when another process has asked for it. A process that waits asks repeatedly, so a question is
 * forgotten after a while. As long as a question counts, no interpreter gets its *first* lock on
 * the file. Interpreters that already have a lock may get more; otherwise they would wait for
 * themselves. After the last lock is released the process gives the claim back and leaves it to
 * others for a moment. If one lock is held for long, the process refuses first locks for a second
 * without success, and then grants them as usual for two seconds.
 *
 * Call all methods except {@link FileClaims.isLate} with the table's mutex held.
 */
export class FileClaims {
  readonly #slots: ClaimSlots
  readonly #links: ClaimLinks
  readonly #nextSerial: () => number
  readonly #isLocked: (file: FileIdentity) => boolean
  /** When this thread last asked another process. */
  #asked = Number.MIN_SAFE_INTEGER

  /** @param isLocked whether any interpreter of this process has locks on a file */
  constructor(
    memory: SlotMemory,
    links: ClaimLinks,
    nextSerial: () => number,
    isLocked: (file: FileIdentity) => boolean,
  ) {
    this.#slots = new ClaimSlots(memory)
    this.#links = links
    this.#nextSerial = nextSerial
    this.#isLocked = isLocked
  }

  /**
   * Makes sure that this process has the claim, for an interpreter that is about to lock the file
   * and has no lock on it yet.
   *
   * @param where returns the file's path; null if it has none that can be claimed
   */
  acquire(file: FileIdentity, where: () => Buffer | null): Acquired {
    const slots = this.#slots
    const now = milliseconds()
    const found = slots.find(file)
    if (found !== null) {
      switch (slots.get(found, STATE)) {
        case HELD:
          this.#look(found, now)
          if (this.#isDraining(found, now)) {
            if (!this.#isLocked(file)) this.#giveBack(found, now)
            return { outcome: 'busy', holder: null }
          }
          slots.set(found, USES, slots.get(found, USES) + 1)
          return GRANTED
        case LOST:
          if (this.#isLocked(file)) return { outcome: 'busy', holder: null }
          break
        case YIELDED:
          if (this.#isOthersTurn(found, file, now)) return { outcome: 'busy', holder: null }
          break
        case NONE:
          if (elapsed(slots.get(found, LOOKED), now) < UNCLAIMABLE) return GRANTED
          break
        case UNSURE:
          this.#links.repair(slots.link(found))
      }
      slots.set(found, STATE, FREE)
    }
    const path = where()
    if (path !== null && path.length <= PATH_BYTES) this.#clearPlace(path)
    const slot = this.#available()
    if (slot === null) return { outcome: 'busy', holder: null }
    slots.identify(slot, file)
    slots.set(slot, LOOKED, now)
    if (path === null || path.length > PATH_BYTES) {
      slots.setPath(slot, null)
      slots.set(slot, STATE, NONE)
      return GRANTED
    }
    return this.#take(slot, file, path, now)
  }

  /**
   * An interpreter has released its last lock on a file: gives the claim back if another process
   * has asked for it and no interpreter has locks.
   */
  released(file: FileIdentity): void {
    const slot = this.#slots.find(file)
    if (slot === null || this.#slots.get(slot, STATE) !== HELD) return
    const now = milliseconds()
    if (this.#isDraining(slot, now) && !this.#isLocked(file)) this.#giveBack(slot, now)
  }

  /** The PID of another process that has claimed a file, or null. */
  claimant(file: FileIdentity, where: () => Buffer | null): number | null {
    const slot = this.#slots.find(file)
    if (slot !== null && this.#slots.get(slot, STATE) === HELD) return null
    const path = where()
    const holder = path === null ? null : this.#links.holder(claimLink(path), file.inode)
    return holder === null ? null : claimantOf(holder)
  }

  /** Gives back all claims that are not in use: before folders are changed, and at the end. */
  settle(): void {
    const slots = this.#slots
    const now = milliseconds()
    for (const slot of slots.all()) {
      if (slots.get(slot, STATE) !== HELD || this.#isLocked(slots.file(slot))) continue
      this.#giveBack(slot, now)
      slots.set(slot, STATE, FREE)
    }
  }

  /** The keeper's regular work. Returns whether any claims remain. */
  tick(): boolean {
    const slots = this.#slots
    const now = milliseconds()
    let busy = false
    for (const slot of slots.all()) {
      const file = slots.file(slot)
      switch (slots.get(slot, STATE)) {
        case HELD: {
          this.#look(slot, now)
          const uses = slots.get(slot, USES)
          const idle = uses === slots.get(slot, SEEN)
          slots.set(slot, SEEN, uses)
          const draining = this.#isDraining(slot, now)
          if ((idle || draining) && !this.#isLocked(file)) this.#giveBack(slot, now)
          else if (elapsed(slots.get(slot, TOUCHED), now) >= TOUCH) this.#touch(slot, now)
          break
        }
        case LOST:
          if (!this.#isLocked(file)) slots.set(slot, STATE, FREE)
          break
        case YIELDED:
          if (elapsed(slots.get(slot, UNTIL), now) >= 0) slots.set(slot, STATE, FREE)
          break
        case NONE:
          if (elapsed(slots.get(slot, LOOKED), now) >= UNCLAIMABLE) slots.set(slot, STATE, FREE)
          break
        case UNSURE:
          this.#links.repair(slots.link(slot))
          slots.set(slot, STATE, FREE)
      }
      busy ||= slots.get(slot, STATE) !== FREE
    }
    return busy
  }

  /**
   * Whether a claim was not renewed for so long that processes that cannot see this one may soon
   * consider it abandoned. Needs no mutex.
   */
  isLate(): boolean {
    let now: number | null = null
    for (const slot of this.#slots.all()) {
      const state = this.#slots.state(slot)
      if (state === LOST) return true
      if (state !== HELD) continue
      now ??= milliseconds()
      if (elapsed(this.#slots.get(slot, TOUCHED), now) >= LATE) return true
    }
    return false
  }

  /**
   * Renews claims that are late, and returns whether one was lost under which this interpreter has
   * locks. Then the interpreter must not write there any more.
   *
   * @param path of what is to be changed: the path of a claimed file, or one that begins with it
   */
  isLost(path: string, hasLocks: (file: FileIdentity) => boolean): boolean {
    const slots = this.#slots
    const now = milliseconds()
    let lost = false
    for (const slot of slots.all()) {
      if (slots.get(slot, STATE) === HELD && elapsed(slots.get(slot, TOUCHED), now) >= LATE)
        this.#touch(slot, now)
      if (slots.get(slot, STATE) !== LOST) continue
      lost ||= path.startsWith(slots.path(slot).toString()) && hasLocks(slots.file(slot))
    }
    return lost
  }

  #take(slot: number, file: FileIdentity, path: Buffer, now: number): Acquired {
    const slots = this.#slots
    slots.setPath(slot, path)
    slots.set(slot, SERIAL, this.#nextSerial())
    slots.set(slot, STATE, UNSURE)
    const link = slots.link(slot)
    const taking = this.#links.take(link, this.#text(slot), file.inode)
    if (taking.outcome === 'busy') {
      slots.set(slot, STATE, FREE)
      const time = performance.now()
      if (time - this.#asked >= ASK) {
        this.#asked = time
        this.#links.ask(link)
      }
      return taking
    }
    if (taking.outcome === 'impossible') {
      const never = NEVER.has(taking.code)
      slots.set(slot, STATE, never ? NONE : FREE)
      return never ? GRANTED : taking
    }
    // Questions until now were for the previous holder.
    this.#links.asked(link)
    slots.set(slot, ASKED, 0)
    slots.set(slot, USES, 1)
    slots.set(slot, SEEN, 0)
    slots.set(slot, TOUCHED, now)
    slots.set(slot, STATE, HELD)
    return { outcome: 'taken' }
  }

  /** Removes the link. If another process has asked, the claim is left to others for a moment. */
  #giveBack(slot: number, now: number): void {
    const slots = this.#slots
    const yields = this.#isDraining(slot, now)
    const link = slots.link(slot)
    const text = this.#text(slot)
    slots.set(slot, STATE, UNSURE)
    this.#links.release(link, text)
    slots.set(slot, UNTIL, now + YIELD)
    slots.set(slot, STATE, yields ? YIELDED : FREE)
  }

  /** Whether others, to whom the claim was left, have probably not had it yet. */
  #isOthersTurn(slot: number, file: FileIdentity, now: number): boolean {
    const slots = this.#slots
    const link = slots.link(slot)
    if (elapsed(slots.get(slot, UNTIL), now) >= 0 || this.#links.holder(link, file.inode) !== null)
      return false
    this.#look(slot, now)
    // They are still waiting, and have not tried again yet.
    if (slots.get(slot, ASKED) === 1 && this.#isDraining(slot, now))
      slots.set(slot, UNTIL, slots.get(slot, ASKED_AT) + YIELD)
    return true
  }

  #touch(slot: number, now: number): void {
    const slots = this.#slots
    if (this.#links.touch(slots.link(slot), this.#text(slot))) slots.set(slot, TOUCHED, now)
    else slots.set(slot, STATE, LOST)
  }

  /** Checks whether another process has asked, not too often. */
  #look(slot: number, now: number): void {
    const slots = this.#slots
    if (elapsed(slots.get(slot, LOOKED), now) < LOOK) return
    slots.set(slot, LOOKED, now)
    if (!this.#links.asked(slots.link(slot))) return
    if (slots.get(slot, ASKED) === 0 || elapsed(slots.get(slot, SINCE), now) >= DRAIN + PAUSE)
      slots.set(slot, SINCE, now)
    slots.set(slot, ASKED, 1)
    slots.set(slot, ASKED_AT, now)
  }

  #isDraining(slot: number, now: number): boolean {
    const slots = this.#slots
    return (
      slots.get(slot, ASKED) === 1 &&
      elapsed(slots.get(slot, ASKED_AT), now) < FORGET &&
      elapsed(slots.get(slot, SINCE), now) < DRAIN
    )
  }

  /** A path has one claim: removes this process's claim on a file that was there before. */
  #clearPlace(path: Buffer): void {
    const slots = this.#slots
    for (const slot of slots.all()) {
      const state = slots.get(slot, STATE)
      if ((state !== HELD && state !== UNSURE) || !slots.path(slot).equals(path)) continue
      if (state === UNSURE) this.#links.repair(slots.link(slot))
      else this.#links.release(slots.link(slot), this.#text(slot))
      slots.set(slot, STATE, FREE)
    }
  }

  #available(): number | null {
    const slot = this.#slots.available()
    if (slot !== null) return slot
    this.settle()
    return this.#slots.available()
  }

  #text(slot: number): string {
    return this.#links.text(this.#slots.get(slot, SERIAL), this.#slots.file(slot).inode)
  }
}

/** A clock that all threads share and nobody can set. It wraps around. */
function milliseconds(): number {
  return Number(BigInt.asIntN(32, process.hrtime.bigint() / 1_000_000n))
}

function elapsed(since: number, now: number): number {
  return (now - since) | 0
}
