import type { ErrorStream, WSGIBody } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import type { CheckedResponse } from './checked-response.ts'
import { byApplication, byServer, ViolationError } from './violation.ts'

const DETAILS: Rule = 'Specification Details'

/**
 * Wraps a body to check its pieces, and how the server reads and ends it.
 *
 * @param request the name of the request in messages
 * @param errors takes what shows only after the response: that the server never ended the body
 * @throws ViolationError if the application did not return a body
 */
export function checkedBody(
  body: unknown,
  response: CheckedResponse,
  request: string,
  errors: ErrorStream,
): WSGIBody {
  checkKind(body)
  const use = new BodyUse(request, errors)
  const checked =
    Symbol.asyncIterator in body
      ? new AsyncCheckedBody(body, response, use)
      : new SyncCheckedBody(body, response, use)
  forgotten?.register(checked, use)
  return checked
}

function checkKind(body: unknown): asserts body is WSGIBody {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    throw byApplication(
      DETAILS,
      `it returned ${typeof body === 'string' ? 'a string' : 'bytes'}; ` +
        'a body is an iterable of Uint8Array: put them in an array',
    )
  }
  if (
    typeof body !== 'object' ||
    body === null ||
    !(Symbol.iterator in body || Symbol.asyncIterator in body)
  ) {
    const hint =
      typeof body === 'object' && body !== null && 'next' in body
        ? 'an iterator; a body has a method [Symbol.iterator]() or [Symbol.asyncIterator]()'
        : `${describeValue(body)}; a body is an iterable of Uint8Array, such as an empty array`
    throw byApplication(DETAILS, `it returned ${hint}`)
  }
  const { close } = body as { close?: unknown }
  if (close !== undefined && typeof close !== 'function') {
    throw byApplication(
      DETAILS,
      `the close of its body must be a method or absent, not ${describeValue(close)}`,
    )
  }
}

/**
 * What a server has done with a body. It has no reference to the body, which must stay collectable.
 */
class BodyUse {
  readonly #request: string
  readonly #errors: ErrorStream
  #iterated = false
  #begun = false
  #waiting = false
  /** The body has given its last piece, or has failed. */
  ended = false
  #returned = false
  #closed = false

  constructor(request: string, errors: ErrorStream) {
    this.#request = request
    this.#errors = errors
  }

