import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { hasEnded, type ProcessIdentity, processIdentity } from '../process-identity.ts'

/**
 * Claims on files between processes: a symbolic link beside the file, whose text names the process
 * that has it.
 *
 * A link is made with its text, and only where there is none, in one call of the system, on every
 * file system that has links; it needs no descriptor, no native code and no server. Who makes the
 * link `db.sqlite3-monoceros` has the claim, who removes it gives it back.
 *
 * What is left behind by a process that was killed is removed by whoever wants the claim next. Two
 * things must not happen then.
 *
 * *A claim that is alive must not be taken for abandoned.* Within one PID namespace the kernel is
 * asked: the process is gone, or the number belongs to one that started at another time, or all of
 * it has ended but for the entry in the table of processes. A process of another namespace (a
 * container that shares the folder) cannot be asked about; its claims are touched every second by
 * {@link ClaimLinks.touch} and abandoned when that has not happened for long. A stopped process of
 * ours keeps its claims for ever, a paused container loses them: what it then does is for the
 * caller to prevent.
 *
 * *A claim that is new must not be removed in place of an abandoned one*, by one that has read the
 * old text and is slow. So a link may be removed by others only under a second link, the gate,
 * whose name has a digest of the text of the first. Texts are never used twice. Say the link L has
 * the text T, whose process is dead:
 *
 * - Whoever has the gate of T reads L again. If it is T still, it stays T until they remove it: its
 *   maker is dead, and all others need the same gate, which they cannot get. If it is not T,
 *   somebody else was faster; the gate is removed and all begins anew.
 * - Between the removal and the new claim anybody may make the link, also one who never saw T.
 *   Making is atomic, so one does.
 * - Whoever dies with the gate leaves a link with a dead process's text, for which the same holds:
 *   it is removed under its own gate.
 * - Whoever dies between removing L and removing the gate leaves a link that nobody looks for
 *   again, as T does not come back. It does no harm.
 */

/** What ends the names of links beside a file. */
const SUFFIX = '-monoceros'
const ASK = '-ask'
const NAME = /.-monoceros(-ask|-[0-9a-f]{8})?$/

const TEXT = /^(\d+)@([\w-]+)\.(\w+)\.(\w+)\.(\w+)\.(\w+)\.(\w+)$/

/** The text of a mark that somebody waits. */
const WAITING = 'waiting'

/**
 * How long a claim of another PID namespace must have gone without a touch, by its time and by what
 * we have seen, ms.
 */
const SILENCE = {
  sameBoot: { age: 10_000, seen: 3_000 },
  other: { age: 60_000, seen: 10_000 },
} as const

/** How long to believe that a process lives, ms. */
const ALIVE = 50

/**
 * How an attempt ended: the claim is ours; it is another's, who is named if possible; or there is
 * no way to have claims there, and the system's code for why.
 */
export type Taking =
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'busy'; readonly holder: string }
  | { readonly outcome: 'impossible'; readonly code: string }

/** What is needed to judge a claim that cannot be asked about: since when it looks the same. */
interface Sighting {
  readonly look: string
  readonly since: number
}

/**
 * One process's way to claims on the disk. Not to be used by two threads at once: the caller sees
 * to that.
 */
export class ClaimLinks {
  readonly #table: string
  readonly #nextSerial: () => number
  readonly #process: ProcessIdentity
  readonly #sightings = new Map<string, Sighting>()
  #alive = { text: '', until: 0 }

  /**
   * @param table tells those from each other who make claims in one process and do not know of each
   * other
   * @param nextSerial gives a number that was never given before, to any thread
   */
  constructor(
    table: number,
    nextSerial: () => number,
    identity: ProcessIdentity = processIdentity(),
  ) {
    this.#table = table.toString(36)
    this.#nextSerial = nextSerial
    this.#process = identity
  }

  /**
   * The text of a claim. Short enough for a link to be kept in the inode on most file systems (59
   * bytes).
   */
  text(serial: number, inode: bigint): string {
    const { pid, boot, namespace, start } = this.#process
    return `${pid}@${boot}.${namespace}.${start}.${this.#table}.${serial.toString(36)}.${inode.toString(36)}`
  }

  /** Claims a file, if nobody has it who lives. `text` is made for this claim alone. */
  take(link: Buffer, text: string, inode: bigint): Taking {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const code = make(link, text)
      if (code === null) return { outcome: 'taken' }
      if (code !== 'EEXIST') return { outcome: 'impossible', code }
      const found = read(link)
      if (found !== null && !this.#remove(link, found, inode))
        return { outcome: 'busy', holder: found }
    }
    return { outcome: 'busy', holder: '' }
  }

  /** Gives a claim back. What is not ours any more stays. */
  release(link: Buffer, text: string): void {
    if (read(link) === text) remove(link)
  }

  /**
   * Says that a claim is alive, to those who cannot see our process.
   *
   * @returns whether it is still ours: it was not taken from us, and what somebody deleted could be
   * made again
   */
  touch(link: Buffer, text: string): boolean {
    const found = read(link)
    // A folder that is gone takes no claim from anybody.
    if (found === null) return make(link, text) !== 'EEXIST'
    if (found !== text) return false
    const now = Date.now() / 1000
    try {
      fs.lutimesSync(link, now, now)
    } catch {
      // Not on every file system, and the folder's rights may have changed. It is ours as long as
      // it is there.
    }
    return true
  }

  /** Who else has a file: the text of a claim that is not abandoned, or null. */
  holder(link: Buffer, inode: bigint): string | null {
    const found = read(link)
    return found === null || this.#isAbandoned(link, found, inode) ? null : found
  }

  /** Asks whoever has a claim to give it back soon. */
  ask(link: Buffer): void {
    make(Buffer.concat([link, Buffer.from(ASK)]), WAITING)
  }

