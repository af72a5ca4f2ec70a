import { quoteText } from '../bytes/quoted.ts'
import { Span } from '../bytes/span.ts'
import { parseFieldLines, ResponseBlockError } from '../field-block/response-block.ts'
import type { LentSocket, Peer, Reply, RequestSink } from '../http/exchange.ts'
import { clientOf, type RequestHead } from '../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../http/response-head.ts'
import { RETRY_SOON } from '../http/small-answer.ts'
import { coded } from '../messages/coded.ts'
import type { RequestTimes } from '../observe/request-times.ts'
import { traceNote } from '../observe/trace-note.ts'
import {
  type FileReference,
  type HeadOutcome,
  KEPT,
  REFUSED,
  TAKEN,
  type Task,
  type TaskBody,
  type TaskHandle,
} from '../runtimes/runtime.ts'
import { isBodiless } from '../semantics/bodiless.ts'
import { PiecePool } from '../spool/piece-pool.ts'
import { RequestBody } from '../spool/request-body.ts'
import { ResponseSpool } from '../spool/response-spool.ts'
import { NoSpaceError } from '../spool/spool.ts'
import { BodyStream } from './body-stream.ts'
import type { GatewayContext } from './context.ts'
import type { EnvironFacts } from './environ-facts.ts'
import { FileSender } from './file-sender.ts'
import type { WaitingResponse } from './slow-readers.ts'

/** The codes of requests that no worker could answer, by their status. */
const LOST = { 502: 'MONO4012', 503: 'MONO4013', 504: 'MONO4014' } as const

const NO_BODY: TaskBody = { kind: 'whole', chunks: [], length: 0 }
const STREAMED: TaskBody = { kind: 'stream' }
/** Points at the bytes that an exchange gives to the engine; all exchanges share it. */
const PIECE = new Span()
/**
 * A response of which the runtime holds this much is spooled if the runtime holds others too,
 * however fast its client reads. In bytes.
 */
const HEAVY = 2 * 1024 * 1024

/**
 * A client that has closed its own direction counts as gone if its request has not begun after this
 * time.
 */
const ABANDONED_MS = 1000

/**
 * One request and its response: from a parsed head to a task for the runtime, and from the
 * runtime's answer to the client. It is the engine's sink and the runtime's task in one object,
 * because one is made for each request.
 */
export class Exchange implements RequestSink, Task, EnvironFacts, WaitingResponse {
  readonly head: RequestHead
  readonly peer: Peer
  readonly times: RequestTimes | null
  readLength = -1
  body: TaskBody = NO_BODY
  abandonedAt = Number.POSITIVE_INFINITY
  slowAt = 0
  takenThen = 0

  readonly #gateway: GatewayContext
  /** Null once the exchange is over. */
  #reply: Reply | null
  /** Null while no runtime has the task. */
  #handle: TaskHandle | null = null
  #stored: RequestBody | null = null
  #streamed: BodyStream | null = null
  #file: FileSender | null = null
  #response: ResponseHead | null = null
  /** Bytes of request body that have arrived. */
  #received = 0
  /** Bytes of response body that the client has taken since the last credit for the runtime. */
  #taken = 0
  /** Bytes of response body for which the runtime has not got new credit. */
  #ungranted = 0
  /** Bytes of response body that the runtime holds, as it last reported. */
  #heldByRuntime = 0
  /** Takes the response once its client has proved to be slow. */
  #spool: ResponseSpool | null = null

  constructor(gateway: GatewayContext, head: RequestHead, reply: Reply) {
    this.#gateway = gateway
    this.head = head
    this.peer = clientOf(head, reply)
    this.times = head.times
    this.#reply = reply
  }

  // ---------------------------------------------------------------- from the engine (RequestSink)

  begin(): void {
    if (!this.head.hasBody) return
    const { requestBuffering, spool, memory } = this.#gateway.options
    if (requestBuffering) {
      this.#stored = new RequestBody(spool, Math.max(0, this.head.contentLength))
      this.#reply!.wantBody()
    } else {
      this.body = STREAMED
      this.#streamed = new BodyStream(memory, this.#reply!)
      this.#submit()
    }
  }

