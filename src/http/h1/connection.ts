import type { Socket } from 'node:net'
import { EMPTY, Span } from '../../bytes/span.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { Receiver } from '../../transport/accept-sockets.ts'
import { unacknowledged } from '../../transport/unacknowledged.ts'
import type { Deadlined, Deadlines } from '../deadlines.ts'
import { HttpError } from '../errors.ts'
import type { Peer, Reply, RequestHandler, RequestSink } from '../exchange.ts'
import type { IdleConnections, IdleMember } from '../idle-connections.ts'
import type { HeadLimits } from '../limits.ts'
import type { Field, ResponseHead } from '../response-head.ts'
import { RETRY_SOON, smallAnswer } from '../small-answer.ts'
import { ChunkedBody } from './chunked-body.ts'
import { type BodyReceiver, FixedLengthBody } from './fixed-length-body.ts'
import { dateLine, serverLine } from './own-lines.ts'
import { RenderedHead } from './rendered-head.ts'
import type { H1RequestHead } from './request-head.ts'
import { RequestHeadParser } from './request-head-parser.ts'

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly limits: HeadLimits
  readonly timeouts: Timeouts
  readonly rates: Rates
  /** What is held for clients is counted here. */
  readonly memory: MemoryBudget
  /** The value of the `Server` field, or '' for none. */
  readonly serverName: string
  readonly deadlines: Deadlines
  /** The connections that wait for a request. */
  readonly idle: IdleConnections<Connection>
  readonly handler: RequestHandler
  /** Hears of every message that was refused, for the error log. */
  readonly refused: (refusal: Refusal) => void
  /** Hears of every connection that is no more. */
  readonly closed: (connection: Connection) => void
  /** Set when the server is stopping: answers say `Connection: close`. */
  stopping: boolean
  /**
   * While it is stopping: idle connections stay for one more request, which is told that it is the
   * last.
   */
  patient: boolean
}

/** How long a connection waits for what; seconds, 0 for no limit. */
export interface Timeouts {
  /** From the first byte of a head to its end. */
  readonly header: number
  /** A body must keep to its rate in each such period. */
  readonly body: number
  /** From the head to the end of the body. */
  readonly wholeBody: number
  readonly keepAlive: number
  /** A response must be taken at its rate in each such period. */
  readonly write: number
}

/**
 * How fast a client must be at least, in bytes per second on average over a time-out; 0 asks for
 * any progress at all.
 */
export interface Rates {
  readonly body: number
  readonly write: number
}

/** One refused message: what the client was answered and why. */
export interface Refusal {
  readonly peer: Peer
  readonly status: number
  readonly reason: string
  /**
   * The request line as it was sent, a character a byte; up to 128 bytes of one that is not whole.
   * '' when nothing of it came.
   */
  readonly requestLine: string
  /**
   * The client ended the connection in the midst of its own message: nobody has done anything
   * wrong.
   */
  readonly gaveUp: boolean
  /** Its head was in order and went to the handler, which hears of the refusal too. */
  readonly begun: boolean
  readonly startedAt: number
}

/**
 * While memory is lacking altogether, a client that holds some of it is looked at this often, and
 * must take or send so many bytes a second.
 */
const RELIEF_MS = 1000
const RELIEF_RATE = 16 * 1024
/**
 * A read of up to this size lies beside others, in memory that is not for one client
 * (transport/accept-sockets.ts).
 */
const SHARED_READ = 4 * 1024
/** What a client may send ahead (pipelined) before its socket is no longer read. */
const READ_AHEAD = 64 * 1024
/**
 * After the last answer of a connection, how much is read and thrown away, and for how long, before
 * it is cut.
 */
const LINGER_BYTES = 256 * 1024 * 1024
const LINGER_SECONDS = 5
/**
 * When the server stops, a client that sends nothing for so long has nothing on its way that a
 * reset would answer: the end need not wait for it.
 */
const LINGER_SECONDS_STOPPING = 1
/**
 * Up to here a response, or a chunk of one, goes out as one latin-1 string, which node writes from
 * the stack. A larger body is written from where it is.
 */
const ONE_STRING = 4 * 1024

