import type { MemoryOwner } from '../runtime.ts'
import { type FrameHeader, HEADER_SIZE, writeHeader, writeU32 } from './frames.ts'

/** What a {@link FrameWriter} writes to: a socket or a message port. */
export interface FrameChannel {
  readonly destroyed: boolean
  /** Bytes that it was given and still needs; at 0 their memory may be used again. */
  readonly writableLength: number
  /** @param done called when the memory is not needed any more, also after an error */
  write(bytes: Buffer, done?: () => void): unknown
  /** Collects what is written, until `uncork` writes all of it at once. */
  cork?(): unknown
  uncork?(): unknown
  destroy(): unknown
}

const NO_PIECES: readonly Buffer[] = []
const BATCH_SIZE = 64 * 1024
/** A piece up to this size is copied into the batch; a larger one is written as it is. */
const COPIED = 16 * 1024
/** With less space than this behind what the channel needs, the next batch is begun. */
const LEAST_SPACE = 4 * 1024
/** How many batches wait to be used again. */
const SPARE_BATCHES = 8

/** Memory that frames are collected in. */
class Batch {
  readonly bytes: Buffer
  /** The writes of it that are not over. */
  #writes = 0
  /** Where it goes when they are; null as long as it is written to. */
  #spare: Batch[] | null = null

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  write(channel: FrameChannel, start: number, end: number): void {
    this.#writes++
    channel.write(this.bytes.subarray(start, end), this.#written)
  }

  /** It is used again from `spare`, as soon as the channel does not need it. */
  retire(spare: Batch[]): void {
    this.#spare = spare
    this.#giveBack()
  }

  /** It is used again. */
  renew(): this {
    this.#spare = null
    return this
  }

  readonly #written = () => {
    this.#writes--
    this.#giveBack()
  }

  #giveBack(): void {
    if (this.#spare === null || this.#writes > 0) return
    if (this.#spare.length < SPARE_BATCHES && this.bytes.length === BATCH_SIZE)
      this.#spare.push(this)
  }
}

/**
 * Collects frames for a worker and sends them with one system call per turn of the event loop. All
 * requests that arrived together go together, which makes lookahead cheap for both sides.
 *
 * Its memory is used again, also while a channel takes some time for what it was given: garbage of
 * this size would have V8 collect the whole heap every few hundred requests.
 */
export class FrameWriter {
  readonly #channel: FrameChannel
  #batch = new Batch(BATCH_SIZE)
  /** The channel was given the batch up to here … */
  #given = 0
  /** … and there are frames up to here. */
  #length = 0
  readonly #spare: Batch[] = []
  /** The frame that was begun last. */
  #frameAt = 0
  readonly #header: FrameHeader = { length: 0, type: 0, flags: 0, stream: 0 }
  #scheduled = false
  #corked = false

  constructor(channel: FrameChannel) {
    this.#channel = channel
  }

  /**
   * Begins a frame. The caller writes the first part of its payload.
   *
   * @param space how many bytes the caller may write
   * @returns where to write: `bytes[at]` is the first byte of the payload
   */
  begin(type: number, stream: number, space: number): { bytes: Buffer; at: number } {
    if (this.#length + HEADER_SIZE + space > this.#batch.bytes.length)
      this.#makeSpace(HEADER_SIZE + space)
    this.#header.type = type
    this.#header.stream = stream
    this.#frameAt = this.#length
    this.#place.bytes = this.#batch.bytes
    this.#place.at = this.#length + HEADER_SIZE
    return this.#place
  }

  // One object for all frames: the caller reads it at once.
  readonly #place = { bytes: this.#batch.bytes, at: 0 }

  /**
   * Ends the frame that was begun last.
   *
   * @param end where the caller's part of the payload ends
   * @param rest the rest of the payload
   * @param owner is told while the memory of `rest` is needed; null if nobody will write to it
   */
  end(
    end: number,
    flags = 0,
    rest: readonly Buffer[] = NO_PIECES,
    owner: MemoryOwner | null = null,
  ): void {
    const at = this.#frameAt
    let length = end - at - HEADER_SIZE
    for (let i = 0; i < rest.length; i++) length += rest[i].length
    this.#header.length = length
    this.#header.flags = flags
    writeHeader(this.#batch.bytes, at, this.#header)
    this.#length = end
    for (let i = 0; i < rest.length; i++) this.#append(rest[i], owner)
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#onImmediate)
    }
  }

  /** Writes a frame whose payload exists already. */
  write(type: number, stream: number, flags = 0, payload: readonly Buffer[] = NO_PIECES): void {
    const { at } = this.begin(type, stream, 0)
    this.end(at, flags, payload)
  }

  /** Writes a frame whose payload is one u32. */
  writeU32(type: number, stream: number, value: number): void {
    const { bytes, at } = this.begin(type, stream, 4)
    writeU32(bytes, at, value)
    this.end(at + 4)
  }

  /** Sends all frames that have ended. */
  flush(): void {
    this.#give()
    if (!this.#corked) return
    this.#corked = false
    this.#channel.uncork?.()
    this.#reuse()
  }

  /** Gives the channel what it has not got. */
  #give(): void {
    if (this.#length === this.#given) return
    this.#batch.write(this.#channel, this.#given, this.#length)
    this.#given = this.#length
    this.#reuse()
  }

  /** Bytes that the kernel has taken may be overwritten; otherwise the socket still needs them. */
  #reuse(): void {
    if (this.#channel.writableLength > 0) {
      if (this.#length + LEAST_SPACE > this.#batch.bytes.length) this.#changeBatch(BATCH_SIZE)
      return
    }
    this.#given = 0
    this.#length = 0
    if (this.#batch.bytes.length > BATCH_SIZE) this.#changeBatch(BATCH_SIZE)
  }

  #makeSpace(bytes: number): void {
    this.#give()
    if (this.#length + bytes > this.#batch.bytes.length)
      this.#changeBatch(Math.max(bytes, BATCH_SIZE))
  }

  #changeBatch(size: number): void {
    this.#batch.retire(this.#spare)
    const spare = size === BATCH_SIZE ? this.#spare.pop() : undefined
    this.#batch = spare?.renew() ?? new Batch(size)
    this.#given = 0
    this.#length = 0
  }

  #append(piece: Buffer, owner: MemoryOwner | null): void {
    const { length } = piece
    if (length <= COPIED) {
      if (this.#length + length > this.#batch.bytes.length) this.#makeSpace(length)
      this.#length += piece.copy(this.#batch.bytes, this.#length)
      return
    }
    if (!this.#corked) {
      this.#corked = true
      this.#channel.cork?.()
    }
    this.#give()
    if (owner === null) {
      this.#channel.write(piece)
      return
    }
    owner.memoryInUse()
    this.#channel.write(piece, () => owner.memoryUnused())
  }

  readonly #onImmediate = () => {
    this.#scheduled = false
    if (!this.#channel.destroyed) this.flush()
  }
}
