import { callApplication } from './application.ts'
import { discardAndClose, isPromise } from './body.ts'
import { attempt, BodyInUse } from './body-in-use.ts'
import { ClientGoneError, type ClientWatch, isAboutTheClient, watchClient } from './client-gone.ts'
import type { HeadFacts } from './head-rules.ts'
import { ResponseOutput } from './response-output.ts'
import type { ResponseSink } from './response-sink.ts'
import type { StartResponse, Write, WSGIApplication, WSGIBody, WSGIEnvironment } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/** Called when more can be sent, or with the reason why nothing more can be. */
type Waiter = (error?: unknown) => void

const DONE: Promise<void> = Promise.resolve()

/**
 * One call of an application under the rules of PEP 3333, from its environ to the last byte of its
 * response. It decides when the head is sent and what of the body is sent, and calls `close()`
 * exactly once. The sink decides how things are sent.
 *
 * The response of an application that returns no promise is complete before {@link run} returns,
 * unless the client is slow.
 *
 * @example
 * const call = new Call(app, environ, sink, environ.REQUEST_METHOD === 'HEAD')
 * connection.on('close', () => call.cancel())
 * call.run()
 */
export class Call<Head extends HeadFacts> implements ClientWatch {
  readonly #app: WSGIApplication
  readonly #environ: WSGIEnvironment
  readonly #output: ResponseOutput<Head>
  #body: BodyInUse | null = null
  #cancelled = false
  /** Why the call failed. */
  #failure: { readonly error: unknown } | null = null
  /**
   * What waits for the client: the body, and each `write()` whose promise is pending. While there
   * are any, the sink has been asked to call back.
   */
  #waiters: Waiter[] = []
  /** Called when the client goes away. */
  #whenGone: (() => void)[] | null = null

  /** @param headOnly the request is HEAD: the client takes no body */
  constructor(
    app: WSGIApplication,
    environ: WSGIEnvironment,
    sink: ResponseSink<Head>,
    headOnly: boolean,
  ) {
    this.#app = app
    this.#environ = environ
    this.#output = new ResponseOutput(sink, headOnly)
    watchClient(environ, this)
  }

