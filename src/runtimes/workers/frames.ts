import { Span } from '../../bytes/span.ts'

/** The version in READY; see `docs/reference/frames.md`, which both sides are built to. */
export const PROTOCOL = 2

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
export const WHERE = 0x08
export const SHOW = 0x09

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
export const ASIDE = 0x8a
export const STANDS = 0x8b
export const NOTE = 0x8c

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

/**
 * A frame that is not of the form that `docs/reference/frames.md` gives it. The worker that sent it
 * is ended.
 */
export class FrameError extends Error {
  readonly code = 'bad-frame'
}

/** A frame that was received. One object is used for all frames of a {@link FrameDecoder}. */
export class Frame {
  type = 0
  flags = 0
  stream = 0
  /** Lent, with head room (see {@link Span}). The sink may point it at other bytes. */
  readonly payload = new Span()
}

/** Takes the frames that a {@link FrameDecoder} finds. */
export interface FrameSink {
  /**
   * Called for each frame. A DATA frame may come in pieces, and only the last piece has its flags.
   *
   * @returns whether the payload's memory is still needed; otherwise it is used again as soon as
   * this returns
   */
  frame(frame: Frame): boolean
}

/** The flags that each type may have, by type; what has none is refused. */
const FLAGS = new Int16Array(256).fill(-1)
for (const type of [READY, FILE, FAIL, WANT, RETURNED, LOG, ASIDE, STANDS, NOTE]) FLAGS[type] = 0
for (const type of [HEAD, DATA]) FLAGS[type] = LAST
FLAGS[END] = BROKEN

/** What a worker may send at once, about: as much as a unix socket holds on Linux. */
const READ_SIZE = 128 * 1024
/**
 * Left free before what is read, so that a response's head can be written before its body even in
 * the first frame.
 */
const HEADROOM = 1024
/** A piece of a DATA frame is passed on before the rest is there if it is at least this long. */
const PIECE = 4096

/**
 * Cuts the bytes that a worker sends into frames, however they are split, and owns the memory that
 * they are read into: frames are passed on in place, and the same memory is read into again, unless
 * somebody still needs it.
 */
export class FrameDecoder {
  readonly #sink: FrameSink
  readonly #frame = new Frame()
  #buffer = Buffer.allocUnsafeSlow(HEADROOM + READ_SIZE)
  /** What has been read and not passed on: less than a frame. */
  #start = HEADROOM
  #end = HEADROOM
  /** The frame at `start` has this many bytes at least, its header included. */
  #needed = HEADER_BYTES
  /** Of a DATA frame that is passed on in pieces: what is still to come, and what it is. */
  #left = 0
  #flags = 0
  #stream = 0
  /** Bytes of `buffer` before this are still needed by somebody. */
  #free = 0
  #room: Buffer | null = null

  constructor(sink: FrameSink) {
    this.#sink = sink
    this.#room = this.#buffer.subarray(HEADROOM)
  }

  /** True when no frame is half received. */
  get clean(): boolean {
    return this.#start === this.#end && this.#left === 0
  }

  /**
   * Where the next bytes are to be put, from its beginning on; null for where they were put the
   * last time. Never empty.
   */
  readonly room = (): Buffer | null => {
    const room = this.#room
    this.#room = null
    return room
  }

  /**
   * That many bytes have been put there.
   * @throws FrameError
   */
  take(length: number): void {
    const buffer = this.#buffer
    const end = this.#end + length
    let at = this.#start
    if (this.#left > 0) {
      const next = Math.min(end, at + this.#left)
      this.#left -= next - at
      this.#deliver(DATA, this.#left === 0 ? this.#flags : 0, this.#stream, at, next)
      at = next
    }
    this.#needed = HEADER_BYTES
    while (end - at >= HEADER_BYTES) {
      const payload = readU32(buffer, at)
      const next = at + HEADER_BYTES + payload
      checkHeader(buffer, at, payload)
      const type = buffer[at + 4]
      if (next > end) {
        if (type !== DATA || end - at < PIECE) {
          this.#needed = HEADER_BYTES + payload
          break
        }
        this.#left = next - end
        this.#flags = buffer[at + 5]
        this.#stream = readU32(buffer, at + 8)
        this.#deliver(DATA, 0, this.#stream, at + HEADER_BYTES, end)
        at = end
        break
      }
      this.#deliver(type, buffer[at + 5], readU32(buffer, at + 8), at + HEADER_BYTES, next)
      at = next
    }
    this.#makeRoom(at, end)
  }

  /** The same for bytes that were read elsewhere. */
  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(this.#buffer, this.#end, at)
      this.take(copied)
      at += copied
    }
  }

