/**
 * Wrapping the body of a response, for middleware: seeing or changing its pieces, adding some at
 * its end, answering for its errors, and keeping the promise that its `close()` runs exactly once.
 *
 * Of the three, take the first that does: {@link mapBody} where each piece becomes one piece and
 * nothing is waited for (an array stays an array, which servers send at once); {@link
 * transformBody} where pieces are waited for, joined or split; {@link bodyIterator} to read a body
 * oneself.
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
 * What {@link mapBody} does with a body. All are called in the order of the body, and none is
 * waited for.
 */
export interface BodySteps {
  /**
   * Called before the body is asked for its next piece: the client takes more. Not for an array
   * that is sent at once.
   */
  asked?: () => void
  /**
   * Gets each piece and gives what is sent in its place; the same piece where it only looks.
   *
   * The pieces of an array of up to 64 KiB, or of one piece, are all seen before the first is sent,
   * of any other body one at a time.
   */
  piece?: (piece: Uint8Array) => Uint8Array
  /** Called once when the body has given all it has. What it gives is sent as the last piece. */
  end?: () => Uint8Array | undefined
  /**
   * Called with what the body threw (not a step). It throws, the same or another error, or gives
   * what is sent in place of the rest.
   */
  failed?: (error: unknown) => Iterable<Uint8Array>
  /**
   * Called exactly once, when the response is over, whatever happened. It must call `inner`, the
   * body's own `close()` (which does nothing where there is none, and may give a promise).
   */
  close?: (inner: () => unknown) => unknown
}

/**
 * The most bytes of an array of several pieces that stays an array: as much as a server sends at
 * once.
 */
const AT_ONCE_BYTES = 64 * 1024

/**
 * A body whose pieces go through some steps.
 *
 * What is no `Uint8Array` is passed on as it is, past the steps: the server refuses it and says
 * why.
 *
 * @throws WSGIError where the body is no iterable
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
    close() // nobody else will: the server is never given this body
    throw error
  }
}

/**
 * Calls a function with a body or with what a promise of one gives: for what an application
 * returns, which may be either.
 *
 * @example return whenBody(inner(environ, startResponse), (body) => mapBody(body, steps))
 */
export function whenBody<T>(
  result: WSGIBody | Promise<WSGIBody>,
  use: (body: WSGIBody) => T,
): T | Promise<Awaited<T>> {
  return isPromise(result) ? (result.then(use) as Promise<Awaited<T>>) : use(result)
}

/** Whether a value is a promise, or behaves like one. */
export function isPromise<T>(value: T | PromiseLike<T>): value is Promise<T> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/**
 * Whether a body's pieces come as promises. A body that could be read either way is (an array never
 * is).
 */
export function isAsync(body: WSGIBody): body is AsyncIterable<Uint8Array> & { close?(): unknown } {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}

/**
 * The pieces of any body, one after the other: of an iterable, of an async iterable.
 *
 * @throws WSGIError where the body is no iterable of bytes
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
 * What is left to do about a body of which nobody wants a piece: {@link discardBody}, and its
 * `close()`, whatever came of the first.
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
 * Tells a body that nobody will ask it for a piece, so that a stream lets go of what it holds: a
 * file, a connection. Its `close()` is still to be called.
 *
 * @returns a promise where the body makes one
 */
export function discardBody(body: WSGIBody): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  // A stream of Node.js that has not been begun does not hear of return().
  const { destroy } = body as { destroy?: unknown }
  if (typeof destroy === 'function' && isAsync(body)) return destroy.call(body)
  return isAsync(body) || Symbol.iterator in body ? bodyIterator(body).return?.() : undefined
}

/** What is wrong with a body that is no iterable of bytes. */
export function notIterable(body: unknown): WSGIError {
  return new WSGIError(
    'Specification Details',
    body instanceof Uint8Array
      ? 'The application returned bytes; it must return an iterable of them: put them into an array'
      : `The application must return an iterable of Uint8Array, not ${describeValue(body)}`,
  )
}

/**
 * The body's `close()` within the step of that name, for the first call; nothing for further ones.
 */
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
  /**
   * What follows when the body itself is at its end: the last piece, or what is sent for an error.
   */
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

/** Not a generator: a generator that waits for a piece cannot be told to return. */
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
      // Told to return meanwhile: nobody wants the piece.
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
 * A body that a function makes of the pieces of another: compressed, joined, split, waited for.
 *
 * Where the response is over early the given body is told to return and closed at once, also while
 * `transform` waits for a piece of it, and then `transform` is told to return.
 *
 * @param transform an async generator function, as a rule
 * @param close as in {@link BodySteps}
 * @throws WSGIError where the body is no iterable
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
        // The first frees a transform that waits for a piece, or the second would wait for ever.
        const inner = pieces.return()
        await transformed.return?.()
        return inner
      },
    }),
    close: finish,
  }
}

/**
 * A body's pieces for a reader who may be left waiting: after `return()` a `next()` that is under
 * way is at its end.
 */
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
