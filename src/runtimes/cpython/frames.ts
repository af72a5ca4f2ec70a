import type { Socket } from 'node:net'

/** The version in READY; see `docs/reference/frames.md`, which both sides are built to. */
export const PROTOCOL = 1

export const HEADER_BYTES = 12
export const MAX_PAYLOAD = 16 * 1024 * 1024

// Acceptor → worker
export const REQUEST = 0x01
export const BODY = 0x02
export const WINDOW = 0x03
export const CANCEL = 0x04
export const RECALL = 0x05
export const STOP = 0x06
export const START = 0x07

// Worker → acceptor
export const READY = 0x81
export const HEAD = 0x82
export const DATA = 0x83
export const FILE = 0x84
export const END = 0x85
export const FAIL = 0x86
export const WANT = 0x87
export const RETURNED = 0x88
export const LOG = 0x89

/** Flags of REQUEST. */
export const BODY_FILE = 1
export const BODY_STREAM = 2
/** Flags of BODY. */
export const BODY_END = 1
export const BODY_ABORT = 2
/** The flag of HEAD and DATA: nothing follows. */
export const LAST = 1
/** The flag of END: the response is not complete. */
export const BROKEN = 1

/** A frame that is not of the form that `docs/reference/frames.md` gives it. The worker that sent it is ended. */
export class FrameError extends Error {
  readonly code = 'bad-frame'
}

/** What hears of frames. The payload is bytes [start, end) of `bytes`, and stays valid. */
export interface FrameSink {
  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void
}

/** The flags that each type may have; a type that is not here is refused. */
const FLAGS = new Map<number, number>([
  [READY, 0],
  [HEAD, LAST],
  [DATA, LAST],
  [FILE, 0],
  [END, BROKEN],
  [FAIL, 0],
  [WANT, 0],
  [RETURNED, 0],
  [LOG, 0],
])

/** Cuts the bytes that a worker sends into frames, however they are split. Whole frames are passed on in place, without a copy. */
export class FrameDecoder {
  readonly #sink: FrameSink
  /** The beginning of a frame whose end has not come: at first up to a header, then room for all of it. */
  #partial: Buffer | null = null
  #filled = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** True when no frame is half received. */
  get clean(): boolean {
    return this.#filled === 0
  }

  /** @throws FrameError */
  feed(chunk: Buffer): void {
    let at = 0
    const end = chunk.length
    if (this.#filled > 0) {
      at = this.#complete(chunk)
      if (this.#filled > 0) return
    }
    while (end - at >= HEADER_BYTES) {
      const next = at + HEADER_BYTES + payloadLength(chunk, at)
      if (next > end) break
      this.#deliver(chunk, at, next)
      at = next
    }
    if (at < end) this.#keep(chunk, at, end)
  }

  /** Adds to the frame that is half here; returns how much of the chunk that took. */
  #complete(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length) {
      const partial = this.#partial!
      const taken = chunk.copy(
        partial,
        this.#filled,
        at,
        Math.min(chunk.length, at + partial.length - this.#filled),
      )
      at += taken
      this.#filled += taken
      if (this.#filled < partial.length) return at
      if (partial.length === HEADER_BYTES) {
        const whole = HEADER_BYTES + payloadLength(partial, 0)
        if (whole > HEADER_BYTES) {
          this.#partial = Buffer.allocUnsafeSlow(whole)
          partial.copy(this.#partial)
          continue
        }
      }
      this.#partial = null
      this.#filled = 0
      this.#deliver(partial, 0, partial.length)
      return at
    }
    return at
  }

  #keep(chunk: Buffer, at: number, end: number): void {
    const size = end - at < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + payloadLength(chunk, at)
    this.#partial = Buffer.allocUnsafeSlow(size)
    this.#filled = chunk.copy(this.#partial, 0, at, end)
  }

  #deliver(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 4]
    const flags = bytes[at + 5]
    const allowed = FLAGS.get(type)
    if (allowed === undefined) throw new FrameError(`unknown frame type 0x${type.toString(16)}`)
    if ((flags & ~allowed) !== 0)
      throw new FrameError(`unknown flags ${flags} of frame type 0x${type.toString(16)}`)
    if (bytes[at + 6] !== 0 || bytes[at + 7] !== 0)
      throw new FrameError('the reserved field of a frame is not 0')
    this.#sink.frame(type, flags, readU32(bytes, at + 8), bytes, at + HEADER_BYTES, end)
  }
}

