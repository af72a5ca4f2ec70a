/**
 * The frame protocol between an acceptor and its workers. `docs/reference/frames.md` defines it;
 * `python/monoceros/frames.py` is the other side, with the same names.
 */

/** The version of the protocol, which READY carries. */
export const PROTOCOL_VERSION = 4

export const HEADER_SIZE = 12
export const MAX_PAYLOAD = 16 * 1024 * 1024

// Acceptor → worker
export const REQUEST = 0x01
export const BODY = 0x02
export const WINDOW = 0x03
export const CANCEL = 0x04
export const RECALL = 0x05
export const STOP = 0x06
export const START = 0x07
export const GET_STACKS = 0x08
export const PRINT_STACKS = 0x09
export const FORK = 0x0a
export const INTERRUPT = 0x0b
export const LEND = 0x0c
export const DECLINE = 0x0d
export const INSPECT = 0x0e

// Worker → acceptor
export const READY = 0x81
export const HEAD = 0x82
export const DATA = 0x83
export const FILE = 0x84
export const END = 0x85
export const FAIL = 0x86
export const BODY_WINDOW = 0x87
export const RETURNED = 0x88
export const LOG = 0x89
export const SUSPENDED = 0x8a
export const STACKS = 0x8b
export const VIOLATION = 0x8c
export const FORKED = 0x8d
export const ENDED = 0x8e
export const FILES = 0x8f
export const INTERRUPTED = 0x90
export const INFORM = 0x91
export const OFFER = 0x92
export const SENT = 0x93
export const FINDINGS = 0x94
export const PRINTED = 0x95

// Flags
/** REQUEST: the payload has the path of a file that holds the body. */
export const BODY_FILE = 1
/** REQUEST: the body follows in BODY frames. */
export const BODY_STREAM = 2
/** BODY, HEAD, DATA: these are the last bytes. */
export const LAST = 1
/** BODY: the body will never be complete. */
export const ABORT = 2
/** END: the response is not complete. */
export const BROKEN = 1

/** A frame that breaks `docs/reference/frames.md`. The worker that sent it is killed. */
export class FrameError extends Error {
  readonly code = 'bad-frame'
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

/** Makes a buffer of one frame, for frames that are rare. */
export function encodeFrame(
  type: number,
  stream: number,
  payload: Buffer | null = null,
  flags = 0,
): Buffer {
  const length = payload === null ? 0 : payload.length
  const frame = Buffer.allocUnsafe(HEADER_SIZE + length)
  writeHeader(frame, 0, { length, type, flags, stream })
  if (payload !== null) payload.copy(frame, HEADER_SIZE)
  return frame
}

/** The header of a frame. */
export interface FrameHeader {
  /** Bytes of payload. */
  length: number
  type: number
  flags: number
  stream: number
}

/** Writes the header of a frame at `at`. */
export function writeHeader(bytes: Buffer, at: number, header: FrameHeader): void {
  const { length, type, flags, stream } = header
  writeU32(bytes, at, length)
  bytes[at + 4] = type
  bytes[at + 5] = flags
  bytes[at + 6] = 0
  bytes[at + 7] = 0
  writeU32(bytes, at + 8, stream)
}
