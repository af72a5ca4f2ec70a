import type { Socket } from 'node:net'
import { copyOfFirst, isLent, owned } from '../../bytes/lent-memory.ts'
import { Span } from '../../bytes/span.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import { HttpError } from '../errors.ts'
import type { HeadLimits } from '../limits.ts'
import type { BodyReceiver } from './body-receiver.ts'
import { ChunkedBody } from './chunked-body.ts'
import { FixedLengthBody } from './fixed-length-body.ts'
import type { H1RequestHead } from './request-head.ts'
import { RequestHeadParser } from './request-head-parser.ts'

/**
 * A read of up to this size lies beside others, in memory that is not for one client
 * (transport/accept-sockets.ts).
 */
const SHARED_READ = 4 * 1024
/** What a client may send ahead (pipelined) before its socket is no longer read. */
const READ_AHEAD = 64 * 1024

// What the next byte belongs to.
const HEAD = 0
const BODY = 1
/** It is sent ahead: the current exchange is not over. */
const NEXT = 2
/** Nothing: the connection is ending. */
const STOPPED = 3

/** The owner of a reader, which gets the requests. */
export interface ReaderOwner {
  /** Bytes are about to be read. */
  reading(): void
  /** A head began, but did not come whole. */
  headBegan(): void
  /** A head is complete. Calls one of {@link RequestReader.readBody} and `awaitAnswer`. */
  begin(head: H1RequestHead): void
  /** A piece of the body, which may be lent. */
  bodyData(data: Buffer): void
  /** The body is complete. */
  bodyEnd(): void
  /** Everything that came has been read, and no request has begun. */
  becameIdle(): void
  /** {@link RequestReader.held} may have changed. */
  count(): void
  /** The message cannot be taken. Calls {@link RequestReader.stop}. */
  refuseMessage(error: HttpError): void
  /** The client will send no more, and nothing that it sent waits. */
  clientEnded(): void
}

/**
 * Reads the requests of a connection off its socket, one after the other: a head, its body, and
 * what the client sends ahead, which waits, bounded, for the end of the current exchange.
 */
export class RequestReader {
  /** When a head began that did not come at once, in milliseconds since 1970; else 0. */
  startedAt = 0
  readonly #socket: Socket
  readonly #limits: HeadLimits
  readonly #memory: MemoryBudget
  readonly #owner: ReaderOwner
  readonly #parser: RequestHeadParser
  #phase = HEAD
  #processing = false
  /** Bytes that came before they could be used. */
  #ahead: Buffer | null = null
  readonly #aheadSpan = new Span()
  #receiver: BodyReceiver | null = null
  #bodyPaused = false
  /** The read that the head at hand came in, if that is a large one of its own. */
  #pinned = 0
  /** Stops waiting for memory, during which the socket is not read; null if it does not wait. */
  #stopWaiting: (() => void) | null = null
  readonly #bodyData: (data: Buffer) => void

  constructor(socket: Socket, limits: HeadLimits, memory: MemoryBudget, owner: ReaderOwner) {
    this.#socket = socket
    this.#limits = limits
    this.#memory = memory
    this.#owner = owner
    this.#parser = new RequestHeadParser(limits)
    this.#bodyData = (data) => owner.bodyData(data)
  }

  /** No request is being read, and none waits for its turn. */
  get idle(): boolean {
    return this.#phase === HEAD && !this.#parser.begun && this.#ahead === null
  }

  /** A head is being read: a byte of it has come. */
  get inHead(): boolean {
    return this.#phase === HEAD && this.#parser.begun
  }

  /** The next byte belongs to a head. */
  get beforeBody(): boolean {
    return this.#phase === HEAD
  }

  /** A body is being read. */
  get inBody(): boolean {
    return this.#phase === BODY
  }

  get bodyPaused(): boolean {
    return this.#bodyPaused
  }

  /** The request is complete, and the next one waits for the answer to it. */
  get awaitsAnswer(): boolean {
    return this.#phase === NEXT
  }

  /** Bytes wait that were sent ahead. */
  get hasAhead(): boolean {
    return this.#ahead !== null
  }

  /** The socket is not read because there is no memory for the rest of a head. */
  get waitsForMemory(): boolean {
    return this.#stopWaiting !== null
  }

  /** Bytes are being read right now: what the current exchange leaves is read without a call. */
  get processing(): boolean {
    return this.#processing
  }

  /** The head that is being read, as far as it came. */
  get head(): H1RequestHead {
    return this.#parser.head
  }

  /** The request line of the head that is being read, as far as it came. */
  requestLine(): string {
    return this.#parser.requestLine()
  }

  /** Bytes that are held for the client. */
  get held(): number {
    return this.#parser.held + this.#pinned + (this.#ahead === null ? 0 : this.#ahead.length)
  }