const HEAD = 0
const BODY = 1
const ANSWER = 2
const LINGER = 3
const CLOSED = 4

/** What node's handle of a socket tells of its writes. */
interface WriteState {
  /** Bytes that were given to it. */
  readonly bytesWritten?: number
  /** Bytes of these that it still has. */
  readonly writeQueueSize?: number
}

const NOTHING_SENT = 0
const BODY_OPEN = 1
const FINISHING = 2

/**
 * An HTTP/1.1 connection (RFC 9112): takes requests one after another off a socket, hands each to
 * the handler and writes the answer. One exchange at a time, so answers to pipelined requests go
 * out in order by themselves; what a client sends ahead waits, bounded.
 */
export class Connection implements Receiver, Reply, Peer, Deadlined, IdleMember<Connection> {
  readDeadline: number
  writeDeadline = Number.POSITIVE_INFINITY
  readonly remoteAddress: string
  readonly remotePort: number
  readonly encrypted: boolean
  bytesSent = 0
  environPart: object | null = null
  idleBefore: Connection | null = null
  idleAfter: Connection | null = null
  idleIn: IdleMember<Connection>['idleIn'] = null
  idleSince = 0

  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #parser: RequestHeadParser
  #phase = HEAD
  #processing = false
  /** Bytes that came before they could be used. */
  #ahead: Buffer | null = null