function payloadLength(bytes: Buffer, at: number): number {
  const length = readU32(bytes, at)
  if (length > MAX_PAYLOAD)
    throw new FrameError(`a payload of ${length} bytes is over the limit of ${MAX_PAYLOAD}`)
  return length
}

export function readU32(bytes: Buffer, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

export function writeU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** One frame as a buffer of its own; for those that are rare. */
export function encodeFrame(type: number, stream: number, payload: Buffer | null = null, flags = 0): Buffer {
  const length = payload === null ? 0 : payload.length
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  writeHeader(frame, 0, length, type, flags, stream)
  if (payload !== null) payload.copy(frame, HEADER_BYTES)
  return frame
}

function writeHeader(
  bytes: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  writeU32(bytes, at, length)
  bytes[at + 4] = type
  bytes[at + 5] = flags
  bytes[at + 6] = 0
  bytes[at + 7] = 0
  writeU32(bytes, at + 8, stream)
}

const BATCH = 64 * 1024
/** A piece up to this size is copied into the batch; a larger one is written from where it is. */
const COPIED = 16 * 1024

/**
 * Collects frames for a worker and sends them with one system call per turn of the event loop: all requests that arrived
 * together go together, which is what makes lookahead cheap for both sides.
 */
export class FrameWriter {
  readonly #socket: Socket
  #batch = Buffer.allocUnsafeSlow(BATCH)
  #length = 0
  #frameAt = 0
  #scheduled = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /**
   * Begins a frame whose payload's first part is written by the caller.
   * @returns where: `bytes[at]` is the first payload byte, with room for `room` of them
   */
  begin(room: number): { bytes: Buffer; at: number } {
    if (this.#length + HEADER_BYTES + room > this.#batch.length) {
      this.flush()
      if (HEADER_BYTES + room > this.#batch.length) this.#batch = Buffer.allocUnsafeSlow(HEADER_BYTES + room)
    }
    this.#frameAt = this.#length
    this.#place.bytes = this.#batch
    this.#place.at = this.#length + HEADER_BYTES
    return this.#place
  }

  // One object for all frames; the caller takes it apart at once.
  readonly #place = { bytes: this.#batch, at: 0 }

  /**
   * Ends the frame begun last.
   * @param end where the caller's part of the payload ends
   * @param rest what follows it in the payload
   */
  end(
    end: number,
    type: number,
    stream: number,
    flags: number,
    rest: readonly Buffer[],
    restLength: number,
  ): void {
    const at = this.#frameAt
    writeHeader(this.#batch, at, end - at - HEADER_BYTES + restLength, type, flags, stream)
    this.#length = end
    for (let i = 0; i < rest.length; i++) this.#append(rest[i])
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#onImmediate)
    }
  }

  /** A frame with a payload that is at hand. */
  write(type: number, stream: number, flags: number, payload: readonly Buffer[], length: number): void {
    const { at } = this.begin(0)
    this.end(at, type, stream, flags, payload, length)
  }

  /** A frame whose payload is one u32. */
  writeU32(type: number, stream: number, value: number): void {
    const { bytes, at } = this.begin(4)
    writeU32(bytes, at, value)
    this.end(at + 4, type, stream, 0, [], 0)
  }

  flush(): void {
    if (this.#length === 0) return
    this.#socket.write(this.#batch.subarray(0, this.#length))
    this.#length = 0
    // What the kernel took at once may be written over; otherwise the socket still needs those bytes.
    if (this.#socket.writableLength > 0 || this.#batch.length > BATCH)
      this.#batch = Buffer.allocUnsafeSlow(BATCH)
  }

  #append(piece: Buffer): void {
    const length = piece.length
    if (length <= COPIED) {
      if (this.#length + length > this.#batch.length) this.flush()
      this.#length += piece.copy(this.#batch, this.#length)
    } else {
      this.flush()
      this.#socket.write(piece)
    }
  }

  readonly #onImmediate = () => {
    this.#scheduled = false
    if (!this.#socket.destroyed) this.flush()
  }
}