  /** Calls the application. Throws nothing: errors go to the sink. */
  run(): void {
    let result: WSGIBody | Promise<WSGIBody>
    try {
      result = callApplication(this.#app, this.#environ, this.#startResponse)
      if (isPromise(result)) {
        // A thenable that is not a Promise may settle twice, or throw from then().
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
   * The client has gone away. The body is closed at once, even while a piece of it is awaited, and
   * a generator is told to return.
   */
  cancel(): void {
    if (this.#output.isOver) return
    this.#cancelled = true
    this.#end(new ClientGoneError())
    const callbacks = this.#whenGone
    this.#whenGone = null
    for (const callback of callbacks ?? []) attempt(callback, this.#output.sink)
  }

  whenClientGone(callback: () => void): void {
    if (this.#cancelled) {
      callback()
    } else if (!this.#output.isOver) {
      this.#whenGone ??= []
      this.#whenGone.push(callback)
    }
  }

  /** Ends the call with an error from outside, such as a timeout, as if the application threw. */
  fail(error: unknown): void {
    this.#fail(error)
  }

  // An arrow function: applications pass it on like any other function.
  readonly #startResponse: StartResponse = (status, headers, excInfo) => {
    const output = this.#output
    const isTooLate = output.isOver && !this.#cancelled
    if (excInfo !== undefined && excInfo !== null) {
      if (output.isHeadSent || isTooLate) throw excInfo
    } else if (this.#failure !== null) {
      throw this.#failure.error // a timeout, for example: the reason why no response can begin
    } else if (output.isBegun) {
      throw new WSGIError(
        'The start_response() Callable',
        'startResponse was called twice; only an error handler may do so, ' +
          'with the error as its third argument',
      )
    } else if (isTooLate) {
      throw new WSGIError(
        'The start_response() Callable',
        'startResponse was called after the response had ended',
      )
    }
    output.begin(status, headers)
    return this.#write
  }

  readonly #write: Write = (given) => {
    const output = this.#output
    const data =
      given instanceof Uint8Array
        ? given
        : output.equivalent(
            given,
            new WSGIError(
              'The write() Callable',
              `write() takes a Uint8Array, not ${describeValue(given)}`,
            ),
          )
    if (this.#cancelled) return rejected(new ClientGoneError())
    if (this.#failure !== null) return rejected(this.#failure.error)
    if (output.isOver)
      throw new WSGIError('The write() Callable', 'write() was called after the response had ended')
    if (output.write(data) || output.isOver) return DONE
    const sent = new Promise<void>((resolve, reject) => {
      this.#whenReady((error) => (error === undefined ? resolve() : reject(error)))
    })
    sent.catch(() => {}) // an application need not await it
    return sent
  }

  /** Takes the body that the application returned. */
  #take(body: WSGIBody): void {
    const output = this.#output
    if (output.isOver) {
      // Too late: no piece of it will be read, and a stream has a file or a connection to release.
      attempt(() => discardAndClose(body), output.sink)
      return
    }
    const inUse = new BodyInUse(body, output.sink)
    this.#body = inUse
    try {
      if (Array.isArray(body) && output.respondAtOnce(body)) {
        this.#end()
        return
      }
      const asynchronous = inUse.iterateAsync()
      if (asynchronous !== null) void this.#pumpAsync(inUse, asynchronous)
      else this.#pump(inUse, inUse.iterate())
    } catch (error) {
      this.#fail(error)
    }
  }

  #pump(body: BodyInUse, iterator: Iterator<unknown>): void {
    const output = this.#output
    try {
      while (!output.isOver) {
        const step = body.step(iterator)
        if (output.isOver) return
        if (step.done === true) {
          this.#complete()
        } else if (!this.#pass(step.value)) {
          if (!output.isOver) this.#whenReady(() => this.#pump(body, iterator))
          return
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #pumpAsync(body: BodyInUse, iterator: AsyncIterator<unknown>): Promise<void> {
    const output = this.#output
    try {
      while (!output.isOver) {
        let step: IteratorResult<unknown>
        try {
          step = await iterator.next()
        } catch (error) {
          body.exhausted()
          throw error
        }
        if (output.isOver) return
        if (step.done === true) {
          body.exhausted()
          this.#complete()
        } else if (!this.#pass(step.value) && !output.isOver) {
          await new Promise<void>((resolve) => this.#whenReady(() => resolve()))
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Sends a piece of the body. @returns whether the next one can be sent now */
  #pass(value: unknown): boolean {
    const ready = this.#output.pass(value)
    if (this.#output.isOver) this.#end()
    return ready
  }

  #complete(): void {
    this.#output.complete()
    this.#end()
  }

  #whenReady(waiter: Waiter): void {
    if (this.#waiters.push(waiter) > 1) return // the sink has been asked already
    this.#output.sink.whenReady(() => this.#wake())
  }

  #wake(error?: unknown): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter(error)
  }

  #fail(error: unknown): void {
    const output = this.#output
    if (output.isOver) {
      // It is too late for an answer. An application that fails because the client is gone,
      // or because of an error that was reported before, has done nothing wrong.
      const isKnown = this.#failure?.error === error || (this.#cancelled && isAboutTheClient(error))
      if (!isKnown) output.sink.complain(error)
      this.#end() // the sink itself may have failed while it ended the response
      return
    }
    this.#failure = { error }
    try {
      output.fail(error)
    } finally {
      this.#end(error ?? new Error('The application failed'))
    }
  }

  /** @param error given to whatever waits for the client */
  #end(error?: unknown): void {
    this.#output.isOver = true
    this.#wake(error)
    this.#body?.end()
  }
}

function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}
