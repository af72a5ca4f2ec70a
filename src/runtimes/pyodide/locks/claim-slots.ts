import { claimLink } from './claim-links.ts'
import type { FileIdentity } from './file-identity.ts'

/** How many bytes a slot takes. */
export const CLAIM_BYTES = 4224

// The states of a slot.
export const FREE = 0
/**
 * The link is being made or removed. The table's mutex is held during that time, so if another
 * holder of the mutex finds this state, a thread was ended there.
 */
export const UNSURE = 1
export const HELD = 2
/** Given back because another process asked, which should get the claim now. */
export const YIELDED = 3
/** The file cannot be claimed where it is. Locks hold within the process. */
export const NONE = 4
/** A process that could not see this one considered it dead and took the claim. */
export const LOST = 5

// The 32-bit fields of a slot. Times are from `milliseconds()`.
export const STATE = 0
/** The number in the link's text. */
export const SERIAL = 1
/** Of the path, in bytes. */
const LENGTH = 2
/** Counts first locks. SEEN is its value at the keeper's last tick. */
export const USES = 3
export const SEEN = 4
/** When the process last looked whether another one has asked. */
export const LOOKED = 5
/** Whether another process has asked. */
export const ASKED = 6
export const ASKED_AT = 7
/** When the process began to refuse first locks because another one has asked. */
export const SINCE = 8
/** When the claim was last renewed. */
export const TOUCHED = 9
/** Until when a YIELDED claim is left to others. */
export const UNTIL = 10
/** In the first slot only: how many slots have ever been used. */
const USED = 11
// The 64-bit fields.
const DEVICE = 6
const INODE = 7
/** The offset of the path, in bytes. */
const PATH = 64
/** The longest path that a slot can hold, in bytes. */
export const PATH_BYTES = 4096

/** Where the slots are: `count` of them, {@link CLAIM_BYTES} bytes each, from `offset`. */
export interface SlotMemory {
  readonly buffer: SharedArrayBuffer
  readonly offset: number
  readonly count: number
}

/**
 * The claims of this process in memory that its threads share: a slot for each file. A slot is
 * identified by its offset in the memory.
 */
export class ClaimSlots {
  readonly #words: Int32Array
  readonly #longs: BigInt64Array
  readonly #bytes: Uint8Array
  readonly #offset: number
  readonly #count: number

  constructor({ buffer, offset, count }: SlotMemory) {
    this.#words = new Int32Array(buffer)
    this.#longs = new BigInt64Array(buffer)
    this.#bytes = new Uint8Array(buffer)
    this.#offset = offset
    this.#count = count
  }

  get(slot: number, field: number): number {
    return this.#words[(slot >>> 2) + field] as number
  }

  set(slot: number, field: number, value: number): void {
    Atomics.store(this.#words, (slot >>> 2) + field, value)
  }

  /** The state, for a caller that does not hold the mutex. */
  state(slot: number): number {
    return Atomics.load(this.#words, (slot >>> 2) + STATE)
  }

  /** All slots that have ever been used. */
  *all(): Generator<number> {
    const used = Atomics.load(this.#words, (this.#offset >>> 2) + USED)
    for (let index = 0; index < used; index++) yield this.#offset + index * CLAIM_BYTES
  }

  /** The slot of a file, or null. */
  find({ device, inode }: FileIdentity): number | null {
    for (const slot of this.all()) {
      if (this.get(slot, STATE) === FREE) continue
      if (
        this.#longs[(slot >>> 3) + INODE] === inode &&
        this.#longs[(slot >>> 3) + DEVICE] === device
      )
        return slot
    }
    return null
  }

  /** A slot that can be overwritten: a free or unused one if possible; null if all are in use. */
  available(): number | null {
    let spare: number | null = null
    for (const slot of this.all()) {
      const state = this.get(slot, STATE)
      if (state === FREE) return slot
      if (state === YIELDED || state === NONE) spare ??= slot
    }
    const used = Atomics.load(this.#words, (this.#offset >>> 2) + USED)
    if (used >= this.#count) return spare
    this.set(this.#offset, USED, used + 1)
    return this.#offset + used * CLAIM_BYTES
  }

  /** Makes a slot one of a file. */
  identify(slot: number, file: FileIdentity): void {
    this.#longs[(slot >>> 3) + DEVICE] = file.device
    this.#longs[(slot >>> 3) + INODE] = file.inode
  }

  file(slot: number): FileIdentity {
    return {
      device: this.#longs[(slot >>> 3) + DEVICE] as bigint,
      inode: this.#longs[(slot >>> 3) + INODE] as bigint,
    }
  }

  setPath(slot: number, path: Buffer | null): void {
    this.set(slot, LENGTH, path?.length ?? 0)
    if (path !== null) this.#bytes.set(path, slot + PATH)
  }

  path(slot: number): Buffer {
    return Buffer.from(this.#bytes.slice(slot + PATH, slot + PATH + this.get(slot, LENGTH)))
  }

  /** The link that claims the slot's file. */
  link(slot: number): Buffer {
    return claimLink(this.path(slot))
  }
}
