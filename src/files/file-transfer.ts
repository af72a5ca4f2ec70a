import { type BigIntStats, fstat, read } from 'node:fs'
import type { Segment } from './range-content.ts'

/** An open file that stays open until the transfer has ended. */
export interface TransferSource {
  readonly fd: number
  /** The file as it was when the head of the response was made. */
  readonly stat: BigIntStats
  /** It had not changed for a while then, so the client was promised that exact state of it. */
  readonly settled: boolean
}

/** Takes what is sent. */
export interface TransferEnds {
  /** A piece, whose memory is not used again. */
  data(piece: Buffer): void
  /** All has been given. */
  finish(): void
  /** The file cannot be sent to its end. Nothing follows. */
  failed(reason: string): void
  /** The transfer was closed during a read, which has ended now: the file may be closed. */
  idle(): void
}

/** See `MemoryBudget`. */
export interface MemoryPressure {
  readonly pressed: boolean
}

/** The size of the first piece. */
const FIRST = 64 * 1024
/** Each read costs a turn of Node's thread pool, so clients that read fast get larger pieces. */
const LARGEST = 256 * 1024
/** While memory is short. */
const UNDER_PRESSURE = 16 * 1024
/** A client that has taken what there was within this time is fast, in milliseconds. */
const FAST_MS = 20

/**
 * Sends segments of a file piece by piece, as the client takes them.
 *
 * A client that reads slowly holds one piece of 64 KiB, or 16 KiB while memory is short. For one
 * that reads fast, a piece is read while another is being sent, and pieces grow. No read blocks the
 * event loop.
 *
 * The file must not change in the meantime: if it has become shorter, or has been written to, the
 * transfer fails before its last piece, so that the client does not take a mixture of two states
 * for a whole file. A file that was changing already, such as a log, may only not become shorter.
 */
export class FileTransfer {
  readonly #source: TransferSource | null
  readonly #memory: MemoryPressure
  readonly #ends: TransferEnds
  readonly #segments: readonly Segment[]
  /** The segment at hand, and how far it has been read. */
  #index = 0
  #offset = 0
  #size = FIRST
  /** Bytes given that the client has not taken. */
  #unwritten = 0
  /** When the last piece was given; milliseconds of `performance.now()`. */
  #givenAt = 0
  #fast = false
  #busy = false
  #closed = false

  /** @param source null if all segments are bytes */
  constructor(
    source: TransferSource | null,
    segments: readonly Segment[],
    memory: MemoryPressure,
    ends: TransferEnds,
  ) {
    this.#source = source
    this.#segments = segments
    this.#memory = memory
    this.#ends = ends
  }

  /** Gives the first piece, at once or later. */
  begin(): void {
    this.#next()
  }

  /** The client has taken that many bytes. */
  written(bytes: number): void {
    this.#unwritten -= bytes
    if (this.#unwritten <= 0) {
      this.#fast = performance.now() - this.#givenAt < FAST_MS
      this.#size = this.#fast ? Math.min(this.#size * 2, LARGEST) : FIRST
    }
    this.#next()
  }

  /** The rest is not needed. If it is {@link busy}, `idle` is called when it is not any more. */
  close(): void {
    this.#closed = true
  }

  /** Nothing more will be given. */
  get closed(): boolean {
    return this.#closed
  }

  /** A read of the file is under way, so it must stay open. */
  get busy(): boolean {
    return this.#busy
  }

  #next(): void {
    while (!this.#busy && !this.#closed) {
      const most = this.#fast && !this.#memory.pressed ? this.#size : 0
      if (this.#unwritten > most) return
      const segment = this.#segments[this.#index]
      if (segment === undefined) {
        this.#closed = true
        this.#ends.finish()
        return
      }
      const size = this.#memory.pressed ? UNDER_PRESSURE : this.#size
      if (segment instanceof Uint8Array) this.#giveBytes(segment, size)
      else this.#read(segment.start, segment.end, size)
    }
  }

  #giveBytes(bytes: Uint8Array, size: number): void {
    const end = Math.min(bytes.length, this.#offset + size)
    const piece = bytes.subarray(this.#offset, end)
    this.#offset = end
    if (end === bytes.length) this.#nextSegment()
    this.#give(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
  }

  #nextSegment(): void {
    this.#index++
    this.#offset = 0
  }

  #give(piece: Buffer): void {
    this.#unwritten += piece.length
    this.#givenAt = performance.now()
    if (piece.length > 0) this.#ends.data(piece)
  }

  #read(start: number, end: number, size: number): void {
    const at = start + this.#offset
    if (at >= end) return this.#nextSegment()
    const buffer = Buffer.allocUnsafeSlow(Math.min(size, end - at))
    this.#busy = true
    read(this.#source!.fd, buffer, 0, buffer.length, at, (error, bytes) => {
      const short = error === null && bytes === 0
      const failure = short ? 'it has become shorter while it was sent' : error?.message
      if (failure !== undefined) return this.#failed(failure)
      this.#offset += bytes
      const piece = bytes === buffer.length ? buffer : buffer.subarray(0, bytes)
      if (this.#closed || at + bytes < end) return this.#ready(piece)
      if (this.#source!.settled) return this.#verify(piece)
      this.#nextSegment()
      this.#ready(piece)
    })
  }

  /** Compares the file with what it was, before the end of a segment is given. */
  #verify(piece: Buffer): void {
    const { fd, stat } = this.#source!
    fstat(fd, { bigint: true }, (error, now) => {
      if (error !== null) return this.#failed(error.message)
      if (now.size !== stat.size || now.mtimeNs !== stat.mtimeNs)
        return this.#failed('it was changed while it was sent')
      this.#nextSegment()
      this.#ready(piece)
    })
  }

  #ready(piece: Buffer): void {
    this.#busy = false
    if (this.#closed) return this.#ends.idle()
    this.#give(piece)
    this.#next()
  }

  #failed(reason: string): void {
    this.#busy = false
    if (this.#closed) return this.#ends.idle()
    this.#closed = true
    this.#ends.failed(reason)
  }
}
