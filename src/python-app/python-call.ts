import type { Span } from '../bytes/span.ts'
import { statusAndFields } from '../field-block/status-and-fields.ts'
import type { RequestTimes } from '../observe/request-times.ts'
import {
  type FileReference,
  type HeadOutcome,
  KEPT,
  REFUSED,
  type Runtime,
  TAKEN,
  type Task,
  type TaskBody,
  type TaskHandle,
} from '../runtimes/runtime.ts'
import type { RequestBody } from '../spool/request-body.ts'
import type { BodyStore } from '../spool/spool.ts'
import type { PythonSpan, PythonSpans } from '../traces/python-spans.ts'
import { ClientGoneError, isAboutTheClient } from '../wsgi/client-gone.ts'
import { toError } from '../wsgi/stranger.ts'
import type { ResponseHeaders, StartResponse, WSGIBody, WSGIEnvironment } from '../wsgi/types.ts'
import { ENVIRON_END, type EnvironEncoder, endWithLength } from './environ-encoder.ts'
import { type BodyConsumer, PythonBody } from './python-body.ts'
import { PythonBrokenError, PythonError, PythonUnavailableError } from './python-error.ts'
import { InputRelay, PythonInput } from './python-input.ts'

/** What all calls of an application share. */
export interface PythonCallContext {
  readonly encoder: EnvironEncoder
  readonly requestBuffering: boolean
  readonly bodyStore: BodyStore
  /** Bytes of response body that a worker may be ahead of its consumer. */
  readonly window: number
  readonly spans: PythonSpans
  /** Whether `wsgi.multiprocess` is true although the workers' own value is false. */
  multiprocess(environ: WSGIEnvironment): boolean
  /** Where requests go; a promise while it is being started. Throws if there is none. */
  runtime(): Runtime | Promise<Runtime>
  /** A call is over. */
  over(call: PythonCall): void
}

const NO_BODY: TaskBody = { kind: 'whole', chunks: [], length: 0 }
const STREAMED: TaskBody = { kind: 'stream' }
const NOTHING: readonly Uint8Array[] = []
/** A smaller piece is copied: a view of it would keep all of the memory that it was read into. */
const WORTH_KEEPING = 32 * 1024

/** Settles the promise that the application returns. */
export interface Settle {
  resolve(body: WSGIBody): void
  reject(error: unknown): void
}

/** One request on its way from `environ` to a worker, and its response on the way back. */
export class PythonCall implements Task, BodyConsumer {
  body: TaskBody = NO_BODY
  readonly abandonedAt = Number.POSITIVE_INFINITY
  readonly times: RequestTimes | null

  /** Null unless somebody traces. */
  readonly #span: PythonSpan | null
  readonly #context: PythonCallContext
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  /** Null once the application's promise is settled. */
  #settle: Settle | null
  #encoded: Buffer | null = null
  #encodedEnd = ENVIRON_END
  #handle: TaskHandle | null = null
  #stored: RequestBody | null = null
  #relay: InputRelay | null = null
  /** A response that comes in pieces. */
  #response: PythonBody | null = null
  /** Bytes still to come of a body whose length is known; otherwise Infinity. */
  #expected = Number.POSITIVE_INFINITY
  #bodiless = false
  /** Bytes that were taken and not yet granted again. */
  #taken = 0
  #over = false

  constructor(
    context: PythonCallContext,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
    settle: Settle,
  ) {
    this.#context = context
    this.#environ = environ
    this.#startResponse = startResponse
    this.#settle = settle
    this.#span = context.spans.begin(environ)
    this.times = this.#span?.times ?? null
  }