  /** Whether somebody has asked since the last time. */
  asked(link: Buffer): boolean {
    const mark = Buffer.concat([link, Buffer.from(ASK)])
    // Looking is much cheaper than an exception, and most often there is nothing.
    if (fs.lstatSync(mark, { throwIfNoEntry: false }) === undefined) return false
    return remove(mark)
  }

  /**
   * Removes what a thread of ours has left of its work on a claim when it was ended in the midst of
   * it.
   */
  repair(link: Buffer): void {
    const slash = link.lastIndexOf('/')
    const folder = link.subarray(0, slash + 1)
    const name = link.subarray(slash + 1)
    try {
      for (const entry of fs.readdirSync(folder, 'buffer')) {
        if (entry.length < name.length || entry.compare(name, 0, name.length, 0, name.length) !== 0)
          continue
        const path = Buffer.concat([folder, entry])
        const owner = parse(read(path) ?? '')
        if (owner !== null && this.#isOurs(owner)) remove(path)
      }
    } catch {
      // There is no such folder any more.
    }
  }

  /**
   * Removes a link that has a text, if that is of nobody who lives. True if it is gone, or has
   * another text by now.
   */
  #remove(link: Buffer, text: string, inode: bigint | null): boolean {
    if (!this.#isAbandoned(link, text, inode)) return false
    const gate = gateLink(link, text)
    const pass = this.text(this.#nextSerial(), 0n)
    let code = make(gate, pass)
    if (code === 'EEXIST') {
      const other = read(gate)
      if (other !== null && !this.#remove(gate, other, null)) return false
      code = make(gate, pass)
    }
    if (code !== null) return false
    if (read(link) === text) remove(link)
    remove(gate)
    this.#sightings.delete(text)
    return true
  }

  #isAbandoned(link: Buffer, text: string, inode: bigint | null): boolean {
    const owner = parse(text)
    // What we cannot read may be of a later version, and alive.
    if (owner === null) return false
    // Claims are made by one thread at a time, so this one's maker was ended before it could say
    // that it has it.
    if (this.#isOurs(owner)) return true
    if (text === this.#alive.text && monotonic() < this.#alive.until) return false
    if (owner.boot !== this.#process.boot || owner.namespace !== this.#process.namespace)
      return this.#isSilent(link, text, owner.boot === this.#process.boot)
    // Copied with the folder, or the file was replaced.
    if (inode !== null && owner.inode !== inode.toString(36)) return true
    if (hasEnded(owner, madeAt(link), this.#process) === true) return true
    this.#alive = { text, until: monotonic() + ALIVE }
    return false
  }

  #isOurs(owner: ClaimText): boolean {
    const { pid, boot, namespace, start } = this.#process
    return (
      owner.pid === pid &&
      owner.table === this.#table &&
      owner.start === start &&
      owner.namespace === namespace &&
      owner.boot === boot
    )
  }

  /**
   * By the clock alone a claim would be old when the clock was set, and by what we have seen alone
   * each newcomer would have to wait for long.
   */
  #isSilent(link: Buffer, text: string, sameBoot: boolean): boolean {
    const status = fs.lstatSync(link, { bigint: true, throwIfNoEntry: false })
    if (status === undefined) return false
    const look = `${text} ${status.mtimeNs}`
    const now = monotonic()
    const sighting = this.#sightings.get(text)
    if (sighting?.look !== look) {
      this.#sightings.set(text, { look, since: now })
      return false
    }
    const limit = sameBoot ? SILENCE.sameBoot : SILENCE.other
    return now - sighting.since > limit.seen && Date.now() - Number(status.mtimeMs) > limit.age
  }
}

const ATTEMPTS = 8

/** The link that claims a file. */
export function claimLink(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from(SUFFIX)])
}

/** The link that whoever has it may remove another by, as long as that has a text. */
export function gateLink(link: Buffer, text: string): Buffer {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return Buffer.concat([link, Buffer.from(`-${digest}`)])
}

/** The process that a claim's text names, or null. */
export function claimantOf(text: string): number | null {
  return parse(text)?.pid ?? null
}

/**
 * Whether something in a folder is a link of claims. By its name first: hardly anything has such a
 * one.
 */
export function isClaimLink(path: string | Buffer, name: Buffer): boolean {
  if (!name.includes(SUFFIX) || !NAME.test(name.toString('latin1'))) return false
  const text = read(path)
  return text !== null && (text === WAITING || parse(text) !== null)
}

/** The name of the file that a link of that name is about. */
export function claimedName(name: Buffer): Buffer {
  return name.subarray(0, name.lastIndexOf(SUFFIX))
}

interface ClaimText extends ProcessIdentity {
  readonly table: string
  readonly inode: string
}

function parse(text: string): ClaimText | null {
  const parts = TEXT.exec(text)
  if (parts === null) return null
  const [, pid, boot, namespace, start, table, , inode] = parts as unknown as string[]
  return { pid: Number(pid), boot, namespace, start, table, inode } as ClaimText
}

/** When a link was made, in milliseconds since 1970; one that has gone, just now. */
function madeAt(link: Buffer): number {
  return fs.lstatSync(link, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
}

/** Milliseconds of a clock that nobody sets. */
function monotonic(): number {
  return performance.now()
}

function make(link: Buffer, text: string): string | null {
  try {
    fs.symlinkSync(text, link)
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/** A link's text; null when there is none. What is no link has a text that no claim has. */
function read(link: string | Buffer): string | null {
  try {
    return fs.readlinkSync(link)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : ''
  }
}

function remove(link: Buffer): boolean {
  try {
    fs.unlinkSync(link)
    return true
  } catch {
    // Somebody was faster.
    return false
  }
}