  iterate(): void {
    if (this.#closed) throw byServer(DETAILS, 'it began to iterate over the body after close()')
    if (this.#iterated) throw byServer(DETAILS, 'it began to iterate over the body a second time')
    this.#iterated = true
  }

  beforePiece(): void {
    if (this.#closed) throw byServer(DETAILS, 'it asked the body for a piece after close()')
    if (this.#returned) throw byServer(DETAILS, 'it asked the body for a piece after return()')
    if (this.ended) throw byServer(DETAILS, 'it asked the body for a piece after its end')
    if (this.#waiting) {
      throw byServer(
        'Buffering and Streaming',
        'it asked the body for a piece while it was waiting for one',
      )
    }
    this.#begun = true
    this.#waiting = true
  }

  afterPiece(): void {
    this.#waiting = false
  }

  return(): void {
    this.#returned = true
  }

  close(): void {
    if (this.#closed) throw byServer(DETAILS, "it called the body's close() twice")
    this.#closed = true
  }

  /** The body was collected: what was not done by now never will be. */
  forget(): void {
    let what: string
    if (!this.#closed) what = `it never called close() on the body for ${this.#request}`
    else if (this.#begun && !this.ended && !this.#returned) {
      what =
        `it stopped iterating over the body for ${this.#request} ` +
        "and did not call the iterator's return()"
    } else return
    try {
      this.#errors.write(`${byServer(DETAILS, what).message}\n`)
    } catch {
      // An error that is thrown from here would end the process.
    }
  }
}

/** Undefined on JavaScript engines without it, where forgotten bodies are not reported. */
const forgotten =
  typeof FinalizationRegistry === 'undefined'
    ? undefined
    : new FinalizationRegistry<BodyUse>((use) => use.forget())

/** The iterators of validated bodies. Each may serve one response only. */
const served = new WeakSet<object>()

/** The common part of synchronous and asynchronous bodies. */
abstract class CheckedBody {
  readonly #body: WSGIBody
  protected readonly response: CheckedResponse
  protected readonly use: BodyUse

  constructor(body: WSGIBody, response: CheckedResponse, use: BodyUse) {
    this.#body = body
    this.response = response
    this.use = use
  }

  close(): unknown {
    this.use.close()
    this.response.close()
    return this.#body.close?.()
  }

  protected checkIterator(iterator: unknown): void {
    const next =
      typeof iterator === 'object' && iterator !== null && (iterator as { next?: unknown }).next
    if (typeof next !== 'function') {
      throw byApplication(
        DETAILS,
        `its body gave ${describeValue(iterator)} instead of an iterator with a method next()`,
      )
    }
    if (served.has(iterator as object)) {
      throw byApplication(
        DETAILS,
        'it returned the same iterator for two responses; make a new one for each',
      )
    }
    served.add(iterator as object)
  }

  protected before(): void {
    this.use.beforePiece()
    this.response.reading()
  }

  /** Checks the result of `next()`. @throws ViolationError, which ends the iteration */
  protected checkStep(step: unknown): IteratorResult<Uint8Array, undefined> {
    this.use.afterPiece()
    if (typeof step !== 'object' || step === null || step instanceof Promise) {
      const hint =
        step instanceof Promise
          ? '; an asynchronous body must have a method [Symbol.asyncIterator]()'
          : ''
      this.use.ended = true
      this.response.fail()
      throw byApplication(
        DETAILS,
        'the next() of its body must return an object with done and value, ' +
          `not ${describeValue(step)}${hint}`,
      )
    }
    const { done, value } = step as { done?: unknown; value?: unknown }
    if (done) {
      this.use.ended = true
      this.response.complete()
      return { done: true, value: undefined }
    }
    try {
      return { done: false, value: this.response.piece(value) }
    } catch (error) {
      this.use.ended = true
      this.response.fail()
      throw error
    }
  }

  protected failed(): void {
    this.use.afterPiece()
    this.use.ended = true
    this.response.fail()
  }
}

class SyncCheckedBody extends CheckedBody implements Iterable<Uint8Array> {
  readonly #pieces: Iterable<unknown>

  constructor(body: Iterable<Uint8Array>, response: CheckedResponse, use: BodyUse) {
    super(body, response, use)
    this.#pieces = body
  }

  [Symbol.iterator](): Iterator<Uint8Array, undefined> {
    this.use.iterate()
    const iterator = this.#pieces[Symbol.iterator]()
    this.checkIterator(iterator)
    return {
      next: () => {
        this.before()
        let step: unknown
        try {
          step = iterator.next()
        } catch (error) {
          this.failed()
          throw error
        }
        try {
          return this.checkStep(step)
        } catch (error) {
          // After an error of next() a caller need not call return(), but a generator must still
          // run its finally block.
          if (error instanceof ViolationError) quietly(() => iterator.return?.())
          throw error
        }
      },
      return: () => {
        this.use.return()
        this.response.close()
        if (!this.use.ended) iterator.return?.()
        return { done: true, value: undefined }
      },
    }
  }
}

class AsyncCheckedBody extends CheckedBody implements AsyncIterable<Uint8Array> {
  readonly #pieces: AsyncIterable<unknown>

  constructor(body: AsyncIterable<Uint8Array>, response: CheckedResponse, use: BodyUse) {
    super(body, response, use)
    this.#pieces = body
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.use.iterate()
    const iterator = this.#pieces[Symbol.asyncIterator]()
    this.checkIterator(iterator)
    return {
      next: async () => {
        this.before()
        let step: unknown
        try {
          step = await iterator.next()
        } catch (error) {
          this.failed()
          throw error
        }
        try {
          return this.checkStep(step)
        } catch (error) {
          if (error instanceof ViolationError) quietly(() => iterator.return?.())
          throw error
        }
      },
      return: async () => {
        this.use.return()
        this.response.close()
        if (!this.use.ended) await iterator.return?.()
        return { done: true, value: undefined }
      },
    }
  }
}

/** Calls a function and ignores its errors, because there is an earlier error to report. */
function quietly(call: () => unknown): void {
  try {
    Promise.resolve(call()).catch(() => {})
  } catch {
    // The earlier error is reported.
  }
}
