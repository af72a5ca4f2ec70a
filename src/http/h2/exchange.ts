import type { ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'
import { EMPTY, Span } from '../../bytes/span.ts'
import { BodyDeadline } from '../body-deadline.ts'
import type { ConnectionContext, RequestInProgress } from '../connection.ts'
import { TICK_MS } from '../deadlines.ts'
import { HttpError } from '../errors.ts'
import type { Peer, Reply, RequestSink } from '../exchange.ts'
import { Progress } from '../progress.ts'
import type { Field, ResponseHead } from '../response-head.ts'
import { RETRY_SOON, smallAnswer } from '../small-answer.ts'
import { type Outlet, WriteDeadline } from '../write-deadline.ts'
import type { H2RequestHead } from './request-head.ts'
import { interimFields, isWithoutContent, RenderedFields } from './response-fields.ts'

const { NGHTTP2_NO_ERROR, NGHTTP2_STREAM_STATE_OPEN } = constants

/** What a stream is destroyed with, which Node.js tells the client as INTERNAL_ERROR. */
const BROKEN_OFF = new Error('the response is incomplete')

const NO_LENGTH = Number.POSITIVE_INFINITY
/** A piece of up to this size is copied if its memory is lent: that is cheaper than to keep it. */
const COPIED = 16 * 1024
/**
 * How much of a body is given to the session at once. All streams of a session take turns with such
 * steps, so a small answer waits for one step of each large one. And a step is the least progress
 * of a client that can be seen.
 */
const STEP = 16 * 1024
/** The same for a client that took the last step within a tick of the clock. */
const LARGE_STEP = 64 * 1024
/** The same for one that needed longer than {@link SLOW_MS} for it. */
const SMALL_STEP = 1024
const SLOW_MS = 1000
/** How much of a step that it does not take whole a client must take within the write timeout. */
const LEAST_PART = 1024
/** When the part of a step that the client's window allows has left, in milliseconds. */
const SETTLED_MS = 1.5 * TICK_MS
/** What an open stream takes beside its head and its data, measured with Node.js 20. In bytes. */
const STREAM_COST = 8 * 1024
/** What a field takes beside its bytes, at most: offsets, and a name that is not known. */
const FIELD_COST = 256
/** A chunk of a body that uses less of its memory than this share is copied. */
const LEAST_SHARE = 2

// The states of the answer.
const NOTHING_SENT = 0
const BODY_OPEN = 1
const FINISHING = 2

/** The connection of an exchange. */
export interface ExchangeOwner extends Peer {
  readonly context: ConnectionContext
  /** The socket has bytes that the kernel does not take: no stream can move on. */
  readonly blocked: boolean
  /**
   * Bytes that have left beside whole steps of its streams: parts of steps, heads, other frames.
   * Only a difference between two moments says something.
   */
  readonly partsTaken: number
  /** Counts that many of them as those of one stream. */
  countParts(bytes: number): void
  /** The exchange is over, and its stream is closed. */
  exchangeClosed(exchange: H2Exchange, wasReset: boolean): void
  /** A piece of a request's body has come. */
  bodyReceived(bytes: number): void
}

/** A part of a response body that has not been given to the session yet. */
interface Piece {
  readonly bytes: Buffer
  start: number
  readonly end: number
  /** Bytes that were cut off after it, and count as taken with it. */
  readonly excess: number
}

/** One request and its response: a stream of HTTP/2 (RFC 9113 §5). */
export class H2Exchange implements Reply, Outlet {
  /** Its place among the exchanges of its connection, which writes it. */
  exchangePlace = -1
  bytesSent = 0
  taken = 0
  readonly head: H2RequestHead
  readonly #stream: ServerHttp2Stream
  readonly #owner: ExchangeOwner
  readonly #startedAt: number
  #sink: RequestSink | null = null

  // The request's body.
  #bodyEnded = true
  #bodyPaused = false
  #continueOwed = false
  #received = 0
  #bodyDeadline: BodyDeadline | null = null

  // The response.
  #state = NOTHING_SENT
  #withoutBody = false
  #owed = 0
  #queue: Piece[] | null = null
  /** Bytes of the queue, and of the step that the session has. */
  #unsent = 0
  #writing = false
  #writingSince = 0
  #step = STEP
  /** What the owner's `partsTaken` was when the step had begun to wait; NaN before. */
  #partsAtMark = Number.NaN
  /** The stream is reset when all that was given before has left. */
  #breaksOff = false
  /** The server has reset the stream, and not because the client broke a rule. */
  #brokenOff = false
  readonly #writeDeadline: WriteDeadline
  /** Bytes counted as held for the client. */
  #held = 0
  /** What of that lasts as long as the stream. */
  #standing = STREAM_COST
  /** The stream is closed. */
  #over = false
  #progress: Progress | null = null

  constructor(owner: ExchangeOwner, stream: ServerHttp2Stream, head: H2RequestHead) {
    const { deadlines, timeouts } = owner.context
    this.#owner = owner
    this.#stream = stream
    this.head = head
    this.#startedAt = Date.now()
    // The rate is asked of the connection as a whole: its streams share it.
    this.#writeDeadline = new WriteDeadline(deadlines, timeouts, { body: 0, write: 0 }, this)
  }

  get peer(): Peer {
    return this.#owner
  }

  /** Not known of a stream. */
  get unacknowledged(): null {
    return null
  }

  /** See `Connection.inProgress`. */
  inProgress(): RequestInProgress {
    return {
      requestLine: this.head.requestLine(),
      seconds: Math.max(0, Date.now() - this.#startedAt) / 1000,
      answered: this.#state === FINISHING,
    }
  }

  // ---------------------------------------------------------------- reading

  /** The head is valid: hands the request to the handler. */
  begin(): void {
    const { head } = this
    const { handler, deadlines, timeouts, rates } = this.#owner.context
    // A client sends a large head with a few bytes, and leaves a hundred of them open.
    this.#standing += head.bytes.length + head.fieldCount * FIELD_COST
    this.#count()
    const sink = handler(head, this)
    this.#sink = sink
    if (!head.hasBody) {
      sink.begin()
      if (this.#state === NOTHING_SENT) this.#sink?.bodyEnd() // begin() may have refused it
      return
    }
    this.#bodyEnded = false
    this.#bodyDeadline = new BodyDeadline(deadlines, timeouts, rates)
    this.#continueOwed = head.expectContinue
    // A client that waits for "100 Continue" owes nothing yet.
    if (!this.#continueOwed) this.#bodyDeadline.begin()
    sink.begin()
    this.#stream.on('data', (chunk: Buffer) => this.#bodyData(chunk))
    this.#stream.on('end', () => this.#bodyEnd())
    if (this.#bodyPaused) this.#stream.pause()
  }

  #bodyData(chunk: Buffer): void {
    this.#continueOwed = false
    this.#received += chunk.length
    this.#bodyDeadline?.received(chunk.length)
    this.#owner.bodyReceived(chunk.length)
    // Of an answer that is complete, nobody needs the rest of the body.
    if (this.#state === FINISHING || this.#sink === null) return
    this.#sink.bodyData(ownChunk(chunk))
  }

  #bodyEnd(): void {
    // A stream that the client reset without an error ends in the same way.
    if (this.#stream.closed && this.#state !== FINISHING) return
    this.#bodyEnded = true
    this.#continueOwed = false
    this.#bodyDeadline?.end()
    if (this.#state !== FINISHING) this.#sink?.bodyEnd()
  }

  /** The client has closed its direction of the connection. */
  clientEnded(): void {
    const { state } = this.#stream.state
    if (!this.#bodyEnded && state === NGHTTP2_STREAM_STATE_OPEN)
      this.refuseMessage(
        new HttpError(400, 'incomplete-body', 'the client ended within a request body'),
      )
    else this.#sink?.clientEnded()
  }

  pauseBody(): void {
    if (this.#bodyEnded) return
    this.#bodyPaused = true
    this.#bodyDeadline?.pause()
    // From now on, the client's window for this stream stays closed.
    this.#stream.pause()
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#bodyDeadline?.resume()
    this.#stream.resume()
  }

  wantBody(): void {
    if (!this.#continueOwed) return
    this.#continueOwed = false
    if (this.#state === NOTHING_SENT && this.#open) {
      this.#stream.additionalHeaders({ ':status': 100 })
    }
    this.#bodyDeadline?.begin()
  }

  // ---------------------------------------------------------------- answering

  respond(head: ResponseHead, body: Span): boolean {
    const { length } = body
    const withoutBody = this.#isWithoutBody(head)
    if (head.contentLength !== -1 && head.contentLength !== length && !withoutBody) {
      this.start(head)
      const kept = this.data(body)
      this.finish()
      return kept
    }
    this.#state = FINISHING
    if (!this.#open) return false
    const declares =
      head.contentLength === -1 && (!withoutBody || (length > 0 && !isWithoutContent(head.status)))
    const ends = withoutBody || length === 0
    if (!this.#sendHead(head, declares ? length : -1, ends)) return false
    this.#writeDeadline.watch()
    if (ends) {
      this.#ended()
      return false
    }
    this.bytesSent = length
    return this.#give(body, length, 0)
  }

  inform(status: 103, fields: readonly Field[]): void {
    if (this.#state !== NOTHING_SENT || !this.#open) return
    try {
      this.#stream.additionalHeaders(interimFields(status, fields))
    } catch (error) {
      // It is only a hint, so the response goes on.
      const why = (error as Error).message
      this.#report(500, `early hints cannot be sent over HTTP/2: ${why}`, 'http2-response')
    }
  }

  start(head: ResponseHead, body: Span = EMPTY): boolean {
    this.#state = BODY_OPEN
    this.#withoutBody = this.#isWithoutBody(head)
    this.#owed = this.#withoutBody || head.contentLength === -1 ? NO_LENGTH : head.contentLength
    if (!this.#open) return false
    if (!this.#sendHead(head, -1, this.#withoutBody)) return false
    return this.data(body)
  }

  data(body: Span): boolean {
    const given = body.length
    if (given === 0 || !this.#open) return false
    const length = this.#withoutBody ? 0 : Math.min(given, this.#owed)
    if (length === 0) {
      this.#sink?.written(given)
      return false
    }
    this.#owed -= length
    this.bytesSent += length
    return this.#give(body, length, given - length)
  }

  finish(): void {
    if (this.#owed !== 0 && this.#owed !== NO_LENGTH) {
      this.abort()
      return
    }
    this.#state = FINISHING
    if (!this.#open) return
    // Also of an end without data: it may not leave, and nothing else would tell.
    this.#writeDeadline.watch()
    if (this.#withoutBody) this.#ended()
    else if (this.#queue === null || this.#queue.length === 0) this.#end()
  }

  abort(atOnce = false): void {
    // What was sent before still arrives.
    if (this.#unsent > 0 && !atOnce) this.#breaksOff = true
    else this.#breakOff()
    this.#endExchange(false)
  }

  refuse(status: number, options: { close?: boolean; fields?: readonly Field[] } = {}): void {
    const [head, body] = smallAnswer(status, options.fields ?? [])
    this.respond(head, new Span().set(body, 0, body.length))
  }

  /** The stream still takes an answer. */
  get #open(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed
  }

  #isWithoutBody(head: ResponseHead): boolean {
    return this.head.method === 'HEAD' || isWithoutContent(head.status)
  }

  /**
   * @param length see {@link RenderedFields.fields}
   * @returns false if Node.js does not send such a head; then the stream is reset
   */
  #sendHead(head: ResponseHead, length: number, endStream: boolean): boolean {
    const rendered = RenderedFields.of(head, this.#owner.context.serverName)
    try {
      this.#stream.respond(rendered.fields(length), { endStream })
      return true
    } catch (error) {
      // An application decides about the fields, and must not end the process for all clients.
      this.#notSent((error as Error).message)
      this.abort(true)
      return false
    }
  }

  #notSent(why: string): void {
    this.#report(500, `the response cannot be sent over HTTP/2: ${why}`, 'http2-response')
  }

  /** Queues a piece of the body, and gives it to the session when it is its turn. */
  #give(body: Span, length: number, excess: number): boolean {
    let { bytes, start } = body
    const copied = body.lent && length <= COPIED
    if (copied) {
      bytes = Buffer.from(bytes.subarray(start, start + length))
      start = 0
    }
    this.#queue ??= []
    this.#queue.push({ bytes, start, end: start + length, excess })
    this.#unsent += length
    this.#count()
    this.#writeDeadline.watch()
    if (!this.#writing) this.#writeNext()
    return !copied
  }

  #writeNext(): void {
    const queue = this.#queue!
    const piece = queue[0]!
    const { bytes, start, end } = piece
    const stop = Math.min(end, start + this.#step)
    const last = stop === end
    if (last) queue.shift()
    else piece.start = stop
    this.#writing = true
    this.#writingSince = this.#owner.context.deadlines.now
    this.#partsAtMark = Number.NaN
    const view = bytes.subarray(start, stop)
    const length = stop - start
    const written = () => this.#written(length, last ? piece.excess : 0)
    if (last && queue.length === 0 && this.#state === FINISHING) {
      this.#stream.end(view, written)
      this.#ended()
    } else this.#stream.write(view, written)
  }

  /** The socket has taken a step, or the stream is closed. */
  #written(length: number, excess: number): void {
    if (this.#over) return
    this.#writing = false
    this.taken += length
    this.#unsent -= length
    const needed = this.#owner.context.deadlines.now - this.#writingSince
    if (needed === 0) this.#step = LARGE_STEP
    else this.#step = needed < SLOW_MS ? STEP : SMALL_STEP
    this.#count()
    if (this.#unsent === 0 && this.#state !== FINISHING) this.#writeDeadline.clear()
    if (!this.#open) return
    if (this.#queue!.length > 0) this.#writeNext()
    else if (this.#breaksOff) this.#breakOff()
    this.#sink?.written(length + excess)
  }

  /** Ends the stream after what was given to the session. */
  #end(): void {
    this.#stream.end()
    this.#ended()
  }

  /**
   * Our side of the stream is ending. A client that still sends its body is told to stop (RFC 9113
   * §8.1).
   */
  #ended(): void {
    if (this.#bodyEnded) return
    this.#bodyDeadline?.end()
    const stream = this.#stream
    if (stream.writableFinished) this.#stopBody()
    else stream.once('finish', () => this.#stopBody())
  }

  #stopBody(): void {
    if (!this.#bodyEnded) this.#stream.close(NGHTTP2_NO_ERROR)
    this.#stream.resume()
  }

  /**
   * Resets the stream, so that the client sees that the response is incomplete. (`close()` of
   * Node's streams would end the response first, so that it would look complete.)
   */
  #breakOff(): void {
    this.#brokenOff = true
    this.#stream.destroy(BROKEN_OFF)
  }

  #endExchange(completed: boolean, refusedWith?: number): void {
    const sink = this.#sink
    this.#sink = null
    if (refusedWith === undefined) sink?.closed(completed)
    else sink?.closed(completed, refusedWith)
  }

  // ---------------------------------------------------------------- deadlines and memory

  checkDeadlines(now: number): void {
    const body = this.#bodyDeadline
    if (body !== null) {
      if (body.at <= now) {
        const error = body.passed()
        if (error !== null) this.refuseMessage(error)
      }
      this.#count()
    }
    if (this.#writing && now - this.#writingSince > SETTLED_MS && Number.isNaN(this.#partsAtMark))
      this.#partsAtMark = this.#owner.partsTaken
    if (this.#writeDeadline.at <= now) this.#writeDeadlinePassed()
  }

  /** Something waits for the client. */
  get waits(): boolean {
    return this.#unsent > 0 && !this.#brokenOff
  }

  #writeDeadlinePassed(): void {
    const reason = this.#writeDeadline.passed()
    if (reason === null) return
    // If nothing moves, the connection's own deadline applies.
    if (this.#owner.blocked || this.#takesParts()) this.#writeDeadline.watch()
    else this.breakOffSlow(reason)
  }

  /**
   * Whether the client takes parts of a step. Node.js tells nothing of the parts of one stream, so
   * the streams that wait share what has left on the connection.
   */
  #takesParts(): boolean {
    const owner = this.#owner
    if (!(owner.partsTaken - this.#partsAtMark >= LEAST_PART)) return false
    owner.countParts(LEAST_PART)
    this.#partsAtMark = owner.partsTaken
    return true
  }

  /** Gives up an answer that the client takes too slowly. */
  breakOffSlow(reason: string): void {
    this.#report(408, reason, 'slow-reader')
    this.#breakOff()
  }

  /** See `Connection.relieve`. */
  relieve(): void {
    const receives = !this.#bodyEnded && !this.#bodyPaused
    if (this.#unsent === 0 && !receives) return
    this.#progress ??= new Progress()
    const little = this.#progress.look(
      this.taken + this.#received,
      this.#owner.context.deadlines.now,
    )
    if (little === null) return
    if (this.#unsent > 0) {
      const { bytes, milliseconds } = little
      const what = `the client took only ${bytes} bytes of its answer in ${milliseconds} ms`
      this.#report(503, `there is no memory left, and ${what}`, 'no-memory')
      this.#breakOff()
    } else if (receives) {
      const text = 'there is no memory for more of it (see client_memory)'
      this.refuseMessage(new HttpError(503, 'no-memory', text))
    }
  }

  /** Counts what is held for this stream. */
  #count(): void {
    const held = this.#standing + this.#unsent + this.#stream.readableLength
    if (held === this.#held) return
    this.#owner.context.memory.add(held - this.#held)
    this.#held = held
  }

  // ---------------------------------------------------------------- ending

  /** Gives up what could not be sent, if there is something. */
  breakOffStalled(): void {
    if (this.#unsent > 0) this.#breakOff()
  }

  /** Answers a request that cannot be taken. The other streams of the connection go on. */
  refuseMessage(error: HttpError): void {
    this.#report(error.status, error.message, error.code, error.code === 'incomplete-body')
    const answered = this.#state !== NOTHING_SENT
    if (answered) this.#breakOff()
    else this.refuse(error.status, error.status === 503 ? { fields: RETRY_SOON } : {})
    if (answered) this.#endExchange(false)
    else this.#endExchange(false, error.status)
  }

  #report(status: number, reason: string, code: string, gaveUp = false): void {
    this.#owner.context.refused({
      peer: this.#owner,
      status,
      reason,
      code,
      requestLine: this.head.requestLine(),
      gaveUp,
      begun: this.#sink !== null,
      startedAt: this.#startedAt,
    })
  }

  /** The stream is closed. */
  closed(): void {
    this.#over = true
    // The last step may have left before Node.js says so. Its end is that of the stream: without an
    // error, only both ends of it together are.
    const given = this.#state === FINISHING && !this.#breaksOff && !this.#queue?.length
    const completed = given && this.#stream.rstCode === NGHTTP2_NO_ERROR
    if (completed) this.taken = this.bytesSent
    this.#queue = null
    this.#owner.context.memory.add(-this.#held)
    this.#held = 0
    this.#writeDeadline.clear()
    this.#bodyDeadline?.end()
    this.#endExchange(completed)
    this.#owner.exchangeClosed(this, !completed && !this.#brokenOff)
  }
}

/**
 * Data of a stream is a view of what was read at once. A small part of that is copied, so that it
 * does not keep the rest in memory.
 */
function ownChunk(chunk: Buffer): Buffer {
  const { length } = chunk
  if (chunk.buffer.byteLength <= length * LEAST_SHARE) return chunk
  const own = Buffer.allocUnsafeSlow(length)
  own.set(chunk)
  return own
}
