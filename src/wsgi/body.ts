/**
 * Wraps the body of a response, for middleware: to see or change its pieces, to add to its end, to
 * handle its errors, and to call its `close()` exactly once.
 *
 * Use the first of these that suffices:
 *
 * - {@link mapBody} if each piece becomes one piece and nothing is awaited. An array stays an
 *   array, which servers send at once.
 * - {@link transformBody} if pieces are awaited, joined or split.
 * - {@link bodyIterator} to read a body yourself.
 *
 * @example
 * const shout: Middleware = (app) => {
 *   const inner = toFunction(app)
 *   return (environ, startResponse) =>
 *     whenBody(inner(environ, startResponse), (body) => mapBody(body, { piece: upperCase }))
 * }
 */
import type { WSGIBody } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * The steps that {@link mapBody} takes with a body. They are called in the order of the body and
 * are not awaited.
 */
export interface BodySteps {
  /**
   * Called before the body is asked for its next piece, when the client can take more. Not called
   * for an array that is sent at once.
   */
  asked?: () => void
  /**
   * Takes each piece and returns the piece to send instead, or the same one.
   *
   * For an array of one piece, or of up to 64 KiB, all pieces are passed before the first one is
   * sent. Other bodies are passed one piece at a time.
   */
  piece?: (piece: Uint8Array) => Uint8Array
  /** Called once after the last piece. Returns one more piece to send, or `undefined`. */
  end?: () => Uint8Array | undefined
  /**
   * Called with an error that the body threw (not a step). Returns the pieces to send in place of
   * the rest, or throws the same or another error.
   */
  failed?: (error: unknown) => Iterable<Uint8Array>
  /**
   * Called exactly once when the response is over, whether it is complete or not.
   *
   * @param inner calls the `close()` of the body, if it has one; may return a promise. The step
   * must call it
   */
  close?: (inner: () => unknown) => unknown
}

/**
 * An array of several pieces stays an array up to this many bytes, the size that a server sends at
 * once.
 */
const AT_ONCE_BYTES = 64 * 1024

/**
 * Makes a body whose pieces go through some steps.
 *
 * A piece that is not a `Uint8Array` skips the steps: the server refuses it with a message that
 * says why.
 *
 * @throws WSGIError if the body is not an iterable
 * @example
 * // Counts the bytes of a response.
 * let bytes = 0
 * const counted = mapBody(body, {
 *   piece: (piece) => {
 *     bytes += piece.length
 *     return piece
 *   },
 *   close: (inner) => {
 *     console.log(`${bytes} bytes`)
 *     return inner()
 *   },
 * })
 */
export function mapBody(body: WSGIBody, steps: BodySteps): WSGIBody {
  if (Array.isArray(body) && isSentAtOnce(body)) return mapArray(body, steps)
  return isAsync(body) ? new AsyncBody(body, steps) : new SyncBody(body, steps)
}

function isSentAtOnce(pieces: readonly unknown[]): boolean {
  let length = 0
  for (const piece of pieces) {
    if (!(piece instanceof Uint8Array)) return false
    length += piece.length
  }
  return pieces.length === 1 || length <= AT_ONCE_BYTES
}

function mapArray(body: Uint8Array[] & { close?(): unknown }, steps: BodySteps): WSGIBody {
  const { piece, end } = steps
  const close = closeOnce(body, steps)
  try {
    const mapped: WSGIBody & Uint8Array[] =
      piece === undefined ? body.slice() : body.map((each) => piece(each))
    const last = end?.()
    if (last !== undefined) mapped.push(last)
    if (steps.close !== undefined || typeof body.close === 'function') mapped.close = close
    return mapped
  } catch (error) {
    close() // the server never sees this body, so it cannot close it
    throw error
  }
}

/**
 * Calls a function with the body that an application returned, or with the one that its promise
 * resolves to.
 *
 * @example return whenBody(inner(environ, startResponse), (body) => mapBody(body, steps))
 */
