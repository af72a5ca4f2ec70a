import { bodyIterator, discardBody } from '../../wsgi/body.ts'
import type { WSGIBody } from '../../wsgi/types.ts'

/** Who decides about a {@link ReplaceableBody}. */
export interface Replacement {
  /**
   * Whether the response is to be another one. Asked before each piece is passed on, at the end,
   * and after an error.
   */
  mustReplace(): boolean
  /** The other body. Called once at most. */
  replace(): WSGIBody | Promise<WSGIBody>
  /** The first bytes go out: from here on nothing is replaced. */
  begin(): void
}

type Iteration = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

/**
 * An application's body, in whose place another may come as long as no byte of it has been passed
 * on.
 *
 * `close()` closes whichever is there, and each body is closed once; `return()` reaches the
 * application's iterator at once, also while it is waited for.
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
      // An application that has failed to read before it gave its body is not asked for it.
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