  /**
   * Sends the request. The environ is read before this returns: what becomes of it afterwards does
   * not matter.
   */
  begin(): void {
    const context = this.#context
    const { encoder, requestBuffering, bodyStore } = context
    let input: PythonInput | null
    try {
      input = PythonInput.of(this.#environ)
      const stored = input !== null && requestBuffering
      // The length of a body that is read whole is known, as in the gateway.
      const leaveOut = stored && input!.lengthUnknown ? 'HTTP_TRANSFER_ENCODING' : ''
      const environ = (this.#span?.environ ?? this.#environ) as WSGIEnvironment
      this.#encoded = encoder.encode(environ, leaveOut, context.multiprocess(environ))
    } catch (error) {
      return this.fail(error)
    }
    if (input === null) return this.#submit()
    if (!requestBuffering) {
      this.body = STREAMED
      this.#relay = new InputRelay(input, () => this.#handle)
      return this.#submit()
    }
    input.store(bodyStore).then(
      (stored) => {
        if (this.#over) return stored.discard()
        this.#stored = stored
        this.body = stored.finished()
        if (input.lengthUnknown && stored.length > 0)
          this.#encodedEnd = endWithLength(stored.length)
        this.#submit()
      },
      (error: unknown) => this.fail(error),
    )
  }

  /** Ends the call from outside, or because there can be no answer. */
  fail(error: unknown): void {
    const handle = this.#handle
    this.#handle = null
    if (handle !== null) handle.cancel()
    else this.#release()
    this.#failed(error)
  }

  /**
   * The client is gone before there was a head. A request that has not begun never begins; one that
   * runs is cancelled.
   */
  abandon(): void {
    if (this.#settle !== null) this.fail(new ClientGoneError())
  }

  #submit(): void {
    this.times?.queue()
    let runtime: Runtime | Promise<Runtime>
    try {
      runtime = this.#context.runtime()
    } catch (error) {
      return this.fail(error)
    }
    if (!('then' in runtime)) {
      this.#handle = runtime.submit(this)
      return
    }
    runtime.then(
      (started) => {
        if (!this.#over) this.#handle = started.submit(this)
      },
      (error: unknown) => this.fail(error),
    )
  }

  // ---------------------------------------------------------------- from the runtime (Task)

  describe(): string {
    const { REQUEST_METHOD, SCRIPT_NAME, PATH_INFO } = this.#environ
    return `${REQUEST_METHOD} ${SCRIPT_NAME ?? ''}${PATH_INFO ?? ''}`
  }

  environBound(): number {
    return this.#encoded!.length + this.#encodedEnd.length
  }

  writeEnviron(out: Buffer, at: number): number {
    out.set(this.#encoded!, at)
    const end = at + this.#encoded!.length
    out.set(this.#encodedEnd, end)
    return end + this.#encodedEnd.length
  }

  earlyHints(lines: Span): void {
    // Whoever made the environ may have none.
    const inform = this.#environ['wsgi.early_hints']
    if (typeof inform !== 'function') return
    try {
      inform(statusAndFields(`\r\n${lines.latin1()}`).fields)
    } catch (error) {
      this.fail(error)
    }
  }

  responseHead(head: Span, came: Span, ended: boolean): HeadOutcome {
    const { length } = came
    let declared: number
    try {
      declared = this.#begin(head)
    } catch (error) {
      // startResponse has refused the head.
      this.#handle = null
      this.#release()
      this.#failed(error)
      return REFUSED
    }
    const kept = !ended && length >= WORTH_KEEPING
    const first = kept ? came.view() : Buffer.from(came.view())
    if (ended || declared === length) {
      // The body is complete, although the worker may still run its close().
      if (ended) this.#ended()
      this.#resolve(length === 0 ? NOTHING : [first])
      this.#finish()
      return kept ? KEPT : TAKEN
    }
    if (declared !== -1) this.#expected = declared - length
    const body = new PythonBody(this)
    this.#response = body
    if (length > 0) body.push(first)
    this.#resolve(body)
    return kept ? KEPT : TAKEN
  }

  responseData(piece: Span): boolean {
    const body = this.#response
    if (body === null) return false
    const { length } = piece
    const kept = length >= WORTH_KEEPING
    this.#expected -= length
    body.push(kept ? piece.view() : Buffer.from(piece.view()))
    if (this.#expected <= 0) this.#complete()
    return kept
  }

  held(): void {}

  responseEnd(broken: boolean): void {
    this.#ended()
    if (this.#over) return
    if (broken) this.#failed(this.#relay?.failure ?? new PythonBrokenError())
    else this.#complete()
  }

  responseFile(reference: FileReference): void {
    this.#ended()
    const body = this.#response
    if (body === null) return
    if (this.#bodiless) this.#complete()
    else body.file(reference, () => this.#finish())
  }

  failed(traceback: string): void {
    this.#ended()
    this.#failed(this.#relay?.failure ?? new PythonError(traceback))
  }

  lost(status: 502 | 503 | 504, reason: string): void {
    this.#ended()
    const failure = this.#relay?.failure
    if (failure !== null && failure !== undefined) return this.#failed(failure)
    const code =
      status === 502 ? 'python-worker-lost' : status === 503 ? 'python-busy' : 'python-timeout'
    this.#failed(new PythonUnavailableError(code, `${this.describe()}: ${reason}`))
  }

  wantBody(bytes: number): void {
    this.#relay?.want(bytes)
  }

  released(): void {
    this.#release()
  }

  // ---------------------------------------------------------------- from the body (BodyConsumer)

  taken(bytes: number): void {
    const handle = this.#handle
    if (handle === null) return
    this.#taken += bytes
    if (this.#taken * 2 < this.#context.window) return
    handle.grant(this.#taken)
    this.#taken = 0
  }

  unwanted(): void {
    const handle = this.#handle
    this.#handle = null
    this.#response = null
    handle?.cancel()
    this.#finish()
  }

  // ----------------------------------------------------------------

  /** Calls startResponse. @returns the declared Content-Length or -1 */
  #begin(head: Span): number {
    const { status, fields } = statusAndFields(head.latin1())
    const headers: ResponseHeaders = fields
    let length = -1
    for (const [name, value] of headers) {
      if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value)
    }
    this.#bodiless =
      this.#environ.REQUEST_METHOD === 'HEAD' ||
      status.startsWith('204') ||
      status.startsWith('304')
    if (this.#span !== null) this.#span.status = Number.parseInt(status, 10)
    this.#startResponse(status, headers)
    return length
  }

  #resolve(body: WSGIBody): void {
    const settle = this.#settle
    this.#settle = null
    settle?.resolve(body)
  }

  /** The body is complete. The worker may not have ended the task yet, while its close() runs. */
  #complete(): void {
    const body = this.#response
    this.#response = null
    body?.end()
    this.#finish()
  }

  #failed(error: unknown): void {
    const settle = this.#settle
    const body = this.#response
    this.#settle = null
    this.#response = null
    if (settle !== null) settle.reject(error)
    else body?.fail(toError(error))
    this.#finish(error)
  }

  /** The runtime has ended the task. */
  #ended(): void {
    this.#handle = null
    this.#release()
  }

  #release(): void {
    this.#stored?.discard()
    this.#stored = null
  }

  /** @param error why there is no complete response */
  #finish(error: unknown = null): void {
    if (this.#over) return
    this.#over = true
    this.#span?.end(error === null || isAboutTheClient(error) ? null : toError(error))
    this.#context.over(this)
  }
}