export function whenBody<T>(
  result: WSGIBody | Promise<WSGIBody>,
  use: (body: WSGIBody) => T,
): T | Promise<Awaited<T>> {
  return isPromise(result) ? (result.then(use) as Promise<Awaited<T>>) : use(result)
}

/** Whether a value is a promise or another object with a method `then`. */
export function isPromise<T>(value: T | PromiseLike<T>): value is Promise<T> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/** Whether a body is an async iterable, even if it is an iterable as well. An array never is. */
export function isAsync(body: WSGIBody): body is AsyncIterable<Uint8Array> & { close?(): unknown } {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}

/**
 * The iterator of any body, synchronous or asynchronous.
 *
 * @throws WSGIError if the body is not an iterable of bytes
 */
export function bodyIterator(body: WSGIBody): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  if (isAsync(body)) return body[Symbol.asyncIterator]()
  return syncIterator(body)
}

function syncIterator(body: WSGIBody): Iterator<Uint8Array> {
  if (
    typeof body === 'object' &&
    body !== null &&
    !(body instanceof Uint8Array) &&
    Symbol.iterator in body
  )
    return body[Symbol.iterator]()
  throw notIterable(body)
}

/**
 * Ends a body that is not read: calls {@link discardBody}, then its `close()`, even if the first
 * throws.
 */
export function discardAndClose(body: WSGIBody): unknown {
  const close = () => (typeof body?.close === 'function' ? body.close() : undefined)
  let discarded: unknown
  try {
    discarded = discardBody(body)
  } catch (error) {
    close()
    throw error
  }
  const closed = close()
  if (!isPromise(discarded)) return closed
  return isPromise(closed) ? Promise.all([discarded, closed]) : discarded
}

/**
 * Tells a body that it will not be read, so that a stream releases its file or connection. Does not
 * call its `close()`.
 *
 * @returns what the body returned, which may be a promise
 */
export function discardBody(body: WSGIBody): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  // return() does nothing for a stream of Node.js that has not been read yet.
  const { destroy } = body as { destroy?: unknown }
  if (typeof destroy === 'function' && isAsync(body)) return destroy.call(body)
  return isAsync(body) || Symbol.iterator in body ? bodyIterator(body).return?.() : undefined
}

/** The error for a body that is not an iterable of bytes. */
export function notIterable(body: unknown): WSGIError {
  return new WSGIError(
    'Specification Details',
    body instanceof Uint8Array
      ? 'The application returned bytes; it must return an iterable of bytes: put them in an array'
      : `The application must return an iterable of Uint8Array, not ${describeValue(body)}`,
  )
}

/** A function that closes the body, through the step `close`, the first time it is called. */
function closeOnce(body: WSGIBody, steps: BodySteps): () => unknown {
  let open = true
  return () => {
    if (!open) return undefined
    open = false
    const inner = () => body.close?.()
    return steps.close === undefined ? inner() : steps.close(inner)
  }
}

class SyncBody implements Iterable<Uint8Array>, Iterator<Uint8Array, undefined> {
  readonly close: () => unknown
  readonly #steps: BodySteps
  #iterator: Iterator<Uint8Array> | null
  /** The pieces after the end of the body: those of the steps `end` or `failed`. */
  #rest: Iterator<Uint8Array> | null = null