  #deliver(type: number, flags: number, stream: number, start: number, end: number): void {
    const frame = this.#frame
    frame.type = type
    frame.flags = flags
    frame.stream = stream
    frame.payload.lend(this.#buffer, start, end, this.#free)
    if (this.#sink.frame(frame)) this.#free = end
  }

  /** Decides where to read on, when bytes [at, end) are the beginning of a frame. */
  #makeRoom(at: number, end: number): void {
    const buffer = this.#buffer
    const length = end - at
    const needed = HEADROOM + this.#needed
    if (
      this.#free > 0 ||
      buffer.length < needed ||
      (length === 0 && buffer.length > HEADROOM + READ_SIZE)
    ) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(needed, HEADROOM + READ_SIZE))
      this.#free = 0
      this.#frame.payload.clear()
    } else if (length > 0 && at + this.#needed <= buffer.length) {
      // There is room for the rest where the beginning is.
      this.#start = at
      this.#end = end
      this.#room = buffer.subarray(end)
      return
    } else if (length === 0 && this.#end === HEADROOM) {
      this.#start = HEADROOM
      return // as the last time
    }
    buffer.copy(this.#buffer, HEADROOM, at, end)
    this.#start = HEADROOM
    this.#end = HEADROOM + length
    this.#room = this.#buffer.subarray(this.#end)
  }
}

function checkHeader(bytes: Buffer, at: number, payload: number): void {
  const type = bytes[at + 4]
  const flags = bytes[at + 5]
  const allowed = FLAGS[type]
  if (payload > MAX_PAYLOAD)
    throw new FrameError(`a payload of ${payload} bytes is over the limit of ${MAX_PAYLOAD}`)
  if (allowed === -1) throw new FrameError(`unknown frame type 0x${type.toString(16)}`)
  if ((flags & ~allowed) !== 0)
    throw new FrameError(`unknown flags ${flags} of frame type 0x${type.toString(16)}`)
  if (bytes[at + 6] !== 0 || bytes[at + 7] !== 0)
    throw new FrameError('the reserved field of a frame is not 0')
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
export function encodeFrame(
  type: number,
  stream: number,
  payload: Buffer | null = null,
  flags = 0,
): Buffer {
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

/** What a {@link FrameWriter} writes to: a socket, or what looks like one to it. */
export interface FrameChannel {
  readonly destroyed: boolean
  /** Bytes it was given and still needs; with 0 their memory may be used again. */
  readonly writableLength: number
  write(bytes: Buffer): unknown
  destroy(): unknown
}

const NO_PIECES: readonly Buffer[] = []
const BATCH = 64 * 1024
/** A piece up to this size is copied into the batch; a larger one is written from where it is. */
const COPIED = 16 * 1024

/**
 * Collects frames for a worker and sends them with one system call per turn of the event loop: all
 * requests that arrived together go together, which is what makes lookahead cheap for both sides.
 */
export class FrameWriter {
  readonly #channel: FrameChannel
  #batch = Buffer.allocUnsafeSlow(BATCH)
  #length = 0
  /** The frame that was begun last. */
  #frameAt = 0
  #type = 0
  #stream = 0
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
    if (this.#length + HEADER_BYTES + space > this.#batch.length) {
      this.flush()
      if (HEADER_BYTES + space > this.#batch.length)
        this.#batch = Buffer.allocUnsafeSlow(HEADER_BYTES + space)
    }
    this.#type = type
    this.#stream = stream
    this.#frameAt = this.#length
    this.#place.bytes = this.#batch
    this.#place.at = this.#length + HEADER_BYTES
    return this.#place
  }

  // One object for all frames: the caller reads it at once.
  readonly #place = { bytes: this.#batch, at: 0 }

  /**
   * Ends the frame that was begun last.
   *
   * @param end where the caller's part of the payload ends
   * @param rest the rest of the payload
   */
  end(end: number, flags = 0, rest: readonly Buffer[] = NO_PIECES): void {
    const at = this.#frameAt
    let length = end - at - HEADER_BYTES
    for (let i = 0; i < rest.length; i++) length += rest[i].length
    writeHeader(this.#batch, at, length, this.#type, flags, this.#stream)
    this.#length = end
    for (let i = 0; i < rest.length; i++) this.#append(rest[i])
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#onImmediate)
    }
  }

  /** Writes a frame whose payload exists already. */
  write(type: number, stream: number, flags = 0, payload = NO_PIECES): void {
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
    // What the kernel took at once may be written over; otherwise the socket still needs those
    // bytes.
    if (this.#channel.writableLength > 0 || this.#batch.length > BATCH)
      this.#batch = Buffer.allocUnsafeSlow(BATCH)
  }

  #append(piece: Buffer): void {
    const length = piece.length
    if (length <= COPIED) {
      if (this.#length + length > this.#batch.length) this.flush()
      this.#length += piece.copy(this.#batch, this.#length)
    } else {
      this.flush()
      this.#channel.write(piece)
    }
  }

  readonly #onImmediate = () => {
    this.#scheduled = false
    if (!this.#channel.destroyed) this.flush()
  }
}
