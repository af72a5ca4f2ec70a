import type { MemoryOwner } from '../runtime.ts'
import { type FrameHeader, HEADER_SIZE, writeHeader, writeU32 } from './frames.ts'

/** What a {@link FrameWriter} writes to: a socket or a message port. */
export interface FrameChannel {
  readonly destroyed: boolean
  /** Bytes that it was given and still needs; at 0 their memory may be used again. */
  readonly writableLength: number
  /** @param done called when the memory is not needed any more, also after an error */
  write(bytes: Buffer, done?: () => void): unknown
  destroy(): unknown
}

const NO_PIECES: readonly Buffer[] = []
const BATCH = 64 * 1024
/** A piece up to this size is copied into the batch; a larger one is written as it is. */
const COPIED = 16 * 1024

/**
 * Collects frames for a worker and sends them with one system call per turn of the event loop. All
 * requests that arrived together go together, which makes lookahead cheap for both sides.
 */
export class FrameWriter {
  readonly #channel: FrameChannel
  #batch = Buffer.allocUnsafeSlow(BATCH)
  #length = 0
  /** The frame that was begun last. */
  #frameAt = 0
  readonly #header: FrameHeader = { length: 0, type: 0, flags: 0, stream: 0 }
  #scheduled = false

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
    if (this.#length + HEADER_SIZE + space > this.#batch.length) {
      this.flush()
      if (HEADER_SIZE + space > this.#batch.length)
        this.#batch = Buffer.allocUnsafeSlow(HEADER_SIZE + space)
    }
    this.#header.type = type
    this.#header.stream = stream
    this.#frameAt = this.#length
    this.#place.bytes = this.#batch
    this.#place.at = this.#length + HEADER_SIZE
    return this.#place
  }

  // One object for all frames: the caller reads it at once.
  readonly #place = { bytes: this.#batch, at: 0 }

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
    writeHeader(this.#batch, at, this.#header)
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

  flush(): void {
    if (this.#length === 0) return
    this.#channel.write(this.#batch.subarray(0, this.#length))
    this.#length = 0
    // Bytes that the kernel has taken may be overwritten; otherwise the socket still needs them.
    if (this.#channel.writableLength > 0 || this.#batch.length > BATCH)
      this.#batch = Buffer.allocUnsafeSlow(BATCH)
  }

  #append(piece: Buffer, owner: MemoryOwner | null): void {
    const length = piece.length
    if (length <= COPIED) {
      if (this.#length + length > this.#batch.length) this.flush()
      this.#length += piece.copy(this.#batch, this.#length)
      return
    }
    this.flush()
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
