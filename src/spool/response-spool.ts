import { Span } from '../bytes/span.ts'
import type { Spool } from './spool.ts'
import { BLOCK, type SpoolAhead } from './spool-ahead.ts'
import { TemporaryFile } from './temporary-file.ts'

/** Where a spooled response goes, and where it comes from. */
export interface SpoolEnds {
  /**
   * Gives bytes to the client. Call {@link ResponseSpool.written} when they have been sent.
   *
   * @returns whether their memory is still needed
   */
  send(piece: Span): boolean
  /**
   * Everything that was appended has been given to the client. `broken` is the argument of
   * {@link ResponseSpool.end}, or true if the file could not be read.
   */
  finish(broken: boolean): void
  /** The application may produce `bytes` more bytes. */
  grant(bytes: number): void
  /**
   * There is no space for more. The application waits until the client has taken what is stored.
   */
  stuck(): void
  /**
   * The file cannot be written or read. If it cannot be read, the rest of the response is lost, and
   * `finish(true)` follows.
   */
  trouble(error: Error): void
}

/**
 * How far a spooled response may be ahead of its file: what the application may produce at once.
 */
const AHEAD = 2 * 1024 * 1024
/**
 * The same if the worker holds the whole response. Up to this size it is taken from the worker at
 * once. With smaller steps, the worker would begin other requests between them and hold all of
 * their responses.
 */
const AHEAD_HEAVY = 32 * 1024 * 1024
/** The same after the client has caught up once. */
const AHEAD_LATER = 256 * 1024
/** Credit is given in steps of at least this. */
const STEP = 64 * 1024
/**
 * How much stays in memory at first. Most clients take it faster than it can be written to a file.
 */
const IN_MEMORY = 1024 * 1024
/** The next piece is read when the client has fewer bytes than this to take. */
const LOW = 64 * 1024
const PIECE = 128 * 1024
/** The same while memory is scarce. */
const LOW_UNDER_PRESSURE = 16 * 1024
const PIECE_UNDER_PRESSURE = 32 * 1024

/**
 * A response whose client takes it slowly. What the application produces goes to a temporary file,
 * from which the client is served, so that the application is done as soon as possible. While the
 * file is empty and the client keeps pace, bytes go to it from memory. A limited part stays in
 * memory until {@link ResponseSpool.spill}. If there is no more space for the file, the application
 * waits until the client has taken what is in it.
 *
 * Space on the disk is reserved for every byte that the application is allowed to produce.
 */
export class ResponseSpool {
  readonly #spool: Spool
  readonly #allAhead: SpoolAhead
  readonly #ends: SpoolEnds
  #file: TemporaryFile | null = null
  /** Bytes in the file, and how many of them the client was given. */
  #stored = 0
  #read = 0
  /**
   * Not in the file yet: blocks that wait, of which the last is filled up to `lastUsed`, and bytes
   * that are being written.
   */
  #waiting: Buffer[] = []
  #lastUsed = 0
  #waitingBytes = 0
  #writingBytes = 0
  /** A file operation is in progress; there is only one at a time. */
  #busy = false
  #failed = false
  /** More bytes than this go to the file. */
  #inMemory = IN_MEMORY
  /** Bytes that were given to the client and not sent yet. */
  #unsent: number
  /**
   * How far the application may be ahead, and how many bytes of that are still to be produced, or
   * are produced but not stored.
   */
  #ahead = 0
  #outstanding = 0
  /** Bytes that were taken from the disk's budget. */
  #reserved = 0
  #begun = false
  /** The part of the reserved bytes that was ever written. */
  #largest = 0
  /** The length of the response is not known. */
  #open = false
  #stuck = false
  #ended = false
  #broken = false
  #over = false

  /** @param unsent bytes of the response that were given to the client before and not sent yet */
  constructor(spool: Spool, allAhead: SpoolAhead, ends: SpoolEnds, unsent: number) {
    this.#spool = spool
    this.#allAhead = allAhead
    this.#ends = ends
    this.#unsent = unsent
  }

  /**
   * Begins, and grants the first credit.
   *
   * @param length how many bytes are still to come; Infinity if that is not known
   * @param credit how many bytes the application may produce already
   * @param heavy whether the worker holds much of the response
   * @returns false if there is no space now. Then this object must not be used
   */
  begin(length: number, credit: number, heavy = false): boolean {
    const { disk, responseLimit } = this.#spool
    if (responseLimit === 0) return false
    const least = Math.max(STEP, credit)
    const most = Math.min(heavy ? AHEAD_HEAVY : AHEAD, responseLimit, length)
    const ahead = this.#allAhead.take(least, Math.max(least, most))
    if (ahead === 0) return false
    // If the length is known, all of it is reserved, so that a response that has begun to go to the
    // disk does not stop half-way.
    const reserved =
      length === Number.POSITIVE_INFINITY ? ahead : Math.max(ahead, Math.min(length, responseLimit))
    if (!disk.take(reserved, 1)) {
      this.#allAhead.give(ahead)
      return false
    }
    this.#ahead = ahead
    this.#open = length === Number.POSITIVE_INFINITY
    // Bytes in memory hold the application up, so they must not use up all that it may be ahead,
    // unless that is the rest of the response.
    this.#inMemory = ahead < length ? Math.min(IN_MEMORY, ahead >> 1) : IN_MEMORY
    this.#reserved = reserved
    this.#begun = true
    this.#outstanding = ahead
    if (ahead > credit) this.#ends.grant(ahead - credit)
    return true
  }