  // The exchange at hand.
  #head: H1RequestHead | null = null
  #sink: RequestSink | null = null
  #receiver: BodyReceiver | null = null
  #bodyPaused = false
  #bodyBytes = 0
  /** When a head began to come that did not come at once, in milliseconds since 1970; else 0. */
  #startedAt = 0
  #continueOwed = false
  #sent = NOTHING_SENT
  #keepAlive = false
  #withoutBody = false
  #chunked = false
  /** Bytes that the declared Content-Length still asks for; Infinity when none was declared. */
  #owed = 0
  #lingered = 0
  #lingerDeadline = Number.POSITIVE_INFINITY
  /**
   * When the body must be complete; while it is paused, how long is left instead, in milliseconds.
   */
  #bodyUntil = Number.POSITIVE_INFINITY
  #bodyLeft = 0
  #readLeft = 0
  /** What had left this process when the write time-out began. */
  #takenAtMark = 0
  /** What the client had acknowledged when its second write time-out began; -1 in the first. */
  #acknowledgedAtMark = -1
  /** Bytes counted as held for this client. */
  #held = 0
  /** Of these, the read that the head at hand came in, where that is a large one of its own. */
  #pinned = 0
  /** What had left this process, and when that was looked at, while memory was lacking. */
  #lookedAt = Number.POSITIVE_INFINITY
  #takenThen = 0
  /**
   * Gives up waiting for memory, for which this socket is not read; null while it does not wait.
   */
  #stopWaiting: (() => void) | null = null

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket
    // What node:tls has is; nothing else is.
    this.encrypted = (socket as { encrypted?: boolean }).encrypted === true
    this.#context = context
    this.#parser = new RequestHeadParser(context.limits)
    this.remoteAddress = socket.remoteAddress ?? ''
    this.remotePort = socket.remotePort ?? 0
    context.deadlines.add(this)
    this.readDeadline = context.deadlines.in(context.timeouts.header)
    context.idle.addSilent(this)
    socket.on('end', () => this.#ended())
    socket.on('drain', () => this.#drained())
    socket.on('error', () => {}) // 'close' follows and does what is to be done
    socket.on('close', () => this.#closed())
  }

  get peer(): Peer {
    return this
  }

  // A system call each, so only on request.
  get localAddress(): string {
    return this.#socket.localAddress ?? ''
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  /** No request is being read or answered: nobody would miss this connection. */
  get idle(): boolean {
    return this.#phase === HEAD && !this.#parser.begun && this.#ahead === null
  }

  /**
   * Ends the connection if it is idle, see {@link closeIdle}; otherwise it ends after the exchange
   * at hand.
   */
  closeWhenIdle(): void {
    if (this.idle) this.closeIdle()
    else if (this.#phase === LINGER) this.#awaitClientEnd()
  }

  /**
   * Ends an idle connection at once. Nothing is unread and nothing unsent, so there is no answer
   * that a reset could destroy and nothing to linger for. Call it when all sockets have just been
   * read (after the event loop's poll phase): what has arrived and was not read is a request that
   * would be lost.
   */
  closeIdle(): void {
    // The rest of its last answer is still on its way.
    if (this.#socket.writableLength > 0) this.#finishConnection()
    else this.#socket.destroy()
    this.idleIn?.delete(this)
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Ends the connection now, with a reset where there is such a thing. Node's `resetAndDestroy()`
   * will not do: it throws on a unix socket, and on others it ends the stream in good order first,
   * which waits for a client that takes nothing and tells one that does that all is well.
   */
  #reset(): void {
    const socket = this.#socket as Socket & {
      resetAndClosing?: boolean
      _handle?: { reset?: unknown } | null
    }
    if (typeof socket._handle?.reset === 'function') socket.resetAndClosing = true
    socket.destroy()
  }

  // ---------------------------------------------------------------- reading

  /**
   * Takes what the socket has read: bytes [start, end) of `bytes`, to which nobody writes again.
   */
  received(bytes: Buffer, start: number, end: number): void {
    if (this.#phase >= LINGER) {
      this.#lingered += end - start
      if (this.#lingered > LINGER_BYTES) this.#socket.destroy()
      else if (this.#phase === LINGER) this.#awaitClientEnd()
      return
    }
    if (this.#ahead !== null) {
      this.#ahead = Buffer.concat([this.#ahead, bytes.subarray(start, end)])
      if (this.#ahead.length > this.#mostAhead) this.#socket.pause()
      this.#count()
      return
    }
    this.#process(bytes, start, end)
  }

  /** Takes what can be taken; keeps the rest for later. */
  #process(chunk: Buffer, start: number, end: number): void {
    this.#processing = true
    this.idleIn?.delete(this)
    let at = start
    let headBegan = false
    try {
      while (at < end) {
        if (this.#phase === HEAD) {
          const fresh = !this.#parser.begun
          if (fresh) this.#startedAt = 0
          at += this.#parser.feed(chunk, at, end)
          if (this.#parser.complete) this.#begin(this.#parser.head)
          else if (fresh) {
            headBegan = true
            this.#startedAt = Date.now()
            this.readDeadline = this.#context.deadlines.in(this.#context.timeouts.header)
          }
        } else if (this.#phase === BODY && !this.#bodyPaused) {
          at += this.#takeBody(chunk, at, end)
        } else {
          break
        }
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      this.#processing = false
      this.#refuseMessage(error)
      return
    }
    this.#processing = false
    if (this.#phase >= LINGER) return
    if (at < end) this.#ahead = ownPart(chunk, at, end)
    else if (this.#phase === HEAD && !this.#parser.begun) this.#context.idle.add(this)
    if (end - start > SHARED_READ && this.#phase !== HEAD && this.#parser.held === 0)
      this.#pinned = end - start
    if (this.#held !== 0 || this.#pinned !== 0 || this.#ahead !== null || this.#parser.held !== 0)
      this.#count()
    if (this.#phase === HEAD && this.#context.memory.full && this.#parser.begun)
      this.#lackMemory(headBegan)
    else if (this.#bodyPaused || (at < end && end - at > this.#mostAhead)) this.#socket.pause()
    // the body ended in a pause; a client that leaves must be noticed
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  /** Goes on with what came ahead. */
  #resume(): void {
    if (this.#processing || this.#phase >= LINGER) return
    const ahead = this.#ahead
    if (ahead !== null) {
      this.#ahead = null
      this.#process(ahead, 0, ahead.length)
    }
    if (this.#phase >= LINGER || this.#ahead !== null) return
    if (this.#socket.isPaused()) this.#socket.resume()
    // Its end came while there was still something to take: nothing will announce it again.
    if (this.#socket.readableEnded && this.#phase !== ANSWER) this.#ended()
  }

  get #mostAhead(): number {
    return this.#context.memory.full ? 0 : READ_AHEAD
  }

  /**
   * A head is incomplete, and there is no memory for more of it: a new one is refused, an older one
   * waits.
   */
  #lackMemory(fresh: boolean): void {
    if (fresh) return this.#refuseMessage(noMemory())
    this.#socket.pause()
    this.#stopWaiting ??= this.#context.memory.whenRoom(() => {
      this.#stopWaiting = null
      if (this.#phase === HEAD) this.#socket.resume()
    })
  }

  /** Counts what is held for this client. */
  #count(): void {
    const held =
      this.#parser.held +
      this.#pinned +
      (this.#ahead === null ? 0 : this.#ahead.length) +
      this.#socket.writableLength
    if (held === this.#held) return
    this.#context.memory.add(held - this.#held)
    this.#held = held
  }

  #begin(head: H1RequestHead): void {
    this.#head = head
    this.#keepAlive = head.keepAlive && this.#context.timeouts.keepAlive > 0
    this.#sent = NOTHING_SENT
    this.bytesSent = 0
    this.#sink = this.#context.handler(head, this)
    if (head.chunked || head.contentLength > 0) {
      this.#phase = BODY
      this.#receiver = head.chunked
        ? new ChunkedBody(this.#context.limits)
        : new FixedLengthBody(head.contentLength)
      this.#continueOwed = head.expectContinue
      // A client that waits for "100 Continue" owes nothing yet.
      if (!this.#continueOwed) this.#beginBody()
      else {
        this.#bodyUntil = Number.POSITIVE_INFINITY
        this.readDeadline = Number.POSITIVE_INFINITY
      }
      this.#sink.begin()
    } else {
      this.#phase = ANSWER
      this.readDeadline = Number.POSITIVE_INFINITY
      this.#sink.begin()
      if (this.#sent === NOTHING_SENT) this.#sink?.bodyEnd() // begin() may have refused the request
    }
    // It was sent ahead of the client's end, which was told to the exchange before this one.
    if (this.#socket.readableEnded) this.#sink?.clientEnded()
  }

  readonly #bodyData = (data: Buffer): void => {
    this.#bodyBytes += data.length
    // An answer that is complete, but has not all left yet, closes the connection; the rest of the
    // body is nobody's.
    if (this.#sent !== FINISHING) this.#sink?.bodyData(data)
  }

  #takeBody(chunk: Buffer, at: number, end: number): number {
    const receiver = this.#receiver!
    const consumed = receiver.receive(chunk, at, end, this.#bodyData)
    if (receiver.done && this.#phase === BODY) {
      this.#phase = ANSWER
      this.#receiver = null
      this.#continueOwed = false
      this.readDeadline = Number.POSITIVE_INFINITY
      // Whoever asked for a pause has all there is; the next request is not to wait for the end of
      // it.
      this.#bodyPaused = false
      if (this.#sent !== FINISHING) this.#sink?.bodyEnd()
    }
    return consumed
  }

  pauseBody(): void {
    // What the application takes is not the client's time.
    if (!this.#bodyPaused) {
      this.#bodyLeft = this.#bodyUntil - this.#context.deadlines.now
      this.#readLeft = this.readDeadline - this.#context.deadlines.now
    }
    this.#bodyPaused = true
    this.readDeadline = Number.POSITIVE_INFINITY
    // What arrives meanwhile is kept by #received, which pauses the socket when it is too much.
    this.#socket.pause()
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    const { now } = this.#context.deadlines
    this.#bodyUntil = now + this.#bodyLeft
    // The time-out goes on where it was, with what the body has brought: pauses must not be a way
    // to begin it anew.
    if (this.#phase === BODY && !this.#continueOwed) this.readDeadline = now + this.#readLeft
    this.#resume()
  }

  wantBody(): void {
    if (!this.#continueOwed) return
    this.#continueOwed = false
    // Behind the head of the answer it would be a part of the body. Whether the client sends its
    // body without it shows in time.
    if (this.#sent === NOTHING_SENT) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    this.#beginBody()
  }

  #beginBody(): void {
    const { deadlines, timeouts } = this.#context
    this.#bodyUntil = deadlines.in(timeouts.wholeBody)
    if (this.#bodyPaused) {
      this.#bodyLeft = this.#bodyUntil - deadlines.now
      this.#readLeft = deadlines.in(timeouts.body) - deadlines.now
    } else {
      this.#awaitBody()
    }
  }

  #awaitBody(): void {
    this.#bodyBytes = 0
    this.readDeadline = Math.min(
      this.#bodyUntil,
      this.#context.deadlines.in(this.#context.timeouts.body),
    )
  }

  readDeadlinePassed(): void {
    this.readDeadline = Number.POSITIVE_INFINITY
    switch (this.#phase) {
      case HEAD:
        if (this.#stopWaiting !== null) this.#refuseMessage(noMemory())
        else if (this.#parser.begun)
          this.#refuseMessage(
            new HttpError(408, 'header-timeout', 'the request head took too long'),
          )
        else setImmediate(() => this.#idleTooLong())
        return
      case BODY:
        this.#bodyDeadlinePassed()
        return
      default:
        // A client that reads slowly still has to get what is queued; the write time-out watches
        // over that.
        if (this.#socket.writableLength > 0) this.#linger()
        else this.#socket.destroy()
    }
  }

  #bodyDeadlinePassed(): void {
    const { deadlines, timeouts, rates } = this.#context
    if (deadlines.now >= this.#bodyUntil) {
      const reason = `the request body was not complete after ${timeouts.wholeBody} s`
      this.#refuseMessage(new HttpError(408, 'body-too-long', reason))
    } else if (this.#bodyBytes >= Math.max(1, rates.body * timeouts.body)) {
      this.#awaitBody()
    } else {
      this.#refuseMessage(new HttpError(408, 'body-timeout', 'the request body came too slowly'))
    }
  }

  /** What has come meanwhile has been read by now. */
  #idleTooLong(): void {
    if (this.idle && this.readDeadline === Number.POSITIVE_INFINITY) this.closeIdle()
  }

  /**
   * The client will send no more. It may still be reading (RFC 9112 §9.6), so an exchange under way
   * is finished.
   */
  #ended(): void {
    if (this.#phase === HEAD && this.#ahead === null) {
      if (this.#parser.begun)
        this.#refuseMessage(
          new HttpError(400, 'incomplete-head', 'the client ended within a request head'),
        )
      else this.#finishConnection()
    } else if (this.#phase === BODY && this.#ahead === null) {
      this.#refuseMessage(
        new HttpError(400, 'incomplete-body', 'the client ended within a request body'),
      )
    } else if (this.#phase >= LINGER) {
      this.#socket.destroySoon()
    } else {
      this.#sink?.clientEnded()
    }
  }

  #closed(): void {
    this.#phase = CLOSED
    this.idleIn?.delete(this)
    this.#context.deadlines.delete(this)
    this.#ahead = null
    this.#context.memory.add(-this.#held)
    this.#held = 0
    this.#stopWaiting?.()
    this.#endExchange(false)
    this.#context.closed(this)
  }

  #endExchange(completed: boolean): void {
    const sink = this.#sink
    this.#sink = null
    this.#head = null
    this.#receiver = null
    sink?.closed(completed)
  }

  // ---------------------------------------------------------------- answering

  respond(head: ResponseHead, body: Span): boolean {
    const { length } = body
    const withoutBody = this.#isWithoutBody(head)
    if (!withoutBody && head.contentLength !== -1 && head.contentLength !== length) {
      this.start(head)
      const kept = this.data(body)
      this.finish()
      return kept
    }
    this.#sent = FINISHING
    // An answer to HEAD says how long that to GET would be, where it is known (RFC 9110 §8.6).
    const says =
      head.contentLength === -1 && (!withoutBody || (length > 0 && isWithBodyToGet(head)))
    const framing = says ? `Content-Length: ${length}\r\n` : ''
    const text = this.#headText(head, framing)
    let kept = false
    if (withoutBody || length === 0) {
      this.#socket.write(text, 'latin1')
    } else {
      this.bytesSent = length
      kept = this.#write(text, body, length)
    }
    this.#finishResponse()
    return kept
  }

  start(head: ResponseHead, body: Span = EMPTY): boolean {
    this.#sent = BODY_OPEN
    this.#withoutBody = this.#isWithoutBody(head)
    let framing = ''
    if (this.#withoutBody || head.contentLength !== -1) {
      this.#chunked = false
      this.#owed = this.#withoutBody ? Number.POSITIVE_INFINITY : head.contentLength
    } else {
      this.#owed = Number.POSITIVE_INFINITY
      this.#chunked = this.#head!.minorVersion === 1
      if (this.#chunked) framing = 'Transfer-Encoding: chunked\r\n'
      // HTTP/1.0 knows the end of such a body by the end of the connection
      else this.#keepAlive = false
    }
    return this.#send(this.#headText(head, framing), body)
  }

  data(body: Span): boolean {
    return this.#send('', body)
  }

  /** Sends `text` and, framed, what of the body is wanted; see {@link Reply.data}. */
  #send(text: string, body: Span): boolean {
    const given = body.length
    const length = this.#withoutBody ? 0 : Math.min(given, this.#owed)
    if (length === 0) {
      if (text !== '') this.#socket.write(text, 'latin1')
      if (given > 0) this.#sink?.written(given)
      return false
    }
    this.#owed -= length
    this.bytesSent += length
    const sink = this.#sink
    const written = () => {
      if (this.#held !== 0) this.#count()
      if (this.#socket.writableLength === 0) this.writeDeadline = Number.POSITIVE_INFINITY
      // A pipelined request may have begun before the last piece of the answer to the one before
      // has left.
      if (sink === this.#sink) sink?.written(given)
    }
    let kept = false
    if (!this.#chunked) {
      kept = this.#write(text, body, length, written)
    } else {
      const { bytes, start } = body
      const before = `${text}${length.toString(16)}\r\n`
      if (length <= ONE_STRING) {
        const chunk = bytes.toString('latin1', start, start + length)
        this.#socket.write(`${before}${chunk}\r\n`, 'latin1', written)
      } else {
        this.#socket.cork()
        this.#socket.write(before, 'latin1')
        this.#socket.write(bytes.subarray(start, start + length))
        this.#socket.write('\r\n', 'latin1', written)
        this.#socket.uncork()
        kept = this.#socket.writableLength > 0
      }
    }
    this.#watchWrites()
    return kept
  }

  /**
   * Writes `text` and the first `length` bytes of `body` with one system call.
   * @returns whether the memory of `body` is still needed
   */
  #write(text: string, body: Span, length: number, written?: () => void): boolean {
    const socket = this.#socket
    const { bytes, start } = body
    const end = start + length
    if (length + text.length <= ONE_STRING) {
      socket.write(text + bytes.toString('latin1', start, end), 'latin1', written)
      return false
    }
    if (text.length > start - body.free) {
      socket.cork()
      socket.write(text, 'latin1')
      socket.write(bytes.subarray(start, end), written)
      socket.uncork()
      return socket.writableLength > 0
    }
    const from = start - text.length
    if (text !== '') bytes.write(text, from, 'latin1')
    const piece = bytes.subarray(from, end)
    // Behind others it would wait, and with it all that it is a part of.
    const waits = body.lent && socket.writableLength > 0
    socket.write(waits ? Buffer.from(piece) : piece, written)
    return !waits && socket.writableLength > 0
  }

  finish(): void {
    if (this.#owed !== 0 && this.#owed !== Number.POSITIVE_INFINITY) {
      this.abort()
      return
    }
    this.#sent = FINISHING
    if (this.#chunked && !this.#withoutBody) this.#socket.write('0\r\n\r\n', 'latin1')
    this.#finishResponse()
  }

  abort(atOnce = false): void {
    // What was sent before still arrives; then the connection ends, for a chunked body without its
    // last chunk. A close-delimited body has only a reset to say that it is not complete (RFC 9112
    // §8).
    const closeDelimited = !this.#chunked && this.#owed === Number.POSITIVE_INFINITY
    if (atOnce || (closeDelimited && this.#sent === BODY_OPEN)) this.#reset()
    else this.#finishConnection()
    this.#endExchange(false)
  }

  refuse(status: number, options: { close?: boolean; fields?: readonly Field[] } = {}): void {
    if (options.close) this.#keepAlive = false
    const [head, body] = smallAnswer(status, options.fields ?? [])
    this.respond(head, new Span().set(body, 0, body.length))
  }

  #isWithoutBody(head: ResponseHead): boolean {
    return this.#head!.method === 'HEAD' || !isWithBodyToGet(head)
  }

  #headText(head: ResponseHead, framing: string): string {
    // A body that has not come yet would be read as the next request, and one that waits for "100
    // Continue" may never come.
    if (this.#phase === BODY || this.#context.stopping) this.#keepAlive = false
    else if (this.#socket.readableEnded && this.#ahead === null) this.#keepAlive = false
    const date = dateLine()
    const plain = framing === '' && this.#keepAlive && this.#head!.minorVersion === 1
    const rendered = RenderedHead.of(head)
    if (plain && rendered.date === date) return rendered.text
    let text = rendered.lines
    if (!head.hasDate) text += date
    if (!head.hasServer) text += serverLine(this.#context.serverName)
    if (framing !== '') text += framing
    if (!this.#keepAlive) return `${text}Connection: close\r\n\r\n`
    if (this.#head!.minorVersion === 0) return `${text}Connection: keep-alive\r\n\r\n`
    text += '\r\n'
    if (plain) {
      rendered.date = date
      rendered.text = text
    }
    return text
  }

  /**
   * The last byte was given to the socket. What the socket has not taken yet is waited for before
   * anything else is begun.
   */
  #finishResponse(): void {
    if (this.#socket.writableNeedDrain) {
      this.#watchWrites()
      return
    }
    this.#responseFinished()
  }

  #drained(): void {
    this.writeDeadline = Number.POSITIVE_INFINITY
    if (this.#held !== 0) this.#count()
    if (this.#sent === FINISHING) this.#responseFinished()
  }

  #responseFinished(): void {
    this.#sent = NOTHING_SENT
    if (!this.#keepAlive || this.#phase !== ANSWER) {
      this.#finishConnection()
      this.#endExchange(true)
      return
    }
    this.#phase = HEAD
    this.#parser.reset()
    this.#pinned = 0
    if (this.#held !== 0) this.#count()
    this.readDeadline = this.#context.deadlines.in(this.#context.timeouts.keepAlive)
    this.#endExchange(true)
    const { stopping, patient } = this.#context
    if (this.#ahead === null && !this.#processing) {
      if (stopping && !patient) return this.#finishConnection()
      this.#context.idle.add(this)
    }
    this.#resume()
  }

  /**
   * Memory is lacking altogether: gives up a client that holds some of it and has done next to
   * nothing since this was called the last time, a second ago or more.
   */
  relieve(): void {
    if (this.#held === 0 && this.#phase !== BODY) return
    const { now } = this.#context.deadlines
    const done = this.taken + this.#socket.bytesRead
    const before = this.#takenThen
    const since = now - this.#lookedAt
    if (since >= 0 && since < RELIEF_MS) return
    this.#lookedAt = now
    this.#takenThen = done
    if (!(since >= RELIEF_MS) || since > 4 * RELIEF_MS) return // not looked at of late
    if (done - before >= (RELIEF_RATE * since) / 1000) return
    if (this.#socket.writableLength > 0) {
      this.#report(
        503,
        `there is no memory left, and the client took only ${done - before} bytes of its answer in ${Math.round(since)} ms`,
      )
      this.#reset()
    } else if (
      (this.#phase === BODY && !this.#bodyPaused) ||
      (this.#phase === HEAD && this.#parser.begun)
    ) {
      this.#refuseMessage(noMemory())
    }
  }

  #watchWrites(): void {
    if (this.#socket.writableLength === 0) return
    this.#count()
    if (this.writeDeadline !== Number.POSITIVE_INFINITY) return
    this.#takenAtMark = this.taken
    this.#acknowledgedAtMark = -1
    this.writeDeadline = this.#context.deadlines.in(this.#context.timeouts.write)
  }

  writeDeadlinePassed(): void {
    this.writeDeadline = Number.POSITIVE_INFINITY
    if (this.#socket.writableLength === 0) return
    const { rates, timeouts } = this.#context
    const taken = this.taken - this.#takenAtMark
    if (taken >= Math.max(1, rates.write * timeouts.write)) {
      this.#watchWrites()
      return
    }
    if (this.#stillAcknowledges(rates.write * timeouts.write)) return
    const what = taken === 0 ? 'nothing' : `only ${taken} bytes`
    this.#report(
      408,
      `the client took ${what} of its answer within the write time-out (${timeouts.write} s)`,
    )
    this.#reset()
  }

  /**
   * A slow reader may take longer than the time-out to make room for what this process could see.
   * So it is given another one, in which the kernel is asked what the client acknowledges.
   */
  #stillAcknowledges(least: number): boolean {
    const waiting = unacknowledged(this.localPort, this.remotePort)
    if (waiting === null) return false
    const acknowledged = this.taken - waiting
    const before = this.#acknowledgedAtMark
    if (before >= 0 && acknowledged - before < Math.max(1, least)) return false
    this.#acknowledgedAtMark = acknowledged
    this.#takenAtMark = this.taken
    this.writeDeadline = this.#context.deadlines.in(this.#context.timeouts.write)
    return true
  }

  get taken(): number {
    // Of a write that is under way only the handle knows how much is done; node's own socket
    // time-outs look at the same field.
    const handle = (this.#socket as unknown as { _handle: WriteState | null })._handle
    return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0)
  }

  // ---------------------------------------------------------------- ending

  /**
   * Answers a message that cannot be taken, and ends the connection: what follows it cannot be
   * trusted.
   */
  #refuseMessage(error: HttpError): void {
    this.#report(
      error.status,
      error.message,
      error.code === 'incomplete-head' || error.code === 'incomplete-body',
    )
    const sink = this.#sink
    this.#sink = null
    const answered = this.#sent !== NOTHING_SENT
    if (!answered && !this.#socket.writableEnded) {
      this.#keepAlive = false
      const [head, body] = smallAnswer(error.status, error.status === 503 ? RETRY_SOON : [])
      const text = this.#headText(head, `Content-Length: ${body.length}\r\n`)
      this.#socket.write(
        this.#requestHead.method === 'HEAD' ? text : text + body.toString('latin1'),
        'latin1',
      )
      this.#finishConnection()
    } else {
      this.#reset()
    }
    this.#head = null
    this.#receiver = null
    if (answered) sink?.closed(false)
    else sink?.closed(false, error.status)
  }

  /** That of the exchange at hand, or what there is of the one that is coming in. */
  get #requestHead(): H1RequestHead {
    return this.#head ?? this.#parser.head
  }

  #report(status: number, reason: string, gaveUp = false): void {
    const requestLine = this.#head?.requestLine() ?? this.#parser.requestLine()
    const begun = this.#phase !== HEAD
    const startedAt = this.#startedAt || Date.now()
    this.#context.refused({ peer: this, status, reason, requestLine, gaveUp, begun, startedAt })
  }

  /**
   * Ends our side and lets the client finish its own: closing a socket with unread bytes makes the
   * kernel send a reset, which may destroy the answer before the client has read it (RFC 9112
   * §9.6).
   */
  #finishConnection(): void {
    if (this.#phase >= LINGER) return
    this.#phase = LINGER
    this.#ahead = null
    this.idleIn?.delete(this)
    this.#watchWrites()
    this.#linger()
    if (this.#socket.readableEnded) this.#socket.destroySoon()
    else this.#socket.end()
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  #linger(): void {
    this.#lingerDeadline = this.#context.deadlines.in(LINGER_SECONDS)
    this.#awaitClientEnd()
  }

  #awaitClientEnd(): void {
    this.readDeadline = this.#context.stopping
      ? Math.min(this.#lingerDeadline, this.#context.deadlines.in(LINGER_SECONDS_STOPPING))
      : this.#lingerDeadline
  }
}

function noMemory(): HttpError {
  return new HttpError(503, 'no-memory', 'there is no memory for more of it (see client_memory)')
}

/**
 * Bytes that are kept for later: by themselves where they are the smaller part of what they came
 * in.
 */
function ownPart(chunk: Buffer, start: number, end: number): Buffer {
  const part = chunk.subarray(start, end)
  return chunk.length > 4 * SHARED_READ && part.length * 2 < chunk.length ? Buffer.from(part) : part
}

function isWithBodyToGet({ status }: ResponseHead): boolean {
  return status !== 204 && status !== 304
}