  /** Takes what the socket has read. */
  received(bytes: Span): void {
    if (this.#ahead === null) {
      this.#process(bytes)
      return
    }
    this.#ahead = Buffer.concat([this.#ahead, bytes.view()])
    if (this.#ahead.length > this.#mostAhead) this.#socket.pause()
    this.#owner.count()
  }

  /** A body follows the head at hand. */
  readBody({ chunked, contentLength }: H1RequestHead): void {
    this.#phase = BODY
    this.#receiver = chunked ? new ChunkedBody(this.#limits) : new FixedLengthBody(contentLength)
  }

  /** No body follows the head at hand: what comes now is the next request. */
  awaitAnswer(): void {
    this.#phase = NEXT
  }

  /** The current exchange is over: prepares for the next request. */
  reset(): void {
    this.#phase = HEAD
    this.#parser.reset()
    this.#pinned = 0
  }

  pauseBody(): void {
    this.#bodyPaused = true
    // What arrives in the meantime is kept by `received`, which pauses the socket if it is too
    // much.
    this.#socket.pause()
  }

  resumeBody(): void {
    this.#bodyPaused = false
    this.resume()
  }

  /** Continues with what was sent ahead. */
  resume(): void {
    if (this.#processing || this.#phase === STOPPED) return
    const ahead = this.#ahead
    if (ahead !== null) {
      this.#ahead = null
      this.#process(this.#aheadSpan.set(ahead, 0, ahead.length))
      this.#aheadSpan.clear()
    }
    // `#process` may have stopped it.
    if ((this.#phase as number) === STOPPED || this.#ahead !== null) return
    if (this.#socket.isPaused()) this.#socket.resume()
    // The end came while there was still something to take: nothing will announce it again.
    if (this.#socket.readableEnded && this.#phase !== NEXT) this.#owner.clientEnded()
  }

  /** The connection is ending: nothing more is read. */
  stop(): void {
    this.#phase = STOPPED
    this.#ahead = null
    this.#receiver = null
    this.#stopWaiting?.()
    this.#stopWaiting = null
  }

  /** Takes what can be taken; keeps the rest for later. */
  #process(chunk: Span): void {
    const { length } = chunk
    const owner = this.#owner
    this.#processing = true
    owner.reading()
    let headBegan = false
    /** The length of a head that was copied out of lent memory. */
    let copied = 0
    try {
      while (chunk.length > 0) {
        if (this.#phase === HEAD) {
          const fresh = !this.#parser.begun
          if (fresh) this.startedAt = 0
          if (chunk.lent && chunk.start > 0) ownRest(chunk)
          this.#parser.feed(chunk)
          if (this.#parser.complete) {
            const { head } = this.#parser
            if (chunk.lent && isLent(head.bytes)) {
              head.bytes = copyOfFirst(head.bytes, chunk.start)
              copied = head.bytes.length
            }
            owner.begin(head)
          } else if (fresh) {
            headBegan = true
            this.startedAt = Date.now()
            owner.headBegan()
          }
        } else if (this.#phase === BODY && !this.#bodyPaused) {
          this.#takeBody(chunk)
        } else {
          break
        }
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      this.#processing = false
      owner.refuseMessage(error)
      return
    }
    this.#processing = false
    if ((this.#phase as number) === STOPPED) return
    const left = chunk.length
    if (left > 0) this.#ahead = ownPart(chunk)
    else if (this.#phase === HEAD && !this.#parser.begun) owner.becameIdle()
    // Of what is lent, only the head is kept.
    const pinned = chunk.lent ? copied : length
    if (pinned > SHARED_READ && this.#phase !== HEAD && this.#parser.held === 0)
      this.#pinned = pinned
    owner.count()
    if (this.#phase === HEAD && this.#memory.full && this.#parser.begun) this.#lackMemory(headBegan)
    else if (this.#bodyPaused || left > this.#mostAhead) this.#socket.pause()
    // The body ended in a pause. A client that leaves must be noticed.
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  #takeBody(chunk: Span): void {
    const receiver = this.#receiver!
    receiver.receive(chunk, this.#bodyData)
    if (!receiver.done || this.#phase !== BODY) return
    this.#phase = NEXT
    this.#receiver = null
    // The handler that asked for the pause has the whole body. The next request must not wait for
    // the end of the pause.
    this.#bodyPaused = false
    this.#owner.bodyEnd()
  }

  get #mostAhead(): number {
    return this.#memory.full ? 0 : READ_AHEAD
  }

  /**
   * A head is incomplete, and there is no memory for more of it: a new one is refused, an older one
   * waits.
   */
  #lackMemory(fresh: boolean): void {
    if (fresh) return this.#owner.refuseMessage(noMemory())
    this.#socket.pause()
    this.#stopWaiting ??= this.#memory.whenSpace(() => {
      this.#stopWaiting = null
      if (this.#phase === HEAD) this.#socket.resume()
    })
  }
}

/** The refusal of a message because no memory is left. */
export function noMemory(): HttpError {
  return new HttpError(503, 'no-memory', 'there is no memory for more of it (see client_memory)')
}

/**
 * Bytes to keep for later: a copy if they are the smaller part of the read that they came in.
 */
function ownPart(chunk: Span): Buffer {
  const part = chunk.view()
  if (chunk.lent) return owned(part)
  return chunk.bytes.length > 4 * SHARED_READ && part.length * 2 < chunk.bytes.length
    ? Buffer.from(part)
    : part
}

/**
 * Makes a copy of what follows the first request in a read: the next head is kept, and its offsets
 * are those of the memory that it lies in.
 */
function ownRest(chunk: Span): void {
  const rest = owned(chunk.view())
  chunk.set(rest, 0, rest.length)
}
