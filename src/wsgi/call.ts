import { callApplication } from './application.ts'
import { discardAndClose, isPromise, notIterable } from './body.ts'
import { ClientGoneError, type ClientWatch, isAboutTheClient, watchClient } from './client-gone.ts'
import type { HeadFacts } from './head-rules.ts'
import { equivalentBytes, type Judge } from './leniency.ts'
import type {
  ResponseHeaders,
  StartResponse,
  Write,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
} from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * Where a response goes: an HTTP connection, a Node response, a fetch `Response`, a test. It is
 * called in this order: `respond`; or `start`, any number of `data`, then `finish` or `broken`; or
 * `failed`. After {@link Call.cancel} it is called no more, but for `complain`.
 */
export interface ResponseSink<Head extends HeadFacts> {
  /**
   * Checks what `startResponse` was given, and keeps what it needs of it: the list is the
   * application's, which may change it later.
   *
   * @throws WSGIError
   */
  checkHead(status: string, headers: ResponseHeaders): Head
  /**
   * A whole response. `body` is the application's: it is not to be written to. For HEAD it is there
   * for its length, and not to be sent; for 204 and 304 it is empty.
   */
  respond(head: Head, body: Uint8Array): void
  /** The head of a response whose body follows. */
  start(head: Head): void
  /**
   * A piece of the body. @returns whether the next is welcome; if not, when {@link whenReady} says
   */
  data(chunk: Uint8Array): boolean
  /**
   * Calls back once, when the next piece is welcome, and not before it has returned. Nobody asks
   * again before that. Not after the call has been cancelled.
   */
  whenReady(callback: () => void): void
  /** The response is complete. */
  finish(): void
  /** The application failed before its head was sent: the answer is 500. */
  failed(error: unknown): void
  /**
   * The application failed, or gave less than it had declared, in the middle of its response: the
   * client must see that it is incomplete.
   */
  broken(error: unknown): void
  /** Something for the log that changes nothing for the client. */
  complain(error: unknown): void
  /**
   * The application has made that many bytes of the body, and they stay until all have been given.
   */
  holds?(bytes: number): void
  /** As in {@link Judge}; a sink that has none forgives nothing. */
  forgive?: Judge['forgive']
}

type Iteration = Iterator<unknown> | AsyncIterator<unknown>
/** Goes on when more can be sent, or hears why nothing more can be. */
type Waiter = (error?: unknown) => void

const EMPTY = new Uint8Array(0)
const DONE: Promise<void> = Promise.resolve()
/** Up to here the pieces of an array are put together and sent at once. */
const GATHERED_BYTES = 64 * 1024

/**
 * One call of an application, under the rules of PEP 3333: from its environ to the last byte of its
 * response. It decides when the head is sent, what of the body is sent, and it calls `close()`
 * exactly once; how things are sent is the sink's.
 *
 * An application that answers without a promise is answered for before {@link run} returns.
 *
 * @example
 * const call = new Call(app, environ, sink, environ.REQUEST_METHOD === 'HEAD')
 * connection.on('close', () => call.cancel())
 * call.run()
 */
export class Call<Head extends HeadFacts> implements ClientWatch {
  readonly #app: WSGIApplication
  readonly #environ: WSGIEnvironment
  readonly #sink: ResponseSink<Head>
  /** The client wants no body, whatever the application gives. */
  readonly #headOnly: boolean
  #asked = false
  #head: Head | null = null
  #sent = false
  #over = false
  #cancelled = false
  #produced = 0
  #body: WSGIBody | null = null
  #iterator: Iteration | null = null
  /** A body's `next()` is running: it cannot be told to return from within itself. */
  #stepping = false
  /** Why the call failed. */
  #failure: { readonly error: unknown } | null = null
  /**
   * Those who wait for the client: the body, and every `write()` that nobody has waited for. The
   * sink is asked while there are any.
   */
  #waiters: Waiter[] = []
  /** Who wants to know when the client goes. */
  #whenGone: (() => void)[] | null = null

  constructor(
    app: WSGIApplication,
    environ: WSGIEnvironment,
    sink: ResponseSink<Head>,
    headOnly: boolean,
  ) {
    this.#app = app
    this.#environ = environ
    this.#sink = sink
    this.#headOnly = headOnly
    watchClient(environ, this)
  }

