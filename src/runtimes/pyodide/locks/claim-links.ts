import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { hasEnded, type ProcessIdentity, processIdentity } from '../process-identity.ts'

/**
 * Claims on files between processes: a symbolic link beside the file, whose text names the process
 * that has the claim.
 *
 * One system call makes a link with its text, and only if there is none, on every file system that
 * has links. It needs no file descriptor, no native code and no server. The process that makes the
 * link `db.sqlite3-monoceros` has the claim; removing the link gives it back.
 *
 * The link of a process that was killed is removed by the next process that wants the claim. Two
 * things must not happen then.
 *
 * *A claim must not be considered abandoned while its process lives.* Within one PID namespace, the
 * kernel is asked: the process is gone, or its number belongs to a process that started at another
 * time, or the process has ended except for its entry in the process table. About a process of
 * another namespace (a container that shares the folder) the kernel cannot be asked. Its claims are
 * renewed every second by {@link ClaimLinks.touch}, and are abandoned when that has not happened
 * for long. So a stopped process of this namespace keeps its claims forever; a paused container
 * loses them, and the caller must prevent that it writes after that.
 *
 * *A new claim must not be removed in place of an abandoned one* by a slow process that has read
 * the old text. So another process may remove a link only while it holds a second link, the gate,
 * whose name contains a digest of the text of the first. Texts are never used twice. Let the link L
 * have the text T of a dead process:
 *
 * - The holder of the gate of T reads L again. If the text is still T, it stays T until the holder
 *   removes it: the process that made it is dead, and all others need the same gate. If it is not
 *   T, another process was faster; the gate is removed and the attempt starts again.
 * - Between the removal and the new claim any process may make the link, even one that never saw T.
 *   Making a link is atomic, so only one of them does.
 * - A process that dies while it holds the gate leaves a link with the text of a dead process, to
 *   which the same applies: it is removed under a gate of its own.
 * - A process that dies after it has removed L and before it has removed the gate leaves a link
 *   that is never looked for again, because T is not used again. It does no harm.
 */

/** How the names of links beside a file end. */
const SUFFIX = '-monoceros'
const ASK = '-ask'
const NAME = /.-monoceros(-ask|-[0-9a-f]{8})?$/

const TEXT = /^(\d+)@([\w-]+)\.(\w+)\.(\w+)\.(\w+)\.(\w+)\.(\w+)$/

/** The text of a mark by which a process asks for a claim. */
const WAITING = 'waiting'

/**
 * How long a claim of another PID namespace must not have been renewed, ms: by its own time
 * (`age`), and since this process first saw it in its present form (`seen`).
 */
const SILENCE = {
  sameBoot: { age: 10_000, seen: 3_000 },
  other: { age: 60_000, seen: 10_000 },
} as const

/** How long to assume that a process is still alive, ms. */
const ALIVE = 50

/**
 * The result of an attempt. `taken`: this process has the claim. `busy`: another process has it,
 * with the text of its claim if possible. `impossible`: the system returned an error code.
 */
export type Taking =
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'busy'; readonly holder: string }
  | { readonly outcome: 'impossible'; readonly code: string }

/** Since when a claim of another PID namespace looks the same. */
interface Sighting {
  readonly look: string
  readonly since: number
}

/**
 * One process's claims on the disk. The caller makes sure that only one thread at a time uses it.
 */
export class ClaimLinks {
  readonly #table: string
  readonly #nextSerial: () => number
  readonly #process: ProcessIdentity
  readonly #sightings = new Map<string, Sighting>()
  #alive = { text: '', until: 0 }

  /**
   * @param table distinguishes lock tables of one process that are independent of each other
   * @param nextSerial returns a number that it never returned before, in any thread
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
   * The text of a claim. It is short enough (59 bytes) for most file systems to keep the link in
   * its inode.
   */
  text(serial: number, inode: bigint): string {
    const { pid, boot, namespace, start } = this.#process
    const made = `${this.#table}.${serial.toString(36)}.${inode.toString(36)}`
    return `${pid}@${boot}.${namespace}.${start}.${made}`
  }

  /** Claims a file unless a living process has it. `text` must be used for this claim only. */
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

