import { type ByteSource, emptyInput, InputError, RequestInput } from '../wsgi/input-stream.ts'
import { messageOf, propertyOf } from '../wsgi/stranger.ts'
import type { Bytes, InputStream } from '../wsgi/types.ts'
import { ConsumedBodyError } from './consumed-body-error.ts'

/** The body of a Request, read piece by piece. */
export class FetchRequestBody implements ByteSource {
  readonly #request: Request
  #reader: ReadableStreamDefaultReader<Bytes> | null = null
  #released = false
  #lost: InputError | null = null

  constructor(request: Request) {
    this.#request = request
  }

  /**
   * The error of reading the body, if the runtime says that it was the connection's. Deno does
   * (`Deno.errors.Http`); it does not abort the request's signal until the handler has answered.
   */
  get lost(): InputError | null {
    return this.#lost
  }

  input(): InputStream {
    const { method } = this.#request
    return method === 'GET' || method === 'HEAD' ? emptyInput : new RequestInput(this)
  }

  async next(): Promise<Bytes | null> {
    if (this.#released)
      throw new InputError('The body of the request cannot be read after its response ended')
    if (this.#reader === null) {
      if (this.#request.bodyUsed || this.#request.body?.locked === true) {
        throw new ConsumedBodyError('call the application before request.json() or request.text()')
      }
      const { body } = this.#request
      if (body === null) return null
      this.#reader = body.getReader()
    }
    for (;;) {
      let step: Awaited<ReturnType<ReadableStreamDefaultReader<Bytes>['read']>>
      try {
        step = await this.#reader.read()
      } catch (error) {
        const failure = new InputError(`The body of the request ended early: ${messageOf(error)}`)
        if (propertyOf(error, 'name') === 'Http') this.#lost = failure
        throw failure
      }
      if (this.#released)
        throw new InputError('The body of the request cannot be read after its response ended')
      if (step.done) return null
      if (step.value.length > 0) return step.value
    }
  }

  /** Discards the rest of the body after the response. */
  release(): void {
    if (this.#released) return
    this.#released = true
    this.#reader?.cancel().catch(() => {})
  }
}
