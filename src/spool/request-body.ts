import { BLOCKS } from './block-pool.ts'
import { KeptPieces } from './kept-pieces.ts'
import { type BodyStore, NoSpaceError } from './spool.ts'
import { TemporaryFile } from './temporary-file.ts'

/** A complete body in memory, or a file that contains it. */
export type KeptBody =
  | {
      readonly kind: 'whole'
      readonly chunks: readonly Buffer[]
      readonly length: number
      readonly owner: RequestBody
    }
  | { readonly kind: 'file'; readonly path: string; readonly length: number }

const SEE = 'see spool_size, spool_reserve and, for the number of files, ulimit -n'
/** While memory is scarce, a body larger than this goes to the disk. */
const MEMORY_UNDER_PRESSURE = 16 * 1024

/**
 * A request body that is being received: in memory while it is small, then in a temporary file. It
 * is counted in the budgets of its store. If the disk has no space, a body that is partly written
 * waits for a while, and others are refused.
 */
export class RequestBody {
  length = 0
  readonly #store: BodyStore
  readonly #expected: number
  readonly #pieces = new KeptPieces(BLOCKS)
  /** How many pieces are being written to a channel. */
  #uses = 0
  /** Blocks to give back when that is over. */
  #waiting: Buffer[] | null = null
  /** Counted as held in memory. */
  #held = 0
  #file: TemporaryFile | null = null
  #written = 0
  #writing = false
  #spilled = false
  #discarded = false
  #failure: Error | null = null
  #idle: (() => void) | null = null
  #giveUpWaiting: (() => void) | null = null
  /** The part of the bytes taken on the disk that has been written. */
  #stored = 0
  /**
   * Since when there has been no space, in milliseconds of `performance.now()`; Infinity while
   * there is space.
   */
  #noSpaceSince = Number.POSITIVE_INFINITY

  /** @param expected the declared length; 0 if it is not known */
  constructor(store: BodyStore, expected = 0) {
    this.#store = store
    this.#expected = expected
  }

  /**
   * Whether the file is behind. Then the caller should stop reading, and continue after {@link
   * whenWritten}.
   */
  get behind(): boolean {
    return this.#writing
  }

  /** Why the body cannot be stored; null if there was no error. */
  get failure(): Error | null {
    return this.#failure
  }

  /** @param chunk may be lent */
  append(chunk: Buffer): void {
    this.length += chunk.length
    if (this.#failure !== null) return // it cannot be stored
    const before = this.#pieces.held
    this.#pieces.push(chunk, Math.max(0, this.#expected - this.length))
    this.#hold(this.#pieces.held - before)
    if (!this.#spilled) {
      const { bodyMemory, memory } = this.#store
      const most = memory.pressed ? Math.min(bodyMemory, MEMORY_UNDER_PRESSURE) : bodyMemory
      if (this.length <= most) return
      this.#spilled = true
      this.#writing = true
      this.#open()
    } else if (!this.#writing) {
      this.#writeNext()
    }
  }

  /** Calls back once when everything that was appended is written, or at once if it is. */
  whenWritten(callback: () => void): void {
    if (this.#writing) this.#idle = callback
    else callback()
  }

  /**
   * The body for a task. Call it when the body is complete and written.
   *
   * @throws the error that occurred while the file was written
   */
  finished(): KeptBody {
    if (this.#failure !== null) throw this.#failure
    if (this.#file !== null) return { kind: 'file', path: this.#file.path, length: this.length }
    return { kind: 'whole', chunks: this.#pieces.all(), length: this.length, owner: this }
  }

  /** A piece is read, also after {@link discard} … */
  memoryInUse(): void {
    this.#uses++
  }

  /** … and not any more. */
  memoryUnused(): void {
    if (--this.#uses > 0 || this.#waiting === null) return
    giveBack(this.#waiting)
    this.#waiting = null
  }

  /** Drops the body and removes the file. May be called more than once. */
  discard(): void {
    this.#discarded = true
    this.#idle = null
    if (this.#giveUpWaiting !== null) this.#stopWaiting()
    this.#forgetMemory()
    if (!this.#writing) this.#remove()
  }

  #hold(bytes: number): void {
    this.#held += bytes
    this.#store.memory.add(bytes)
  }

  #forgetMemory(): void {
    const blocks = this.#pieces.takeBlocks()
    this.#pieces.clear()
    if (this.#uses === 0) giveBack(blocks)
    else if (blocks.length > 0) this.#waiting = blocks
    this.#hold(-this.#held)
  }

  #open(): void {
    if (!this.#store.disk.take(this.length, 1)) {
      this.#fail(
        new NoSpaceError(`there is no space for it on the disk, or for another file (${SEE})`),
      )
      return
    }
    this.#written = this.length
    TemporaryFile.open(this.#store.directory, 'body', (error, file) => {
      if (error !== null) return this.#fail(error)
      this.#file = file!
      this.#writeTaken(0)
    })
  }

  /** Writes what has arrived in the meantime, if the disk has space for it. */
  #writeNext(): void {
    this.#writing = true
    const bytes = this.length - this.#written
    if (this.#discarded || this.#failure !== null || bytes === 0) return this.#rest()
    if (!this.#store.disk.take(bytes)) return this.#awaitSpace()
    this.#noSpaceSince = Number.POSITIVE_INFINITY
    const position = this.#written
    this.#written = this.length
    this.#writeTaken(position)
  }

  #writeTaken(position: number): void {
    const blocks = this.#pieces.takeBlocks()
    const pieces = this.#pieces.take()
    const held = this.#held
    if (this.#discarded) return this.#rest()
    const end = this.#written
    this.#file!.write(pieces, position, (error) => {
      giveBack(blocks)
      if (error === null) {
        this.#stored = end
        this.#store.disk.wrote(end - position)
      }
      // Bytes that arrived in the meantime are counted separately.
      if (!this.#discarded) this.#hold(-held)
      if (error !== null) this.#fail(error)
      else this.#writeNext()
    })
  }

  #awaitSpace(): void {
    const { disk, patience } = this.#store
    const goOn = () => {
      this.#stopWaiting()
      this.#writeNext()
    }
    const giveUp = disk.whenSpace(goOn)
    // The time of the first failure counts, not that of each wake-up in vain.
    this.#noSpaceSince = Math.min(this.#noSpaceSince, performance.now())
    const left = patience * 1000 - (performance.now() - this.#noSpaceSince)
    const timer = setTimeout(() => {
      this.#stopWaiting()
      this.#fail(new NoSpaceError(`the disk had no space for the rest of it (${SEE})`))
    }, left)
    this.#giveUpWaiting = () => {
      giveUp()
      clearTimeout(timer)
    }
  }

  #stopWaiting(): void {
    this.#giveUpWaiting?.()
    this.#giveUpWaiting = null
    if (this.#discarded) this.#writing = false
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#forgetMemory()
    this.#rest()
  }

  #rest(): void {
    this.#writing = false
    if (this.#discarded) this.#remove()
    const idle = this.#idle
    this.#idle = null
    idle?.()
  }

  #remove(): void {
    if (this.#written === 0) return
    this.#store.disk.give(this.#written, 1, this.#written - this.#stored)
    this.#stored = 0
    this.#written = 0
    this.#file?.close()
    this.#file = null
  }
}

function giveBack(blocks: readonly Buffer[]): void {
  for (const block of blocks) BLOCKS.give(block)
}
