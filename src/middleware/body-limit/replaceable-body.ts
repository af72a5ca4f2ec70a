import { bodyIterator, discardBody } from '../../wsgi/body.ts'
import type { WSGIBody } from '../../wsgi/types.ts'

/** Decides whether a {@link ReplaceableBody} is replaced. */
export interface Replacement {
  /** Whether to replace the response. Asked before each piece, at the end, and after an error. */
  mustReplace(): boolean
  /** Makes the other body. Called at most once. */
  replace(): WSGIBody | Promise<WSGIBody>
  /** The first bytes are sent: from now on the body cannot be replaced. */
  begin(): void
}

type Iteration = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

/**
 * The body of an application that can be replaced by another until its first byte was sent.
 *
 * `close()` closes the current body, and each body is closed once. `return()` reaches the iterator
 * of the application at once, even while a piece of it is awaited.
 */
export class ReplaceableBody implements AsyncIterable<Uint8Array> {
  readonly #decide: Replacement
  #body: WSGIBody | null
  #iterator: Iteration | null = null
  #replaced = false
  #begun = false
  #ended = false
  #closed = false

  constructor(body: WSGIBody, decide: Replacement) {
    this.#body = body
    this.#decide = decide
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#next(),
      return: async () => {
        const iterator = this.#iterator
        this.#iterator = null
        await iterator?.return?.()
        return { done: true, value: undefined }
      },
    }
  }

  /** @returns what the application's own `close()` returns, or a promise of it */
  close(): unknown {
    this.#closed = true
    return this.#closeBody()
  }

  async #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      // If a read failed before the body was returned, the body is not read at all.
      if (!this.#mustReplace()) {
        const step = await this.#step()
        if (!this.#mustReplace()) return this.#pass(step)
      }
    } catch (error) {
      if (!this.#mustReplace()) throw error
    }
    await this.#replace()
    return this.#pass(await this.#step())
  }

  #mustReplace(): boolean {
    return !this.#begun && !this.#replaced && !this.#closed && this.#decide.mustReplace()
  }

  async #step(): Promise<IteratorResult<Uint8Array>> {
    if (this.#iterator === null) {
      if (this.#body === null || this.#ended) return { done: true, value: undefined }
      this.#iterator = bodyIterator(this.#body)
    }
    return this.#iterator.next()
  }

  #pass(step: IteratorResult<Uint8Array>): IteratorResult<Uint8Array, undefined> {
    if (step.done === true) {
      this.#iterator = null
      this.#ended = true
      return { done: true, value: undefined }
    }
    if (!this.#begun && !this.#replaced && step.value?.length > 0) {
      this.#begun = true
      this.#decide.begin()
    }
    return { done: false, value: step.value }
  }

  async #replace(): Promise<void> {
    this.#replaced = true
    const iterator = this.#iterator
    this.#iterator = null
    try {
      if (iterator === null && this.#body !== null && !this.#ended) await discardBody(this.#body)
      else await iterator?.return?.()
    } finally {
      await this.#closeBody()
    }
    this.#body = await this.#decide.replace()
    if (this.#closed) await this.#closeBody()
  }

  #closeBody(): unknown {
    const body = this.#body
    this.#body = null
    return body?.close?.()
  }
}
