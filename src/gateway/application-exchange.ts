import { owned } from '../bytes/lent-memory.ts'
import { quoteText } from '../bytes/quoted.ts'
import { Span } from '../bytes/span.ts'
import type { Peer, Reply, RequestSink } from '../http/exchange.ts'
import { clientOf, type RequestHead } from '../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../http/response-head.ts'
import { RETRY_SOON } from '../http/small-answer.ts'
import { coded } from '../messages/coded.ts'
import { traceNote } from '../observe/trace-note.ts'
import { KeptPieces } from '../spool/kept-pieces.ts'
import { Call } from '../wsgi/call.ts'
import { HintRules } from '../wsgi/early-hints.ts'
import { failureLine, failureStatus, failureText } from '../wsgi/failure.ts'
import { type ByteSource, emptyInput, InputError, RequestInput } from '../wsgi/input-stream.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import type { Bytes, ResponseHeaders, WSGIApplication, WSGIEnvironment } from '../wsgi/types.ts'
import type { WSGIError } from '../wsgi/wsgi-error.ts'
import type { ApplicationEnvirons } from './application-environ.ts'
import type { ApplicationHeads } from './application-heads.ts'
import { callerPlace } from './caller-place.ts'
import type { GatewayBasics } from './context.ts'
import type { EnvironFacts } from './environ-facts.ts'

/**
 * The application is called when a body of up to this length has arrived: most reads then need no
 * promise, and a body that is not read does not cost the connection. In bytes.
 */
const AWAITED_BYTES = 64 * 1024
/** How much of a body is kept for an application that has not asked for it, in bytes. */
const EARLY_BYTES = 64 * 1024
const NOTHING = Buffer.alloc(0)
/** Points at the bytes that an exchange gives to the engine; all exchanges share it. */
const PIECE = new Span()
/**
 * A client that has closed its own direction counts as gone if nothing is sent to it for this time.
 */
const ABANDONED_MS = 5000

/** What the exchanges with an application in this process share. */
export interface ApplicationContext {
  readonly options: GatewayBasics
  readonly app: WSGIApplication
  readonly environs: ApplicationEnvirons
  readonly heads: ApplicationHeads
  /** Breaking a rule of PEP 3333 is always an error, even if a lenient server could continue. */
  readonly strict: boolean
  /** Whether this is the first breach of that rule. */
  isNew(rule: string): boolean
}

/**
 * One request to an application in this process, and its response. It is the engine's sink, the
 * sink of the call's response and the source of its input in one object, because one is made for
 * each request.
 */
