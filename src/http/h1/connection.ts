import type { Socket } from 'node:net'
import { EMPTY, Span } from '../../bytes/span.ts'
import type { LentSocket } from '../../transport/lent-socket.ts'
import { reset } from '../../transport/reset.ts'
import { BodyDeadline } from '../body-deadline.ts'
import { ClientConnection } from '../client-connection.ts'
import type {
  Connection,
  ConnectionContext,
  ConnectionKind,
  RequestInProgress,
} from '../connection.ts'
import { type Deadlined, NEVER } from '../deadlines.ts'
import { HttpError } from '../errors.ts'
import type { Peer, Reply, RequestSink } from '../exchange.ts'
import { Progress } from '../progress.ts'
import type { Field, ResponseHead } from '../response-head.ts'
import { smallAnswer } from '../small-answer.ts'
import { type Outlet, WriteDeadline } from '../write-deadline.ts'
import { LingeringClose } from './lingering-close.ts'
import type { H1RequestHead } from './request-head.ts'
import { noMemory, type ReaderOwner, RequestReader } from './request-reader.ts'
import { ResponseWriter, type WriterOwner } from './response-writer.ts'

/**
 * An HTTP/1.x connection (RFC 9112): takes requests one after another off a socket, hands each to
 * the handler and writes the answer. One exchange at a time, so answers to pipelined requests go
 * out in order by themselves; what a client sends ahead waits, bounded.
 *
 * Reading, writing and ending are each in a class of their own; this one holds the current exchange
 * and the rules between the three.
 */
