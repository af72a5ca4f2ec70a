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
  /**
   * A piece, whose memory is used again when `written` has been called for it.
   * @returns false if the memory is not needed any more
   */
  data(piece: Buffer): boolean
  /** All has been given. */
  finish(): void
  /** The file cannot be sent to its end. Nothing follows. */
  failed(reason: string): void
  /** The transfer was closed during a read, which has ended now: the file may be closed. */
  idle(): void
}

/** Where the memory for pieces comes from; see `PiecePool`. */
export interface PieceMemory {
  readonly pressed: boolean
  take(size: number): Buffer
  given(piece: Buffer): void
  back(piece: Buffer): void
  unused(piece: Buffer): void
  drop(piece: Buffer): void
}

/** The size of the first piece. */
const FIRST = 64 * 1024
/** Each read costs a turn of Node's thread pool, so clients that read fast get larger pieces. */
const LARGEST = 256 * 1024
/** A client that has taken what there was within this time is fast, in milliseconds. */
const FAST_MS = 20

/** A piece that was given. */
interface Given {
  /** Bytes of it that the client has not taken. */
  left: number
  /** Its memory, if that is to be used again. */
  memory: Buffer | null
}

/**
 * Sends segments of a file piece by piece, as the client takes them.
 *
 * A client that reads slowly holds one piece of 64 KiB, or 16 KiB while memory is short. One that
 * reads fast gets pieces of 256 KiB as long as there is memory for them, and then a piece is read
 * while another is being sent. No read blocks the event loop.
 *
 * The file must not change in the meantime: if it has become shorter, or has been written to, the
 * transfer fails before its last piece, so that the client does not take a mixture of two states
 * for a whole file. A file that was changing already, such as a log, may only not become shorter.
 */
export class FileTransfer {
  readonly #source: TransferSource | null
  readonly #memory: PieceMemory
  readonly #ends: TransferEnds
  readonly #segments: readonly Segment[]
  /** The segment at hand, and how far it has been read. */
  #index = 0
  #offset = 0
  /** Pieces that the client has not taken, in their order. */
  #given: Given[] = []
  /** Bytes of these. */
  #unwritten = 0
  /** The last piece was a large one. */
  #large = false
  /** When the last piece was given; milliseconds of `performance.now()`. */
  #givenAt = 0
  #fast = false
  #busy = false
  #closed = false

  /** @param source null if all segments are bytes */
  constructor(
    source: TransferSource | null,
    segments: readonly Segment[],
    memory: PieceMemory,
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
    if (this.#unwritten <= 0) this.#fast = performance.now() - this.#givenAt < FAST_MS
    this.#taken(bytes)
    this.#next()
  }

  /** Takes back the memory of pieces that the client has. */
  #taken(bytes: number): void {
    const given = this.#given
    while (bytes > 0 && given.length > 0) {
      const first = given[0]!
      const part = Math.min(bytes, first.left)
      first.left -= part
      bytes -= part
      if (first.left > 0) return
      given.shift()
      const { memory } = first
      first.memory = null
      if (memory !== null) this.#memory.back(memory)
    }
  }

  /**
   * The exchange is over, or the rest is not needed. If it is {@link busy}, `idle` is called when
   * it is not any more.
   */
  close(): void {
    this.#closed = true
    // Whatever has left the exchange may still be under way.
    for (const given of this.#given) {
      if (given.memory !== null) this.#memory.drop(given.memory)
      given.memory = null
    }
    this.#given = []
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
      const ahead = this.#fast && this.#large && !this.#memory.pressed
      if (this.#unwritten > (ahead ? LARGEST : 0)) return
      const segment = this.#segments[this.#index]
      if (segment === undefined) {
        this.#closed = true
        this.#ends.finish()
        return
      }
      const size = this.#fast ? LARGEST : FIRST
      if (segment instanceof Uint8Array) this.#giveBytes(segment, size)
      else this.#read(segment.start, segment.end, size)
    }
  }

  #giveBytes(bytes: Uint8Array, size: number): void {
    const end = Math.min(bytes.length, this.#offset + size)
    const piece = bytes.subarray(this.#offset, end)
    this.#offset = end
    if (end === bytes.length) this.#nextSegment()
    this.#give(Buffer.from(piece.buffer, piece.byteOffset, piece.length), null)
  }

  #nextSegment(): void {
    this.#index++
    this.#offset = 0
  }

  #give(piece: Buffer, memory: Buffer | null): void {
    const { length } = piece
    this.#unwritten += length
    this.#givenAt = performance.now()
    if (memory !== null) this.#memory.given(memory)
    if (length === 0) return
    const given = { left: length, memory }
    this.#given.push(given)
    if (this.#ends.data(piece) || given.memory === null) return
    given.memory = null
    this.#memory.back(memory!)
  }

  #read(start: number, end: number, most: number): void {
    const at = start + this.#offset
    if (at >= end) return this.#nextSegment()
    const memory = this.#memory.take(Math.min(most, end - at))
    this.#large = memory.length > FIRST
    const size = Math.min(memory.length, end - at)
    this.#busy = true
    read(this.#source!.fd, memory, 0, size, at, (error, bytes) => {
      const short = error === null && bytes === 0
      const failure = short ? 'it has become shorter while it was sent' : error?.message
      if (failure !== undefined) return this.#failed(memory, failure)
      this.#offset += bytes
      if (this.#closed || at + bytes < end) return this.#ready(memory, bytes)
      if (this.#source!.settled) return this.#verify(memory, bytes)
      this.#nextSegment()
      this.#ready(memory, bytes)
    })
  }

  /** Compares the file with what it was, before the end of a segment is given. */
  #verify(memory: Buffer, bytes: number): void {
    const { fd, stat } = this.#source!
    fstat(fd, { bigint: true }, (error, now) => {
      if (error !== null) return this.#failed(memory, error.message)
      if (now.size !== stat.size || now.mtimeNs !== stat.mtimeNs)
        return this.#failed(memory, 'it was changed while it was sent')
      this.#nextSegment()
      this.#ready(memory, bytes)
    })
  }

  #ready(memory: Buffer, bytes: number): void {
    this.#busy = false
    if (this.#closed) {
      this.#memory.unused(memory)
      return this.#ends.idle()
    }
    this.#give(bytes === memory.length ? memory : memory.subarray(0, bytes), memory)
    this.#next()
  }

  #failed(memory: Buffer, reason: string): void {
    this.#memory.unused(memory)
    this.#busy = false
    if (this.#closed) return this.#ends.idle()
    this.#closed = true
    this.#ends.failed(reason)
  }
}