  bodyData(chunk: Buffer): void {
    this.#received += chunk.length
    const limit = this.#gateway.options.limitRequestBody
    if (limit !== 0 && this.#received > limit) {
      return this.#refuse(413, `the body is longer than limit_request_body (${limit} bytes)`)
    }
    const stored = this.#stored
    if (stored !== null) {
      stored.append(chunk)
      if (stored.failure !== null) return this.#notStored(stored.failure)
      if (stored.behind) {
        this.#reply!.pauseBody()
        stored.whenWritten(() => {
          if (stored.failure === null) this.#reply?.resumeBody()
          else this.#notStored(stored.failure)
        })
      }
      return
    }
    // Without a handle, the application has answered and does not want the rest.
    if (this.#handle !== null) this.#streamed?.push(chunk, this.#handle)
  }

  bodyEnd(): void {
    const stored = this.#stored
    if (stored === null) {
      if (this.#streamed !== null) this.#streamed.end(this.#handle)
      else if (this.#reply !== null) this.#submit()
      return
    }
    stored.whenWritten(() => {
      if (this.#reply === null) return
      if (stored.failure !== null) return this.#notStored(stored.failure)
      this.body = stored.finished()
      if (this.head.contentLength === -1) this.readLength = stored.length
      this.#submit()
    })
  }

  clientEnded(): void {
    this.abandonedAt = performance.now() + ABANDONED_MS
  }

  written(bytes: number): void {
    if (this.#file !== null) {
      this.#file.written(bytes)
      return
    }
    if (this.#spool !== null) {
      this.#spool.written(bytes)
      if (this.#spool.stuck) this.#gateway.slowReaders.watch(this)
      return
    }
    this.#taken += bytes
    if (this.#handle !== null && this.#taken * 2 >= this.#gateway.options.responseWindow) {
      if (this.#isHeavy && this.#handle.crowded && this.#gateway.slowReaders.spare(this)) return
      this.#handle.grant(this.#taken)
      this.#ungranted -= this.#taken
      this.#taken = 0
    }
  }

  closed(): void {
    this.held(0)
    this.#reply = null
    const handle = this.#handle
    this.#handle = null
    if (handle !== null) {
      if (this.#streamed !== null && !this.#streamed.ended) handle.abortBody()
      handle.cancel()
    }
    // A worker may still open the file by the number of its descriptor, so that number must not
    // belong to another body yet: `released` follows.
    if (handle === null || this.body.kind !== 'file') this.#stored?.discard()
    this.#streamed?.discard()
    this.#file?.close()
    this.#spool?.discard()
  }

  // ---------------------------------------------------------------- from the runtime (Task)

  describe(): string {
    return this.head.requestLine()
  }

  environBound(): number {
    return this.#gateway.environ.bound(this)
  }

  writeEnviron(out: Buffer, at: number): number {
    return this.#gateway.environ.write(this, out, at)
  }

  earlyHints(lines: Span): void {
    try {
      const fields = parseFieldLines(lines)
      this.#reply?.inform(103, fields)
    } catch (error) {
      if (!(error instanceof ResponseBlockError)) throw error
      const text = `Dropping invalid early hints of ${this.#quoted()}: ${error.message}`
      this.#gateway.options.log.limited('error', 'invalid early hints', coded('MONO4009', text))
    }
  }

  responseHead(block: Span, body: Span, ended: boolean): HeadOutcome {
    const reply = this.#reply
    if (reply === null) return TAKEN
    let head: ResponseHead
    try {
      head = this.#gateway.responseBlocks.parse(block)
    } catch (error) {
      if (!(error instanceof ResponseBlockError)) throw error
      const text = `Invalid response head for ${this.#quoted()}: ${error.message}`
      this.#gateway.options.log.limited('error', 'invalid response heads', coded('MONO4008', text))
      this.#handle = null
      this.#answer(500, [])
      return REFUSED
    }
    this.#response = head
    this.times?.answer(ended)
    if (ended) {
      this.#handle = null
      return reply.respond(head, body) ? KEPT : TAKEN
    }
    const kept = reply.start(head, body)
    this.#countResponse(body.length)
    return kept ? KEPT : TAKEN
  }

  responseData(piece: Span): boolean {
    if (this.#spool !== null) return this.#spool.append(piece)
    const { length } = piece
    const kept = this.#reply?.data(piece) ?? false
    this.#countResponse(length)
    return kept
  }

  held(bytes: number): void {
    if (this.#reply === null) return
    this.#gateway.options.memory.add(bytes - this.#heldByRuntime)
    this.#heldByRuntime = bytes
  }

  offered(bytes: number, held: number): LentSocket | null {
    const reply = this.#reply
    // What is held in this process can be bounded and spooled; what a worker holds cannot.
    if (reply === null || this.#spool !== null || this.#gateway.options.memory.pressed) return null
    const lent = reply.lend?.(bytes) ?? null
    if (lent !== null) this.held(held)
    return lent
  }

  sent(bytes: number): void {
    this.held(0)
    this.#reply?.lendingEnded?.(bytes)
  }

  responseEnd(broken: boolean): void {
    this.held(0)
    this.#handle = null
    this.times?.finish()
    if (this.#spool !== null) this.#spool.end(broken)
    else this.#endReply(broken)
  }

  #endReply(broken: boolean): void {
    if (broken) this.#reply?.abort()
    else this.#reply?.finish()
  }

  /** Watches for the runtime to have no credit left; while memory is short, spools before that. */
  #countResponse(bytes: number): void {
    if (bytes === 0) return
    const { slowReaders, options } = this.#gateway
    this.#ungranted += bytes
    if (this.#handle === null || this.#reply === null) return
    if (options.memory.pressed && slowReaders.spare(this)) return
    if (this.#ungranted >= options.responseWindow) slowReaders.watch(this)
  }

  // ---------------------------------------------------------- a slow client (WaitingResponse)

  get #isHeavy(): boolean {
    return this.#heldByRuntime >= HEAVY
  }

  slow(): boolean {
    const spool = this.#spool
    if (spool === null) {
      const waits = this.#handle !== null && this.#ungranted >= this.#gateway.options.responseWindow
      if (!waits) return true
      if (!this.spool()) return false
      this.#spool!.spill()
      return true
    }
    spool.spill()
    return !spool.stuck
  }

  get taken(): number {
    return this.#reply?.taken ?? 0
  }

  get blocking(): boolean {
    return this.#handle?.blocking ?? false
  }

  cut(): void {
    const reason =
      'the client stopped reading, other clients need the memory that its response holds, and ' +
      'the spool is full'
    this.#gateway.options.events.publishRefusal(this.head, this.peer, 408, reason)
    this.#reply?.abort(true)
  }

  spool(): boolean {
    const { slowReaders, options } = this.#gateway
    const unsent = this.#ungranted - this.#taken
    const ends = {
      send: (piece: Span) => this.#reply?.data(piece) ?? false,
      finish: (broken: boolean) => this.#endReply(broken),
      grant: (bytes: number) => this.#handle?.grant(bytes),
      stuck: () => slowReaders.watch(this),
      trouble: (error: Error) =>
        options.log.error(
          coded('MONO4034', `Cannot spool the response to ${this.#quoted()}: ${error.message}`),
        ),
    }
    const spool = new ResponseSpool(options.spool, slowReaders.ahead, ends, unsent)
    const { contentLength } = this.#response!
    const left =
      contentLength === -1 ? Number.POSITIVE_INFINITY : contentLength - this.#reply!.bytesSent
    if (!spool.begin(left, options.responseWindow - this.#ungranted, this.#isHeavy)) return false
    this.#spool = spool
    return true
  }

  responseFile(reference: FileReference): void {
    this.#handle = null
    this.times?.finish()
    // It was for a body that the application itself would send.
    this.#spool?.discard()
    this.#spool = null
    const reply = this.#reply
    if (reply === null) return
    const { status } = this.#response!
    const discard = this.head.method === 'HEAD' || isBodiless(status)
    if (discard) return reply.finish()
    this.#file = new FileSender(reference, PiecePool.of(this.#gateway.options.memory), {
      data: (chunk) => {
        const kept = this.#reply?.data(PIECE.set(chunk, 0, chunk.length)) ?? false
        PIECE.clear()
        return kept
      },
      finish: () => this.#reply?.finish(),
      failed: (reason) => {
        const text = `Cannot send the file for ${this.#quoted()}: ${reason}`
        this.#gateway.options.log.limited(
          'error',
          'files that could not be sent',
          coded('MONO4043', text),
        )
        this.#reply?.abort()
      },
    })
    void this.#file.begin()
  }

  failed(traceback: string): void {
    this.#handle = null
    this.times?.finish()
    this.#gateway.options.log.error(
      coded('MONO4001', `Error handling request ${this.#quoted()}\n${traceback}`),
    )
    this.#answer(500, [])
  }

  lost(status: 502 | 503 | 504, reason: string): void {
    this.#handle = null
    this.held(0)
    this.times?.finish()
    const { requestLost } = this.#gateway.options.events
    if (requestLost.hasListeners) requestLost.publish({ status })
    const text = coded(LOST[status], `Answering ${status} to ${this.#quoted()}: ${reason}`)
    // Clients can cause any number of 503, but not of 502 (a worker ended) and 504 (a timeout).
    if (status === 503) this.#gateway.options.log.limited('error', 'requests answered 503', text)
    else this.#gateway.options.log.error(text)
    if (this.#spool !== null) this.#spool.end(true)
    else if (this.#response !== null) this.#reply?.abort()
    else this.#answer(status, status === 503 ? RETRY_SOON : [])
  }

  wantBody(bytes: number): void {
    if (this.#reply !== null) this.#streamed?.want(bytes, this.#handle)
  }

  released(): void {
    this.#stored?.discard()
  }

  // ----------------------------------------------------------------

  #notStored(error: Error): void {
    const reason = `the request body could not be stored: ${error.message}`
    if (error instanceof NoSpaceError) this.#refuse(503, reason, RETRY_SOON)
    else this.lost(503, reason)
  }

  #submit(): void {
    this.times?.queue()
    this.#handle = this.#gateway.runtime.submit(this)
  }

  /** Answers a request that cannot be served; the error log gets the reason. */
  #refuse(status: number, reason: string, fields: readonly Field[] = []): void {
    this.#gateway.options.events.publishRefusal(this.head, this.peer, status, reason)
    this.#handle?.cancel()
    this.#handle = null
    if (this.#response !== null) this.#reply?.abort()
    else this.#answer(status, fields, true)
  }

  #answer(status: number, fields: readonly Field[], close = false): void {
    this.#response = responseHead(status, fields)
    this.#reply?.refuse(status, { close, fields })
  }

  #quoted(): string {
    return quoteText(this.describe()) + traceNote(this.head.trace)
  }
}
