import { Span } from '../../bytes/span.ts'
import {
  BODY_WINDOW,
  BROKEN,
  DATA,
  END,
  ENDED,
  FAIL,
  FILE,
  FILES,
  FINDINGS,
  FORKED,
  FrameError,
  HEAD,
  HEADER_SIZE,
  INFORM,
  INTERRUPTED,
  LAST,
  LOG,
  MAX_PAYLOAD,
  OFFER,
  PRINTED,
  READY,
  RETURNED,
  readU32,
  SENT,
  STACKS,
  SUSPENDED,
  VIOLATION,
} from './frames.ts'

/** A frame that was received. One object is used for all frames of a {@link FrameDecoder}. */
export class Frame {
  type = 0
  flags = 0
  stream = 0
  /** Lent, with headroom (see {@link Span}). The sink may point it at other bytes. */
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

/** The flags that each type may have; -1 for types that a worker does not send. */
const FLAGS = new Int16Array(256).fill(-1)
const WITHOUT_FLAGS = [
  ...[READY, FILE, FAIL, BODY_WINDOW, RETURNED, LOG, SUSPENDED, STACKS, VIOLATION],
  ...[FORKED, ENDED, FILES, INTERRUPTED, INFORM, OFFER, SENT, FINDINGS, PRINTED],
]
for (const type of WITHOUT_FLAGS) FLAGS[type] = 0
for (const type of [HEAD, DATA]) FLAGS[type] = LAST
FLAGS[END] = BROKEN

/** About what a worker can send at once: as much as a Unix socket holds on Linux. */
const READ_SIZE = 128 * 1024
/**
 * Left free before the bytes that are read, so that a response's head can be written before its
 * body even in the first frame.
 */
const HEADROOM = 1024
/** A piece of a DATA frame that is this long is passed on before the rest is there. */
const PIECE = 4096

/**
 * Cuts the bytes that a worker sends into frames, however they are split. It owns the memory that
 * they are read into: frames are passed on in place, and the same memory is used again, unless the
 * sink still needs it.
 */
export class FrameDecoder {
  readonly #sink: FrameSink
  readonly #frame = new Frame()
  #buffer = Buffer.allocUnsafeSlow(HEADROOM + READ_SIZE)
  /** The bytes that have been read and not passed on: less than a frame. */
  #start = HEADROOM
  #end = HEADROOM
  /** The frame at `start` has at least this many bytes, including its header. */
  #needed = HEADER_SIZE
  /** The rest of a DATA frame that is passed on in pieces. */
  #left = 0
  #flags = 0
  #stream = 0
  /** The sink still needs bytes of `buffer` before this. */
  #free = 0
  #space: Buffer | null = null

  constructor(sink: FrameSink) {
    this.#sink = sink
    this.#space = this.#buffer.subarray(HEADROOM)
  }

  /** Whether no frame is half received. */
  get clean(): boolean {
    return this.#start === this.#end && this.#left === 0
  }

  /**
   * The memory for the next bytes, which is never empty; null if it is the same as the last time.
   */
  readonly space = (): Buffer | null => {
    const space = this.#space
    this.#space = null
    return space
  }

  /**
   * Takes that many bytes at the beginning of {@link space}.
   * @throws FrameError
   */
  take(length: number): void {
    const buffer = this.#buffer
    const frame = this.#frame
    const end = this.#end + length
    let at = this.#start
    if (this.#left > 0) {
      const next = Math.min(end, at + this.#left)
      this.#left -= next - at
      frame.type = DATA
      frame.flags = this.#left === 0 ? this.#flags : 0
      frame.stream = this.#stream
      this.#deliver(at, next)
      at = next
    }
    this.#needed = HEADER_SIZE
    while (end - at >= HEADER_SIZE) {
      const payload = readU32(buffer, at)
      const next = at + HEADER_SIZE + payload
      checkHeader(buffer, at, payload)
      frame.type = buffer[at + 4]
      frame.flags = buffer[at + 5]
      frame.stream = readU32(buffer, at + 8)
      if (next > end) {
        if (frame.type !== DATA || end - at < PIECE) {
          this.#needed = HEADER_SIZE + payload
          break
        }
        this.#left = next - end
        this.#flags = frame.flags
        this.#stream = frame.stream
        frame.flags = 0
        this.#deliver(at + HEADER_SIZE, end)
        at = end
        break
      }
      this.#deliver(at + HEADER_SIZE, next)
      at = next
    }
    this.#makeSpace(at, end)
  }

  /** Takes bytes that were read elsewhere. @throws FrameError */
  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(this.#buffer, this.#end, at)
      this.take(copied)
      at += copied
    }
  }

  /** Passes the frame on, whose payload is the bytes [start, end). */
  #deliver(start: number, end: number): void {
    const frame = this.#frame
    frame.payload.lend(this.#buffer, start, end, this.#free)
    if (this.#sink.frame(frame)) this.#free = end
  }

  /** Decides where to read next, when bytes [at, end) are the beginning of a frame. */
  #makeSpace(at: number, end: number): void {
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
      // There is space for the rest after the beginning.
      this.#start = at
      this.#end = end
      this.#space = buffer.subarray(end)
      return
    } else if (length === 0 && this.#end === HEADROOM) {
      this.#start = HEADROOM
      return // as the last time
    }
    buffer.copy(this.#buffer, HEADROOM, at, end)
    this.#start = HEADROOM
    this.#end = HEADROOM + length
    this.#space = this.#buffer.subarray(this.#end)
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
