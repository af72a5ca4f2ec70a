import { isPromise, notIterable } from './body.ts'
import { isAboutTheClient } from './client-gone.ts'
import type { WSGIBody } from './types.ts'

/** Takes errors that can only be logged. */
interface Log {
  complain(error: unknown): void
}

/**
 * A body that is being read by a server. Whatever happens, {@link end} ends it exactly once: its
 * iterator is told to return unless it is exhausted, then `close()` is called (PEP 3333
 * "Specification Details").
 *
 * The body's code may end the response from within its own `next()`. An iterator cannot be told to
 * return from there, so the body is ended behind that step.
 */
export class BodyInUse {
  readonly #log: Log
  #body: WSGIBody | null
  #iterator: Iterator<unknown> | AsyncIterator<unknown> | null = null
  #stepping = false
  #ended = false

  /** @param log gets the errors of `return()` and `close()` */
  constructor(body: WSGIBody, log: Log) {
    this.#body = body
    this.#log = log
  }

  /** The body's iterator, or null if the body is not asynchronous. */
  iterateAsync(): AsyncIterator<unknown> | null {
    const body = this.#body
    if (!isIterableObject(body) || !(Symbol.asyncIterator in body)) return null
    const iterator = body[Symbol.asyncIterator]()
    this.#keep(iterator)
    return iterator
  }

  /**
   * The body's iterator.
   *
   * @throws WSGIError if the body is not an iterable of bytes
   */
  iterate(): Iterator<unknown> {
    const body = this.#body
    if (!isIterableObject(body) || !(Symbol.iterator in body)) throw notIterable(body)
    const iterator = body[Symbol.iterator]()
    this.#keep(iterator)
    return iterator
  }

  #keep(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
    this.#iterator = iterator
    if (this.#ended) this.#release() // the client left in the meantime
  }

  /** One `next()` of a body that is not asynchronous. */
  step(iterator: Iterator<unknown>): IteratorResult<unknown> {
    let finished = true // an iterator that throws is exhausted
    this.#stepping = true
    try {
      const step = iterator.next()
      finished = step.done === true
      return step
    } finally {
      this.#stepping = false
      if (finished) this.#iterator = null
      if (this.#ended) this.#release()
    }
  }

  /** The iterator gave its last piece, or threw: it need not be told to return. */
  exhausted(): void {
    this.#iterator = null
  }

  /** Ends the body: at once, or behind the step that is running. */
  end(): void {
    this.#ended = true
    if (!this.#stepping) this.#release()
  }

  #release(): void {
    const iterator = this.#iterator
    this.#iterator = null
    if (iterator !== null) attempt(() => iterator.return?.(), this.#log)
    const body = this.#body
    this.#body = null
    if (body === null || body === undefined || typeof body.close !== 'function') return
    attempt(() => body.close?.(), this.#log)
  }
}

function isIterableObject(body: unknown): body is object {
  return typeof body === 'object' && body !== null && !(body instanceof Uint8Array)
}

/**
 * Runs the application's code at the end of a response, where an error can only be logged. Errors
 * that only report that the client has gone away are dropped.
 */
export function attempt(last: () => unknown, log: Log): void {
  const complain = (error: unknown) => {
    if (!isAboutTheClient(error)) log.complain(error)
  }
  try {
    const result = last()
    if (isPromise(result)) result.then(undefined, complain)
  } catch (error) {
    complain(error)
  }
}