  /** Calls the application. Nothing is thrown: errors go to the sink. */
  run(): void {
    let result: WSGIBody | Promise<WSGIBody>
    try {
      result = callApplication(this.#app, this.#environ, this.#startResponse)
      if (isPromise(result)) {
        // What only behaves like a promise may settle twice, or throw where it should not.
        Promise.resolve(result).then(
          (body) => this.#take(body),
          (error: unknown) => this.#fail(error),
        )
        return
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#take(result)
  }

  /**
   * The client is gone. The body is closed at once, also while it is being waited for; a generator
   * is told to return.
   */
  cancel(): void {
    if (this.#over) return
    this.#cancelled = true
    this.#end(new ClientGoneError())
    const callbacks = this.#whenGone
    this.#whenGone = null
    for (const callback of callbacks ?? []) this.#guard(callback)
  }

  whenClientGone(callback: () => void): void {
    if (this.#cancelled) {
      callback()
    } else if (!this.#over) {
      this.#whenGone ??= []
      this.#whenGone.push(callback)
    }
  }

  /**
   * Ends the call with an error from outside, such as a time-out, as if the application had thrown
   * it.
   */
  fail(error: unknown): void {
    this.#fail(error)
  }

  // An arrow function: applications pass it on like any other function.
  readonly #startResponse: StartResponse = (status, headers, excInfo) => {
    if (excInfo !== undefined && excInfo !== null) {
      if (this.#sent || (this.#over && !this.#cancelled)) throw excInfo
    } else if (this.#failure !== null) {
      throw this.#failure.error // a time-out, say: that is why there is nothing to begin
    } else if (this.#asked) {
      throw new WSGIError(
        'The start_response() Callable',
        'startResponse was called twice; only an error handler may do so, with the error as its third argument',
      )
    } else if (this.#over && !this.#cancelled) {
      throw new WSGIError(
        'The start_response() Callable',
        'startResponse was called after the response had ended',
      )
    }
    this.#asked = true // a refused call counts too
    this.#head = null
    this.#head = this.#sink.checkHead(status, headers)
    return this.#write
  }

  readonly #write: Write = (given) => {
    const data =
      given instanceof Uint8Array
        ? given
        : this.#equivalent(
            given,
            new WSGIError(
              'The write() Callable',
              `write() takes a Uint8Array, not ${describeValue(given)}`,
            ),
          )
    if (this.#cancelled) return rejected(new ClientGoneError())
    if (this.#failure !== null) return rejected(this.#failure.error)
    if (this.#over)
      throw new WSGIError('The write() Callable', 'write() was called after the response had ended')
    const head = this.#head
    if (head === null)
      throw new WSGIError(
        'The write() Callable',
        'write() was called although startResponse had refused the head',
      )
    if (data.length > 0 && this.#produced + data.length > this.#limit(head)) {
      this.#give(data)
      throw surplus(head)
    }
    if (this.#give(data) || this.#over) return DONE
    const sent = new Promise<void>((resolve, reject) => {
      this.#whenReady((error) => (error === undefined ? resolve() : reject(error)))
    })
    sent.catch(() => {}) // whoever waits for it gets the error; nobody has to
    return sent
  }

  /** Takes the body that the application has returned. */
  #take(body: WSGIBody): void {
    if (this.#over) {
      // It comes too late: nobody asks it for a piece, and a stream has a file or a connection to
      // let go of.
      this.#guard(() => discardAndClose(body))
      return
    }
    this.#body = body
    try {
      if (Array.isArray(body) && this.#respondAtOnce(body)) return
      this.#iterate(body)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Sends a body that is at hand as a whole; false where that is not possible. */
  #respondAtOnce(chunks: readonly unknown[]): boolean {
    const head = this.#head
    if (head === null || this.#sent) return false
    let length = 0
    let count = 0
    let only: Uint8Array = EMPTY
    // What it iterates over counts, not what its indices hold: they are not the same for every
    // subclass.
    for (const chunk of chunks) {
      only = this.#checkChunk(chunk)
      if (only !== chunk)
        return this.#respondAtOnce(Array.from(chunks, (each) => this.#checkChunk(each)))
      length += only.length
      count++
    }
    if (head.contentLength !== -1 && head.contentLength !== length) return false
    let body: Uint8Array = EMPTY
    if (head.status === 204 || head.status === 304) body = EMPTY
    else if (count === 1) body = only
    else if (length > GATHERED_BYTES) {
      this.#sink.holds?.(length)
      return false
    } else if (length > 0) body = gather(chunks as readonly Uint8Array[], length)
    this.#sent = true
    this.#over = true
    this.#sink.respond(head, body)
    this.#close()
    return true
  }

  #iterate(body: WSGIBody): void {
    if (typeof body === 'object' && body !== null && !(body instanceof Uint8Array)) {
      if (Symbol.asyncIterator in body) {
        const iterator = body[Symbol.asyncIterator]()
        this.#iterator = iterator
        if (this.#over)
          this.#release() // the client has left meanwhile
        else void this.#pumpAsync(iterator)
        return
      }
      if (Symbol.iterator in body) {
        const iterator = body[Symbol.iterator]()
        this.#iterator = iterator
        if (this.#over) this.#release()
        else this.#pump(iterator)
        return
      }
    }
    throw notIterable(body)
  }

  #pump(iterator: Iterator<unknown>): void {
    try {
      while (!this.#over) {
        const step = this.#step(iterator)
        if (this.#over) return
        if (step.done === true) {
          this.#iterator = null
          this.#complete()
        } else if (!this.#pass(step.value)) {
          if (!this.#over) this.#whenReady(() => this.#pump(iterator))
          return
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * One `next()`. Where the call ended meanwhile, from within the application's own code, the body
   * is ended behind it.
   */
  #step(iterator: Iterator<unknown>): IteratorResult<unknown> {
    let finished = true // an iterator that throws has come to its end
    this.#stepping = true
    try {
      const step = iterator.next()
      finished = step.done === true
      return step
    } finally {
      this.#stepping = false
      if (finished) this.#iterator = null
      if (this.#over) this.#release()
    }
  }

  async #pumpAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    try {
      while (!this.#over) {
        let step: IteratorResult<unknown>
        try {
          step = await iterator.next()
        } catch (error) {
          this.#iterator = null // an iterator that throws has come to its end
          throw error
        }
        if (this.#over) return
        if (step.done === true) {
          this.#iterator = null
          this.#complete()
        } else if (!this.#pass(step.value) && !this.#over) {
          await new Promise<void>((resolve) => this.#whenReady(() => resolve()))
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #whenReady(waiter: Waiter): void {
    if (this.#waiters.push(waiter) > 1) return // the sink has been asked
    this.#sink.whenReady(() => this.#wake())
  }

  #wake(error?: unknown): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter(error)
  }

  /**
   * Sends what the body has given, and ends the response where nobody wants the rest. @returns
   * whether the next is welcome
   */
  #pass(value: unknown): boolean {
    const chunk = this.#checkChunk(value)
    const head = this.#head
    if (head === null) {
      if (chunk.length === 0) return true // no body yet, so the head may still follow
      throw this.#noHead()
    }
    const welcome = this.#give(chunk)
    if (this.#over) return false
    if (this.#sent && this.#isBodiless(head)) {
      this.#finish()
    } else if (this.#produced > this.#limit(head)) {
      this.#sink.complain(surplus(head))
      this.#finish()
    }
    return welcome
  }

  #checkChunk(chunk: unknown): Uint8Array {
    return chunk instanceof Uint8Array ? chunk : this.#equivalent(chunk, wrongChunk(chunk))
  }

  /**
   * The bytes of what is as good as a `Uint8Array`, where the sink forgives that. @throws `error`
   */
  #equivalent(value: unknown, error: WSGIError): Uint8Array {
    const bytes = this.#sink.forgive === undefined ? null : equivalentBytes(value)
    if (bytes === null) throw error
    this.#sink.forgive?.('not-uint8array', error, 'its bytes are sent')
    return bytes
  }

  /**
   * Sends a piece of the body, and the head before the first that is not empty. @returns whether
   * the next is welcome
   */
  #give(chunk: Uint8Array): boolean {
    const head = this.#head!
    if (chunk.length === 0) return true
    if (!this.#sent) {
      this.#sent = true
      this.#sink.start(head)
      if (this.#over) return false // the client has left meanwhile
    }
    if (this.#isBodiless(head)) return true
    const left = this.#limit(head) - this.#produced
    this.#produced += chunk.length
    if (left <= 0) return true
    return this.#sink.data(chunk.length > left ? chunk.subarray(0, left) : chunk)
  }

  #isBodiless(head: Head): boolean {
    return this.#headOnly || head.status === 204 || head.status === 304
  }

  /** How many bytes of body are sent at most. */
  #limit(head: Head): number {
    return head.contentLength === -1 || this.#isBodiless(head)
      ? Number.POSITIVE_INFINITY
      : head.contentLength
  }

  /** All of the declared Content-Length has been sent. */
  #isWhole(): boolean {
    const head = this.#head
    return this.#sent && head !== null && this.#produced >= this.#limit(head)
  }

  /** The application has given all it has. */
  #complete(): void {
    const head = this.#head
    if (head === null) throw this.#noHead()
    const bodiless = this.#isBodiless(head)
    if (!this.#sent && (bodiless || head.contentLength <= 0)) {
      this.#sent = true
      this.#over = true
      this.#sink.respond(head, EMPTY)
      this.#close()
      return
    }
    if (!bodiless && head.contentLength > this.#produced) {
      const error = new WSGIError(
        'Handling the Content-Length Header',
        `The application gave ${this.#produced} bytes and had declared a Content-Length of ${head.contentLength}`,
      )
      if (!this.#sent) {
        this.#sent = true
        this.#sink.start(head)
        if (this.#over) return // the client has left meanwhile
      }
      this.#fail(error)
      return
    }
    this.#finish()
  }

  #finish(): void {
    this.#over = true
    this.#sink.finish()
    this.#end()
  }

  #fail(error: unknown): void {
    if (this.#over) {
      // Nobody is left to be told; an application that stumbles over the client's absence, or over
      // what has been told, has done nothing wrong.
      const isKnown = this.#failure?.error === error || (this.#cancelled && isAboutTheClient(error))
      if (!isKnown) this.#sink.complain(error)
      this.#end() // where it was the sink that failed, on its last words
      return
    }
    this.#over = true
    this.#failure = { error }
    try {
      if (this.#isWhole()) {
        // Nothing is missing of what was declared: the client has its response, and only the log
        // has something to hear.
        this.#sink.finish()
        this.#sink.complain(error)
      } else if (this.#sent) this.#sink.broken(error)
      else this.#sink.failed(error)
    } finally {
      this.#end(error ?? new Error('The application failed'))
    }
  }

  /** @param error what those hear who wait for the client */
  #end(error?: unknown): void {
    this.#over = true
    this.#wake(error)
    if (!this.#stepping) this.#release()
  }

  /** Ends the body. */
  #release(): void {
    const iterator = this.#iterator
    this.#iterator = null
    if (iterator !== null) this.#guard(() => iterator.return?.())
    this.#close()
  }

  #close(): void {
    const body = this.#body
    if (body === null || body === undefined) return
    this.#body = null
    this.#guard(() => (typeof body.close === 'function' ? body.close() : undefined))
  }

  #noHead(): WSGIError {
    return new WSGIError(
      'The start_response() Callable',
      this.#asked
        ? 'The application gave its body although startResponse had refused the head'
        : 'The application gave its body without having called startResponse',
    )
  }

  /** Calls the application's own code at the end, where an error can only be told. */
  #guard(last: () => unknown): void {
    const told = (error: unknown) => {
      if (!isAboutTheClient(error)) this.#sink.complain(error)
    }
    try {
      const result = last()
      if (isPromise(result)) result.then(undefined, told)
    } catch (error) {
      told(error)
    }
  }
}

function surplus(head: HeadFacts): WSGIError {
  return new WSGIError(
    'Handling the Content-Length Header',
    `The application gave more than its Content-Length of ${head.contentLength} bytes; the rest was not sent`,
  )
}

function wrongChunk(chunk: unknown): WSGIError {
  const hint = typeof chunk === 'string' ? '; a TextEncoder makes bytes of text' : ''
  return new WSGIError(
    'Specification Details',
    `The body must be made of Uint8Array, not of ${describeValue(chunk)}${hint}`,
  )
}

function gather(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return body
}

function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}