  constructor(body: WSGIBody, steps: BodySteps) {
    this.#iterator = syncIterator(body)
    this.#steps = steps
    this.close = closeOnce(body, steps)
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Uint8Array, undefined> {
    const iterator = this.#iterator
    if (iterator !== null) {
      this.#steps.asked?.()
      let step: IteratorResult<Uint8Array>
      try {
        step = iterator.next()
      } catch (error) {
        this.#iterator = null
        this.#rest = replacement(error, this.#steps)
        return this.#rest.next()
      }
      if (step.done !== true) return passed(step, this.#steps)
      this.#iterator = null
      this.#rest = ending(this.#steps)
    }
    return this.#rest?.next() ?? { done: true, value: undefined }
  }

  return(): IteratorResult<Uint8Array, undefined> {
    const iterator = this.#iterator
    this.#iterator = null
    this.#rest = null
    iterator?.return?.()
    return { done: true, value: undefined }
  }
}

/** Not a generator, because a generator that awaits a piece cannot be told to return. */
class AsyncBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly close: () => unknown
  readonly #steps: BodySteps
  #iterator: AsyncIterator<Uint8Array> | null
  #rest: Iterator<Uint8Array> | null = null

  constructor(body: AsyncIterable<Uint8Array> & { close?(): unknown }, steps: BodySteps) {
    this.#iterator = body[Symbol.asyncIterator]()
    this.#steps = steps
    this.close = closeOnce(body, steps)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const iterator = this.#iterator
    if (iterator !== null) {
      this.#steps.asked?.()
      let step: IteratorResult<Uint8Array>
      try {
        step = await iterator.next()
      } catch (error) {
        this.#iterator = null
        this.#rest = replacement(error, this.#steps)
        return this.#rest.next()
      }
      // return() was called in the meantime, so the piece is dropped.
      if (this.#iterator === null) return { done: true, value: undefined }
      if (step.done !== true) return passed(step, this.#steps)
      this.#iterator = null
      this.#rest = ending(this.#steps)
    }
    return this.#rest?.next() ?? { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const iterator = this.#iterator
    this.#iterator = null
    this.#rest = null
    await iterator?.return?.()
    return { done: true, value: undefined }
  }
}

function passed(
  step: IteratorYieldResult<Uint8Array>,
  steps: BodySteps,
): IteratorResult<Uint8Array, undefined> {
  if (steps.piece === undefined || !(step.value instanceof Uint8Array)) return step
  return { done: false, value: steps.piece(step.value) }
}

function ending(steps: BodySteps): Iterator<Uint8Array> | null {
  const last = steps.end?.()
  return last === undefined ? null : [last].values()
}

function replacement(error: unknown, steps: BodySteps): Iterator<Uint8Array> {
  if (steps.failed === undefined) throw error
  return steps.failed(error)[Symbol.iterator]()
}

/**
 * Makes a body from the pieces of another: compressed, joined, split, or awaited.
 *
 * If the response ends early, the given body is told to return and closed at once, even while
 * `transform` awaits a piece of it. Then `transform` is told to return.
 *
 * @param transform usually an async generator function
 * @param close see {@link BodySteps}
 * @throws WSGIError if the body is not an iterable
 * @example
 * transformBody(body, async function* (pieces) {
 *   for await (const piece of pieces) yield await encrypted(piece)
 * })
 */
export function transformBody(
  body: WSGIBody,
  transform: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  close?: BodySteps['close'],
): WSGIBody {
  const pieces = new Pieces(bodyIterator(body))
  const transformed = transform(pieces)[Symbol.asyncIterator]()
  const finish = closeOnce(body, close === undefined ? {} : { close })
  let over = false
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const step = await transformed.next()
        if (step.done === true) over = true
        return step
      },
      return: async () => {
        if (over) return { done: true, value: undefined }
        over = true
        // The first call releases a transform that awaits a piece. Otherwise the second would never
        // resolve.
        const inner = pieces.return()
        await transformed.return?.()
        return inner
      },
    }),
    close: finish,
  }
}

/** The pieces of a body. `return()` ends a `next()` that is pending, so its reader never hangs. */
class Pieces implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | null
  #release: (() => void) | null = null

  constructor(iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>) {
    this.#iterator = iterator
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const iterator = this.#iterator
    if (iterator === null) return { done: true, value: undefined }
    try {
      const result = iterator.next()
      const step = isPromise(result)
        ? await Promise.race([
            result,
            new Promise<null>((resolve) => (this.#release = () => resolve(null))),
          ])
        : result
      this.#release = null
      if (step === null || step.done === true) {
        this.#iterator = null
        return { done: true, value: undefined }
      }
      return step
    } catch (error) {
      this.#iterator = null
      throw error
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const iterator = this.#iterator
    this.#iterator = null
    this.#release?.()
    await iterator?.return?.()
    return { done: true, value: undefined }
  }
}