export class ApplicationExchange
  implements RequestSink, ResponseSink<ResponseHead>, ByteSource, EnvironFacts
{
  readonly head: RequestHead
  readonly peer: Peer
  readonly readLength = -1

  readonly #gateway: ApplicationContext
  /** Null once the exchange is over. */
  #reply: Reply | null
  #call: Call<ResponseHead> | null = null
  #response: ResponseHead | null = null
  #refused = false
  #hints: HintRules | null = null

  // The request's body.
  readonly #pieces = new KeptPieces()
  /** The memory that these take. */
  #queued = 0
  #received = 0
  #paused = false
  #bodyEnded = false
  #bodyError: InputError | null = null
  #reader: { resolve: (chunk: Bytes | null) => void; reject: (error: Error) => void } | null = null

  // The response's body.
  /** The engine has got all of it. */
  #answered = false
  #unsent = 0
  #heldByApplication = 0
  #given = 0
  #waiters: (() => void)[] | null = null
  #abandonment: NodeJS.Timeout | null = null

  constructor(gateway: ApplicationContext, head: RequestHead, reply: Reply) {
    this.#gateway = gateway
    this.head = head
    this.peer = clientOf(head, reply)
    this.#reply = reply
  }

  // ---------------------------------------------------------------- from the engine (RequestSink)

  begin(): void {
    const { head } = this
    if (!head.hasBody) return // bodyEnd follows
    if (head.expectContinue) this.#run()
    // After the part of the body that came with the head.
    else if (head.contentLength === -1 || head.contentLength > AWAITED_BYTES)
      queueMicrotask(() => this.#run())
  }

  bodyData(chunk: Buffer): void {
    if (this.#refused) return
    this.#received += chunk.length
    const limit = this.#gateway.options.limitRequestBody
    if (limit !== 0 && this.#received > limit) {
      this.#refuse(413, `the body is longer than limit_request_body (${limit} bytes)`)
      return
    }
    const reader = this.#reader
    if (reader !== null) {
      this.#reader = null
      reader.resolve(owned(chunk) as Bytes)
      return
    }
    this.#pieces.push(chunk)
    this.#count()
    if (this.#queued >= EARLY_BYTES && this.#call !== null) this.#pause()
  }

  bodyEnd(): void {
    this.#bodyEnded = true
    const reader = this.#reader
    this.#reader = null
    reader?.resolve(null)
    this.#run()
  }

  clientEnded(): void {
    // The client may still be reading, which only shows when something is sent. An application that
    // has nothing to send must not wait forever.
    this.#abandonment = setTimeout(() => {
      // If something was sent and is not taken, the engine's write timeout applies.
      if (this.#answered) return
      if (this.#unsent > 0) this.#abandonment?.refresh()
      else this.#reply?.abort()
    }, ABANDONED_MS)
    this.#abandonment.unref()
  }

  written(bytes: number): void {
    this.#unsent -= bytes
    this.#abandonment?.refresh()
    const waiters = this.#waiters
    if (waiters === null || this.#unsent * 2 > this.#gateway.options.responseWindow) return
    this.#waiters = null
    // Not immediately: an application that always has more to give would keep all others waiting.
    setImmediate(() => {
      this.#given = 0
      for (const waiter of waiters) waiter()
    })
  }

  closed(completed: boolean): void {
    this.#gateway.options.memory.add(-this.#queued)
    this.holds(0)
    this.#reply = null
    if (this.#abandonment !== null) clearTimeout(this.#abandonment)
    // A body that is complete can still be read. Reading an incomplete one must fail: an empty read
    // would look like its end.
    if (!this.#bodyEnded) {
      this.#pieces.clear()
      this.#bodyError ??= new InputError(
        completed
          ? 'The response was complete before the request body was'
          : 'The client went away before the request body was complete',
      )
      const reader = this.#reader
      this.#reader = null
      reader?.reject(this.#bodyError)
    }
    this.#waiters = null
    this.#call?.cancel()
  }

  // ---------------------------------------------------------------- to the input (ByteSource)

  next(): Promise<Bytes | null> {
    const chunk = this.#pieces.shift()
    if (chunk !== undefined) {
      this.#count()
      if (this.#paused && this.#queued * 2 <= EARLY_BYTES) {
        this.#paused = false
        this.#reply?.resumeBody()
      }
      return Promise.resolve(chunk as Bytes)
    }
    if (this.#bodyEnded) return Promise.resolve(null)
    if (this.#bodyError !== null) return Promise.reject(this.#bodyError)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#reply?.wantBody()
    })
  }

  // ---------------------------------------------------------------- from the call (ResponseSink)

  checkHead(status: string, headers: ResponseHeaders): ResponseHead {
    return this.#gateway.heads.check(status, headers, this.#gateway.strict ? null : this)
  }

  forgive(rule: string, error: WSGIError, instead: string): void {
    const { strict, options } = this.#gateway
    if (strict) throw error
    if (!this.#gateway.isNew(rule)) return
    const place = callerPlace()
    options.log.warning(
      coded(
        'MONO4005',
        `${this.#describe()}: ${error.message}: ` +
          `${instead}${place === null ? '' : ` (${place})`}. ` +
          'This is logged only once; with --strict, it is an error',
      ),
    )
  }

  respond(head: ResponseHead, body: Uint8Array): void {
    this.#response = head
    this.#answered = true
    this.head.times?.answer(true)
    const bytes = asBuffer(body)
    this.#reply?.respond(head, PIECE.set(bytes, 0, bytes.length))
    PIECE.clear()
  }

  start(head: ResponseHead): void {
    this.#response = head
    this.head.times?.answer(false)
    this.#reply?.start(head)
  }

  data(chunk: Uint8Array): boolean {
    const bytes = asBuffer(chunk)
    this.#unsent += bytes.length
    this.#given += bytes.length
    this.#abandonment?.refresh()
    this.#reply?.data(PIECE.set(bytes, 0, bytes.length))
    PIECE.clear()
    return this.#given < this.#gateway.options.responseWindow
  }

  whenReady(callback: () => void): void {
    if (this.#unsent * 2 > this.#gateway.options.responseWindow) {
      this.#waiters ??= []
      this.#waiters.push(callback)
      return
    }
    setImmediate(() => {
      this.#given = 0
      callback()
    })
  }

  finish(): void {
    this.#answered = true
    this.head.times?.finish()
    this.holds(0)
    this.#reply?.finish()
  }

  failed(error: unknown): void {
    this.head.times?.finish()
    const status = failureStatus(error)
    const { log } = this.#gateway.options
    if (status < 500) {
      const text = `Answering ${status} to ${this.#quoted()}: ${failureLine(error)}`
      log.limited('warning', `requests answered ${status}`, coded('MONO4007', text))
    } else
      log.error(
        coded('MONO4001', `Error handling request ${this.#quoted()}\n${failureText(error)}`),
      )
    this.#answer(status, status === 503 ? RETRY_SOON : [])
  }

  broken(error: unknown): void {
    this.head.times?.finish()
    this.#gateway.options.log.error(
      coded(
        'MONO4002',
        `${this.#quoted()}: the application failed in the middle of its response\n` +
          `${failureText(error)}`,
      ),
    )
    this.#reply?.abort()
  }

  complain(error: unknown): void {
    this.#gateway.options.log.error(coded('MONO4003', `${this.#quoted()}: ${failureText(error)}`))
  }

  // ----------------------------------------------------------------

  #run(): void {
    if (this.#call !== null || this.#reply === null || this.#refused) return
    const { app, environs } = this.#gateway
    this.head.times?.run()
    const bodiless = this.#bodyEnded && this.#received === 0
    const input = bodiless ? emptyInput : new RequestInput(this)
    const environ = environs.make(this, input, (headers) => this.#inform(headers))
    const call = new Call(app, environ, this, this.head.method === 'HEAD')
    this.#call = call
    if (this.#queued >= EARLY_BYTES && !this.#bodyEnded) this.#pause()
    this.runCall(call, environ)
  }

  protected runCall(call: Call<ResponseHead>, _environ: WSGIEnvironment): void {
    call.run()
  }

  #inform(headers: ResponseHeaders): void {
    if (this.#reply === null || this.#response !== null) return
    this.#hints ??= new HintRules()
    this.#reply.inform(103, this.#hints.check(headers))
  }

  /** Counts the pieces, until the exchange is over: then they are the application's. */
  #count(): void {
    const { held } = this.#pieces
    if (this.#reply !== null) this.#gateway.options.memory.add(held - this.#queued)
    this.#queued = held
  }

  /**
   * The application holds that many bytes of response body until the client has taken them.
   */
  holds(bytes: number): void {
    if (this.#reply === null) return
    this.#gateway.options.memory.add(bytes - this.#heldByApplication)
    this.#heldByApplication = bytes
  }

  #pause(): void {
    this.#paused = true
    this.#reply?.pauseBody()
  }

  /** Answers a request that cannot be served, or no longer; the error log gets the reason. */
  #refuse(status: number, reason: string, fields: readonly Field[] = []): void {
    this.#refused = true
    this.#gateway.options.events.publishRefusal(this.head, this.peer, status, reason)
    this.#bodyError = new InputError(`The request was refused: ${reason}`)
    const reader = this.#reader
    this.#reader = null
    const begun = this.#response !== null
    this.#call?.cancel()
    if (begun) this.#reply?.abort()
    else this.#answer(status, fields, true)
    reader?.reject(this.#bodyError)
  }

  #answer(status: number, fields: readonly Field[], close = false): void {
    this.#answered = true
    this.#response = responseHead(status, fields)
    this.#reply?.refuse(status, { close, fields })
  }

  #describe(): string {
    return this.head.requestLine()
  }

  #quoted(): string {
    return quoteText(this.#describe()) + traceNote(this.head.trace)
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  // A buffer that was transferred to a worker thread has no memory for a view.
  if (bytes.length === 0) return NOTHING
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