export class H1Connection
  extends ClientConnection
  implements Connection, Reply, Deadlined, Outlet, ReaderOwner, WriterOwner
{
  readonly takesLent = true
  /** The sink of the current exchange. */
  sink: RequestSink | null = null

  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #reader: RequestReader
  readonly #writer: ResponseWriter
  readonly #ending: LingeringClose
  /** When a head must be complete, or the next one must have begun. */
  #headDeadline: number
  // Of the current exchange.
  readonly #bodyDeadline: BodyDeadline
  readonly #writeDeadline: WriteDeadline
  #head: H1RequestHead | null = null
  /** When it had a head, on the clock of `Deadlines`. */
  #begunAt = 0
  /** The client waits for `100 Continue`. */
  #continueOwed = false
  /** What another process writes to the socket before the body; null if none writes to it. */
  #lent: string | null = null
  /** It has done so before. */
  #wasLent = false
  /** Bytes counted as held for this client. */
  #held = 0
  #progress: Progress | null = null

  constructor(socket: Socket, context: ConnectionContext) {
    super(socket)
    const { deadlines, timeouts, rates, limits, memory, serverName } = context
    this.#socket = socket
    this.#context = context
    this.#reader = new RequestReader(socket, limits, memory, this)
    this.#writer = new ResponseWriter(socket, serverName, this)
    this.#ending = new LingeringClose(socket, context)
    this.#bodyDeadline = new BodyDeadline(deadlines, timeouts, rates)
    this.#writeDeadline = new WriteDeadline(deadlines, timeouts, rates, this)
    deadlines.add(this)
    this.#headDeadline = deadlines.in(timeouts.header)
    context.idle.addSilent(this)
    socket.on('end', () => this.clientEnded())
    socket.on('drain', () => this.#drained())
    socket.on('error', () => {}) // 'close' follows and does what is to be done
    socket.on('close', () => this.#closed())
  }

  get kind(): ConnectionKind {
    return 'http1'
  }

  get peer(): Peer {
    return this
  }

  get bytesSent(): number {
    return this.#writer.bytesSent
  }

  get idle(): boolean {
    return this.#reader.idle
  }

  override inProgress(): readonly RequestInProgress[] {
    const head = this.#head
    if (head === null) return []
    const seconds = Math.max(0, this.#context.deadlines.now - this.#begunAt) / 1000
    return [{ requestLine: head.requestLine(), seconds, answered: this.#writer.finishing }]
  }

  // ---------------------------------------------------------------- reading

  received(bytes: Span): void {
    if (this.#ending.begun) this.#ending.received(bytes.length)
    else this.#reader.received(bytes)
  }

  reading(): void {
    this.idleIn?.delete(this)
  }

  headBegan(): void {
    this.#headDeadline = this.#context.deadlines.in(this.#context.timeouts.header)
  }

  begin(head: H1RequestHead): void {
    const { timeouts, handler, deadlines } = this.#context
    this.#head = head
    this.#begunAt = deadlines.now
    this.#writer.begin(head, head.keepAlive && timeouts.keepAlive > 0)
    this.#headDeadline = NEVER
    const sink = handler(head, this)
    this.sink = sink
    if (head.hasBody) {
      this.#reader.readBody(head)
      this.#continueOwed = head.expectContinue
      // A client that waits for "100 Continue" owes nothing yet.
      if (!this.#continueOwed) this.#bodyDeadline.begin()
      sink.begin()
    } else {
      this.#reader.awaitAnswer()
      sink.begin()
      if (!this.#writer.begun) this.sink?.bodyEnd() // begin() may have refused the request
    }
    // The client closed its direction after this request; only the exchange before this one knows.
    if (this.#socket.readableEnded) this.sink?.clientEnded()
  }

  bodyData(data: Buffer): void {
    this.#bodyDeadline.received(data.length)
    // An answer that is complete, but has not all left yet, closes the connection. Nobody needs the
    // rest of the body.
    if (!this.#writer.finishing) this.sink?.bodyData(data)
  }

  bodyEnd(): void {
    this.#continueOwed = false
    this.#bodyDeadline.end()
    if (!this.#writer.finishing) this.sink?.bodyEnd()
  }

  pauseBody(): void {
    this.#bodyDeadline.pause()
    this.#reader.pauseBody()
  }

  resumeBody(): void {
    if (!this.#reader.bodyPaused) return
    this.#bodyDeadline.resume()
    this.#reader.resumeBody()
  }

  wantBody(): void {
    if (!this.#continueOwed) return
    this.#continueOwed = false
    // Whether the client sends its body without it shows in time.
    this.#writer.sendContinue()
    this.#bodyDeadline.begin()
  }

  becameIdle(): void {
    this.#context.idle.add(this)
  }

  /**
   * The client will send no more. It may still be reading (RFC 9112 §9.6), so an exchange under way
   * is finished.
   */
  clientEnded(): void {
    const reader = this.#reader
    if (this.#ending.begun) this.#socket.destroySoon()
    else if (reader.hasAhead || reader.awaitsAnswer) this.sink?.clientEnded()
    else if (reader.inBody)
      this.refuseMessage(
        new HttpError(400, 'incomplete-body', 'the client ended within a request body'),
      )
    else if (reader.inHead)
      this.refuseMessage(
        new HttpError(400, 'incomplete-head', 'the client ended within a request head'),
      )
    else this.#finishConnection()
  }

  // ---------------------------------------------------------------- answering

  inform(status: 103, fields: readonly Field[]): void {
    this.#writer.inform(status, fields)
    this.#watchWrites()
  }

  respond(head: ResponseHead, body: Span): boolean {
    if (!this.#writer.fits(head, body.length)) {
      this.start(head)
      const kept = this.data(body)
      this.finish()
      return kept
    }
    this.#decideEnd()
    const kept = this.#writer.respond(head, body)
    this.#finishResponse()
    return kept
  }

  start(head: ResponseHead, body: Span = EMPTY): boolean {
    this.#decideEnd()
    const kept = this.#writer.start(head, body)
    this.#watchWrites()
    return kept
  }

  data(body: Span): boolean {
    const kept = this.#writer.data(body)
    this.#watchWrites()
    return kept
  }

  lend(bytes: number): LentSocket | null {
    const socket = this.#socket
    if (this.tls !== null || socket.destroyed || socket.writableEnded) return null
    if (socket.writableLength > 0 || !this.#writer.takesPlain(bytes)) return null
    const before = this.#writer.headToLend()
    if (socket.writableLength > 0) return null
    this.#lent = before
    this.#wasLent = true
    // The other process gives it back when it has to wait. This is for one that does not.
    this.#writeDeadline.watch()
    return { socket, before }
  }

  lendingEnded(sent: number): void {
    const before = this.#lent
    this.#lent = null
    this.#writeDeadline.clear()
    if (before !== null) this.#writer.skip(sent, before)
  }

  finish(): void {
    if (!this.#writer.complete) {
      this.abort()
      return
    }
    this.#writer.finish()
    this.#finishResponse()
  }

  abort(atOnce = false): void {
    // What was sent before still arrives; then the connection ends, for a chunked body without its
    // last chunk.
    this.#writer.sendHead()
    if (atOnce || this.#writer.needsReset) reset(this.#socket)
    else this.#finishConnection()
    this.#endExchange(false)
  }

  refuse(status: number, options: { close?: boolean; fields?: readonly Field[] } = {}): void {
    if (options.close) this.#writer.keepAlive = false
    const [head, body] = smallAnswer(status, options.fields ?? [])
    this.respond(head, new Span().set(body, 0, body.length))
  }

  pieceWritten(sink: RequestSink | null, bytes: number): void {
    if (this.#held !== 0) this.#count()
    if (this.#socket.writableLength === 0 && this.#lent === null) this.#writeDeadline.clear()
    // A pipelined request may have begun before the last piece of the answer to the one before has
    // left.
    if (sink === this.sink) sink?.written(bytes)
  }

  headWritten(): void {
    this.#watchWrites()
  }

  /** Before a head is written: whether the connection ends after this answer. */
  #decideEnd(): void {
    // A body that has not come yet would be read as the next request, and one that waits for "100
    // Continue" may never come.
    if (this.#reader.inBody || this.#context.stopping) this.#writer.keepAlive = false
    else if (this.#socket.readableEnded && !this.#reader.hasAhead) this.#writer.keepAlive = false
  }

  /**
   * The last byte was given to the socket. Nothing else begins until the socket has taken it.
   */
  #finishResponse(): void {
    if (this.#socket.writableNeedDrain) this.#watchWrites()
    else this.#responseFinished()
  }

  #drained(): void {
    this.#writeDeadline.clear()
    if (this.#held !== 0) this.#count()
    if (this.#writer.finishing) this.#responseFinished()
  }

  #responseFinished(): void {
    const reader = this.#reader
    this.#writer.end()
    if (!this.#writer.keepAlive || !reader.awaitsAnswer) {
      this.#finishConnection()
      this.#endExchange(true)
      return
    }
    const { deadlines, timeouts, idle, stopping, patient } = this.#context
    reader.reset()
    if (this.#held !== 0) this.#count()
    this.#headDeadline = deadlines.in(timeouts.keepAlive)
    this.#endExchange(true)
    if (!reader.hasAhead && !reader.processing) {
      if (stopping && !patient) return this.#finishConnection()
      idle.add(this)
    }
    reader.resume()
  }

  #watchWrites(): void {
    if (this.#socket.writableLength === 0) return
    this.#count()
    this.#writeDeadline.watch()
  }

  #endExchange(completed: boolean): void {
    const { sink } = this
    this.sink = null
    this.#head = null
    this.#lent = null
    sink?.closed(completed)
  }

  // ---------------------------------------------------------------- deadlines and memory

  checkDeadlines(now: number): void {
    if (this.#headDeadline <= now) this.#headDeadlinePassed()
    if (this.#bodyDeadline.at <= now) this.#bodyDeadlinePassed()
    if (this.#writeDeadline.at <= now) this.#writeDeadlinePassed()
    if (this.#ending.at <= now) this.#ending.passed()
  }

  #headDeadlinePassed(): void {
    this.#headDeadline = NEVER
    if (this.#reader.waitsForMemory) this.refuseMessage(noMemory())
    else if (this.#reader.inHead)
      this.refuseMessage(new HttpError(408, 'header-timeout', 'the request head took too long'))
    // By then, everything that arrived in the meantime has been read.
    else setImmediate(() => this.#idleTooLong())
  }

  #idleTooLong(): void {
    if (this.idle && this.#headDeadline === NEVER) this.closeIdle()
  }

  #bodyDeadlinePassed(): void {
    const error = this.#bodyDeadline.passed()
    if (error !== null) this.refuseMessage(error)
  }

  #writeDeadlinePassed(): void {
    if (this.#socket.writableLength === 0 && this.#lent === null) return this.#writeDeadline.clear()
    const reason = this.#writeDeadline.passed()
    if (reason === null) return this.#count()
    this.#report(408, reason, 'slow-reader')
    reset(this.#socket)
  }

  relieve(): void {
    const reader = this.#reader
    if (this.#held === 0 && !reader.inBody) return
    this.#progress ??= new Progress()
    const little = this.#progress.look(
      this.taken + this.#socket.bytesRead,
      this.#context.deadlines.now,
    )
    if (little === null) return
    if (this.#socket.writableLength > 0) {
      const { bytes, milliseconds } = little
      const what = `the client took only ${bytes} bytes of its answer in ${milliseconds} ms`
      this.#report(503, `there is no memory left, and ${what}`, 'no-memory')
      reset(this.#socket)
    } else if ((reader.inBody && !reader.bodyPaused) || reader.inHead) {
      this.refuseMessage(noMemory())
    }
  }

  count(): void {
    // Nothing is held for nearly all requests.
    if (this.#held !== 0 || this.#reader.held !== 0) this.#count()
  }

  /** Counts what is held for this client. */
  #count(): void {
    const held = this.#reader.held + this.#socket.writableLength
    if (held === this.#held) return
    this.#context.memory.add(held - this.#held)
    this.#held = held
  }

  // ---------------------------------------------------------------- ending

  closeWhenIdle(): void {
    if (this.idle) this.closeIdle()
    else if (this.#ending.begun) this.#ending.awaitClientEnd()
  }

  closeIdle(): void {
    // Nothing is unread and nothing unsent, so there is no answer that a reset could destroy and
    // nothing to linger for; unless the rest of the last answer is still on its way.
    if (this.#socket.writableLength > 0) this.#finishConnection()
    // With TLS, the client must see that this is the end (RFC 8446 §6.1). A process that a worker
    // has forked meanwhile may have a descriptor too: then only shutdown(2) ends the connection.
    else if (this.tls !== null || this.#wasLent) this.#socket.destroySoon()
    else this.#socket.destroy()
    this.idleIn?.delete(this)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Answers a message that cannot be taken, and ends the connection: what follows it cannot be
   * trusted.
   */
  refuseMessage(error: HttpError): void {
    const gaveUp = error.code === 'incomplete-head' || error.code === 'incomplete-body'
    this.#report(error.status, error.message, error.code, gaveUp)
    const { sink } = this
    this.sink = null
    const answered = this.#writer.begun
    if (!answered && !this.#socket.writableEnded) {
      const { method } = this.#head ?? this.#reader.head
      this.#writer.refuse(error.status, method === 'HEAD')
      this.#finishConnection()
    } else {
      this.#stopReading()
      reset(this.#socket)
    }
    this.#head = null
    if (answered) sink?.closed(false)
    else sink?.closed(false, error.status)
  }

  #report(status: number, reason: string, code: string, gaveUp = false): void {
    const reader = this.#reader
    this.#context.refused({
      peer: this,
      status,
      reason,
      code,
      requestLine: this.#head?.requestLine() ?? reader.requestLine(),
      gaveUp,
      begun: !reader.beforeBody,
      startedAt: reader.startedAt || Date.now(),
    })
  }

  #finishConnection(): void {
    if (this.#ending.begun) return
    this.#stopReading()
    this.idleIn?.delete(this)
    this.#watchWrites()
    this.#ending.begin()
  }

  #stopReading(): void {
    this.#reader.stop()
    this.#headDeadline = NEVER
    this.#bodyDeadline.end()
  }

  #closed(): void {
    this.#stopReading()
    this.idleIn?.delete(this)
    this.#context.deadlines.delete(this)
    this.#context.memory.add(-this.#held)
    this.#held = 0
    this.#endExchange(false)
    this.#context.closed(this)
  }
}