  /** Gives a claim back. A link that is another process's by now stays. */
  release(link: Buffer, text: string): void {
    if (read(link) === text) remove(link)
  }

  /**
   * Renews a claim for processes that cannot see this one.
   *
   * @returns whether this process still has it. A link that was deleted is made again
   */
  touch(link: Buffer, text: string): boolean {
    const found = read(link)
    // If the folder is gone, the claim is not lost to another process.
    if (found === null) return make(link, text) !== 'EEXIST'
    if (found !== text) return false
    const now = Date.now() / 1000
    try {
      fs.lutimesSync(link, now, now)
    } catch {
      // Not every file system has this, and the folder's permissions may have changed. The claim
      // lasts as long as the link exists.
    }
    return true
  }

  /** The text of another process's claim on a file that is not abandoned, or null. */
  holder(link: Buffer, inode: bigint): string | null {
    const found = read(link)
    return found === null || this.#isAbandoned(link, found, inode) ? null : found
  }

  /** Asks the process that has a claim to give it back soon. */
  ask(link: Buffer): void {
    make(Buffer.concat([link, Buffer.from(ASK)]), WAITING)
  }

  /** Whether a process has asked since the last call. */
  asked(link: Buffer): boolean {
    const mark = Buffer.concat([link, Buffer.from(ASK)])
    // A look is much cheaper than an exception, and usually there is no mark.
    if (statusOf(mark) === null) return false
    return remove(mark)
  }

  /**
   * Removes the links that a thread of this process left when it was ended while it worked on a
   * claim.
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
      // The folder does not exist any more.
    }
  }

  /**
   * Removes a link with a text if the process that it names does not live. Returns true if the link
   * is gone or has another text by now.
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
    // A text in another format may be of a later version, and its process may live.
    if (owner === null) return false
    // Only one thread at a time makes claims, so the one that made this one was ended before it
    // could record it.
    if (this.#isOurs(owner)) return true
    if (text === this.#alive.text && monotonic() < this.#alive.until) return false
    if (owner.boot !== this.#process.boot || owner.namespace !== this.#process.namespace)
      return this.#isSilent(link, text, owner.boot === this.#process.boot)
    // The link was copied with the folder, or the file was replaced.
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
   * Whether a claim was not renewed for long. Both times count: the link's own would be wrong after
   * the clock was set, and with the observed time alone each new process would have to wait.
   */
  #isSilent(link: Buffer, text: string, sameBoot: boolean): boolean {
    const status = statusOf(link)
    if (status === null) return false
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

/** The gate of a link that has a text: its holder may remove that link. */
export function gateLink(link: Buffer, text: string): Buffer {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return Buffer.concat([link, Buffer.from(`-${digest}`)])
}

/** The process that a claim's text names, or null. */
export function claimantOf(text: string): number | null {
  return parse(text)?.pid ?? null
}

/** Whether something in a folder is a link of this module. Few files have a name like one. */
export function isClaimLink(path: string | Buffer, name: Buffer): boolean {
  if (!name.includes(SUFFIX) || !NAME.test(name.toString('latin1'))) return false
  const text = read(path)
  return text !== null && (text === WAITING || parse(text) !== null)
}

/** The name of the file that a link of this name claims. */
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

/** When a link was made, in milliseconds since 1970. If it is gone: now. */
function madeAt(link: Buffer): number {
  const status = statusOf(link)
  return status === null ? Date.now() : Number(status.mtimeNs) / 1e6
}

/**
 * The status of a link; null if it is gone, or cannot be seen: the folder may have been closed, or
 * the name be too long. That is no error, because nobody would catch one of the claims' timer.
 */
function statusOf(link: Buffer): fs.BigIntStats | null {
  try {
    return fs.lstatSync(link, { bigint: true, throwIfNoEntry: false }) ?? null
  } catch {
    return null
  }
}

/** Milliseconds of a clock that nobody can set. */
function monotonic(): number {
  return performance.now()
}

/** Makes a link. Returns null, or the code of the error. */
function make(link: Buffer, text: string): string | null {
  try {
    fs.symlinkSync(text, link)
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/** A link's text; null if there is nothing, and '' if it is not a link. */
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
    // Another process was faster.
    return false
  }
}