  /**
   * Takes a piece of the response.
   *
   * @returns whether its memory is still needed
   */
  append(piece: Span): boolean {
    const { bytes, start, end } = piece
    if (this.#over || end === start) return false
    if (
      !this.#busy &&
      this.#waiting.length === 0 &&
      this.#read === this.#stored &&
      this.#unsent < this.#low
    ) {
      this.#outstanding -= end - start
      this.#unsent += end - start
      const kept = this.#ends.send(piece)
      this.#refill()
      return kept
    }
    this.#waitingBytes += end - start
    for (let at = start; at < end; ) {
      if (this.#waiting.length === 0 || this.#lastUsed === BLOCK) this.#addBlock()
      const copied = bytes.copy(this.#waiting.at(-1)!, this.#lastUsed, at, end)
      this.#lastUsed += copied
      at += copied
    }
    this.#move()
    return false
  }

  #addBlock(): void {
    this.#waiting.push(this.#allAhead.block())
    this.#lastUsed = 0
    this.#spool.memory.add(BLOCK)
  }

  get #low(): number {
    return this.#spool.memory.pressed ? LOW_UNDER_PRESSURE : LOW
  }

  /** Nothing more will be appended. */
  end(broken: boolean): void {
    this.#ended = true
    this.#broken = broken
    this.#allAhead.give(this.#ahead)
    this.#ahead = 0
    const needed = this.#stored + this.#waitingBytes + this.#writingBytes
    if (this.#reserved > needed) {
      this.#giveBack(this.#reserved - needed)
    }
    this.#move()
  }

  /** Bytes that were given to the client have been sent. */
  written(bytes: number): void {
    this.#unsent -= bytes
    this.#move()
  }

  /** The client is slow: from now on, nothing is kept in memory for it. */
  spill(): void {
    this.#inMemory = 0
    this.#move()
  }

  /** Drops the rest and removes the file. May be called more than once. */
  discard(): void {
    if (!this.#over) {
      this.#over = true
      this.#allAhead.give(this.#ahead)
      this.#ahead = 0
      this.#release(this.#waiting)
      this.#waiting = []
      this.#waitingBytes = 0
    }
    if (!this.#busy) this.#remove()
  }

  /** Moves bytes on: to the client first, and those that it does not take to the file. */
  #move(): void {
    if (this.#busy || this.#over) return
    while (this.#unsent < this.#low) {
      if (this.#read < this.#stored) return this.#readPiece()
      const block = this.#waiting.shift()
      if (block === undefined) break
      const length = this.#waiting.length === 0 ? this.#lastUsed : BLOCK
      this.#waitingBytes -= length
      this.#outstanding -= length
      this.#unsent += length
      // From now on the connection counts it.
      this.#spool.memory.add(-BLOCK)
      if (!this.#ends.send(new Span().set(block, 0, length))) this.#allAhead.reuse(block)
      if (this.#over) return
    }
    if (this.#waiting.length > 0) {
      const much = this.#waitingBytes > this.#inMemory || this.#spool.memory.pressed
      if (much && !this.#failed) this.#write()
      else this.#refill()
      return
    }
    if (this.#read < this.#stored) return
    if (this.#ended) return this.#finish()
    this.#shrink()
    if (this.#stored > 0) this.#empty()
    else this.#refill()
  }

  /** The client has caught up: gives back what other responses may need. */
  #shrink(): void {
    const excess = this.#ahead - AHEAD_LATER
    if (excess <= 0 || this.#outstanding > AHEAD_LATER) return
    this.#allAhead.give(excess)
    this.#ahead = AHEAD_LATER
    this.#inMemory = Math.min(this.#inMemory, AHEAD_LATER >> 1)
  }

  #finish(): void {
    const broken = this.#broken
    this.discard()
    this.#ends.finish(broken)
  }

  /** Whether the application waits until the client has taken what is stored. */
  get stuck(): boolean {
    return this.#stuck && !this.#ended && !this.#over
  }

  /** Lets the application continue, as far as there is space for what it will produce. */
  #refill(): void {
    if (this.#ended || this.#over) return
    if (this.#grantMore()) {
      this.#stuck = false
    } else if (this.#outstanding === 0 && !this.#stuck) {
      this.#stuck = true
      this.#ends.stuck()
    }
  }

  #grantMore(): boolean {
    const most = this.#failed ? STEP : this.#ahead
    const planned = this.#stored + this.#outstanding
    const limit = this.#failed ? Number.POSITIVE_INFINITY : this.#spool.responseLimit
    const bytes = Math.min(most - this.#outstanding, limit - planned)
    if (bytes < STEP && (bytes <= 0 || this.#outstanding > 0)) return false
    const more = planned + bytes - this.#reserved
    if (!this.#failed && more > 0) {
      if (!this.#spool.disk.take(more)) return false
      this.#reserved += more
    }
    this.#outstanding += bytes
    this.#ends.grant(bytes)
    return true
  }

  #write(): void {
    this.#busy = true
    if (this.#file === null) {
      TemporaryFile.open(this.#spool.directory, 'response', (error, file) => {
        this.#file = file ?? null
        this.#done(error)
      })
      return
    }
    // The last block is written as it is. Nothing is appended to it while it is being written.
    const blocks = this.#waiting
    const last = blocks.length - 1
    const pieces = blocks.map((block, index) =>
      index === last ? block.subarray(0, this.#lastUsed) : block,
    )
    const bytes = this.#waitingBytes
    this.#waiting = []
    this.#waitingBytes = 0
    this.#writingBytes = bytes
    this.#file.write(pieces, this.#stored, (error) => {
      this.#writingBytes = 0
      if (error !== null && !this.#over) {
        this.#takeBack(pieces)
      } else {
        this.#release(blocks)
        if (error === null) this.#fill(this.#stored + bytes)
        this.#stored += bytes
        this.#outstanding -= bytes
      }
      this.#done(error)
    })
  }

  /** Bytes that could not be written go to the client from memory, before newer ones. */
  #takeBack(pieces: readonly Buffer[]): void {
    const later = this.#waiting.map((block, index) =>
      index === this.#waiting.length - 1 ? block.subarray(0, this.#lastUsed) : block,
    )
    const all = Buffer.concat([...pieces, ...later])
    this.#spool.memory.add(-BLOCK * (pieces.length + later.length))
    this.#waiting = []
    this.#waitingBytes = all.length
    for (let at = 0; at < all.length; at += this.#lastUsed) {
      this.#addBlock()
      this.#lastUsed = all.copy(this.#waiting.at(-1)!, 0, at, Math.min(all.length, at + BLOCK))
    }
  }

  /** Gives back reserved space that is not needed, unwritten space first. */
  #giveBack(bytes: number): void {
    const unwritten = Math.min(bytes, this.#reserved - this.#largest)
    this.#spool.disk.give(bytes, 0, unwritten)
    this.#reserved -= bytes
    this.#largest = Math.min(this.#largest, this.#reserved)
  }

  /** The file has `size` bytes now. Written bytes take space until the file is removed. */
  #fill(size: number): void {
    if (size <= this.#largest) return
    this.#spool.disk.wrote(size - this.#largest)
    this.#largest = size
  }

  #release(blocks: readonly Buffer[]): void {
    this.#spool.memory.add(-BLOCK * blocks.length)
    for (const block of blocks) this.#allAhead.reuse(block)
  }

  #readPiece(): void {
    this.#busy = true
    const size = this.#spool.memory.pressed ? PIECE_UNDER_PRESSURE : PIECE
    const piece = Buffer.allocUnsafeSlow(Math.min(size, this.#stored - this.#read))
    this.#file!.read(piece, this.#read, (error, bytes) => {
      this.#busy = false
      if (this.#over) return this.#remove()
      if (error !== null || bytes === 0) {
        this.#broken = true
        this.#ends.trouble(
          error ?? new Error('the temporary file is shorter than what was written to it'),
        )
        return this.#finish()
      }
      this.#read += bytes
      this.#unsent += bytes
      this.#ends.send(new Span().set(piece, 0, bytes))
      this.#move()
    })
  }

  /** The client has been given the whole file: its space may be used again. */
  #empty(): void {
    this.#busy = true
    this.#file!.empty((error) => {
      this.#stored = 0
      this.#read = 0
      const unneeded = this.#open
        ? this.#reserved - this.#waitingBytes - Math.max(0, this.#outstanding)
        : 0
      if (unneeded > 0 && error === null) {
        this.#giveBack(unneeded)
      }
      this.#done(error)
    })
  }

  #done(error: Error | null): void {
    this.#busy = false
    if (this.#over) return this.#remove()
    if (error !== null && !this.#failed) {
      this.#failed = true
      this.#ends.trouble(error)
    }
    this.#refill()
    this.#move()
  }

  #remove(): void {
    if (this.#begun) this.#spool.disk.give(this.#reserved, 1, this.#reserved - this.#largest)
    this.#largest = 0
    this.#begun = false
    this.#reserved = 0
    this.#file?.close()
    this.#file = null
  }
}
