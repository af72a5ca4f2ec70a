import { isBodiless } from '../semantics/bodiless.ts'
import type { HeadFacts } from './head-rules.ts'
import { equivalentBytes } from './leniency.ts'
import type { ResponseSink } from './response-sink.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

const EMPTY = new Uint8Array(0)
/** Pieces of an array of up to this many bytes are joined and sent at once. */
const GATHERED_BYTES = 64 * 1024

/**
 * A response on its way into its sink, held to its head: the head goes out with the first piece
 * that is not empty, no byte is sent beyond Content-Length (PEP 3333 "Handling the Content-Length
 * Header"), and no body is sent for HEAD, 204 and 304.
 */
export class ResponseOutput<Head extends HeadFacts> {
  readonly sink: ResponseSink<Head>
  /** The request was HEAD: the client takes no body. */
  readonly #headOnly: boolean
  /** `startResponse` was called, even if its arguments were refused. */
  isBegun = false
  /** The response is complete or broken, or its client has gone: nothing more is sent. */
  isOver = false
  #head: Head | null = null
  #isSent = false
  #produced = 0

  constructor(sink: ResponseSink<Head>, headOnly: boolean) {
    this.sink = sink
    this.#headOnly = headOnly
  }

  /** The head, or null if `startResponse` was not called or its arguments were refused. */
  get head(): Head | null {
    return this.#head
  }

  /** Whether the head was sent, so that it cannot be replaced. */
  get isHeadSent(): boolean {
    return this.#isSent
  }

  /** Sets the head, or replaces it. @throws WSGIError if it breaks a rule */
  begin(status: string, headers: ResponseHeaders): void {
    this.isBegun = true
    this.#head = null
    this.#head = this.sink.checkHead(status, headers)
  }

  /** Sends an array of pieces as a complete response. @returns false if that is not possible */
  respondAtOnce(chunks: readonly unknown[]): boolean {
    const head = this.#head
    if (head === null || this.#isSent) return false
    let length = 0
    let count = 0
    let only: Uint8Array = EMPTY
    // The iterator decides, not the indices: in a subclass of Array they may differ.
    for (const chunk of chunks) {
      only = this.checkChunk(chunk)
      if (only !== chunk)
        return this.respondAtOnce(Array.from(chunks, (each) => this.checkChunk(each)))
      length += only.length
      count++
    }
    if (head.contentLength !== -1 && head.contentLength !== length) return false
    let body: Uint8Array = EMPTY
    if (isBodiless(head.status)) body = EMPTY
    else if (count === 1) body = only
    else if (length > GATHERED_BYTES) {
      this.sink.holds?.(length)
      return false
    } else if (length > 0) body = gather(chunks as readonly Uint8Array[], length)
    this.#respond(head, body)
    return true
  }

  /**
   * Sends a piece that the body gave, and ends the response if the client needs nothing more.
   *
   * @returns whether the next piece can be sent now
   * @throws WSGIError if it is not bytes, or if there is no head
   */
  pass(value: unknown): boolean {
    const chunk = this.checkChunk(value)
    const head = this.#head
    if (head === null) {
      if (chunk.length === 0) return true // not a body yet, so the head may still follow
      throw this.#noHead()
    }
    const ready = this.give(chunk)
    if (this.isOver) return false
    if (this.#isSent && this.#isBodiless(head)) {
      this.finish()
    } else if (this.#produced > this.#limit(head)) {
      this.sink.complain(surplus(head))
      this.finish()
    }
    return ready
  }

  /**
   * Sends a piece that `write()` was given.
   *
   * @returns whether the next piece can be sent now
   * @throws WSGIError if there is no head, or if the piece goes beyond Content-Length
   */
  write(data: Uint8Array): boolean {
    const head = this.#head
    if (head === null)
      throw new WSGIError(
        'The write() Callable',
        'write() was called although startResponse had refused the head',
      )
    const isSurplus = data.length > 0 && this.#produced + data.length > this.#limit(head)
    const ready = this.give(data)
    if (isSurplus) throw surplus(head)
    return ready
  }

  /** Sends a piece, after the head if this is the first one that is not empty. */
  give(chunk: Uint8Array): boolean {
    const head = this.#head!
    if (chunk.length === 0) return true
    if (!this.#isSent) {
      this.#isSent = true
      this.sink.start(head)
      if (this.isOver) return false // the client left in the meantime
    }
    if (this.#isBodiless(head)) return true
    const left = this.#limit(head) - this.#produced
    this.#produced += chunk.length
    if (left <= 0) return true
    return this.sink.data(chunk.length > left ? chunk.subarray(0, left) : chunk)
  }

  /**
   * The body has given its last piece: ends the response.
   *
   * @throws WSGIError if there is no head, or if bytes are missing of Content-Length
   */
  complete(): void {
    const head = this.#head
    if (head === null) throw this.#noHead()
    const bodiless = this.#isBodiless(head)
    if (!this.#isSent && (bodiless || head.contentLength <= 0)) {
      this.#respond(head, EMPTY)
      return
    }
    if (!bodiless && head.contentLength > this.#produced) {
      if (!this.#isSent) {
        this.#isSent = true
        this.sink.start(head)
        if (this.isOver) return // the client left in the meantime
      }
      throw new WSGIError(
        'Handling the Content-Length Header',
        `The application gave ${this.#produced} bytes ` +
          `but declared a Content-Length of ${head.contentLength}`,
      )
    }
    this.finish()
  }

  finish(): void {
    this.isOver = true
    this.sink.finish()
  }

  /** Ends the response because of an error. */
  fail(error: unknown): void {
    this.isOver = true
    if (this.#isWhole()) {
      // No byte of the Content-Length is missing: the client has its response, so the error goes to
      // the log only.
      this.sink.finish()
      this.sink.complain(error)
    } else if (this.#isSent) this.sink.broken(error)
    else this.sink.failed(error)
  }

  /** @throws WSGIError if `chunk` is not bytes, nor something that the sink forgives */
  checkChunk(chunk: unknown): Uint8Array {
    return chunk instanceof Uint8Array ? chunk : this.equivalent(chunk, wrongChunk(chunk))
  }

  /**
   * Takes the bytes of a value that can stand for a `Uint8Array`, if the sink forgives it.
   *
   * @throws `error` otherwise
   */
  equivalent(value: unknown, error: WSGIError): Uint8Array {
    const bytes = this.sink.forgive === undefined ? null : equivalentBytes(value)
    if (bytes === null) throw error
    this.sink.forgive?.('not-uint8array', error, 'its bytes are sent')
    return bytes
  }

  #respond(head: Head, body: Uint8Array): void {
    this.#isSent = true
    this.isOver = true
    this.sink.respond(head, body)
  }

  #isBodiless(head: Head): boolean {
    return this.#headOnly || isBodiless(head.status)
  }

  /** The most bytes of body that are sent. */
  #limit(head: Head): number {
    return head.contentLength === -1 || this.#isBodiless(head)
      ? Number.POSITIVE_INFINITY
      : head.contentLength
  }

  /** Whether every byte of a declared Content-Length was sent. */
  #isWhole(): boolean {
    const head = this.#head
    return this.#isSent && head !== null && this.#produced >= this.#limit(head)
  }

  #noHead(): WSGIError {
    return new WSGIError(
      'The start_response() Callable',
      this.isBegun
        ? 'The application gave its body although startResponse had refused the head'
        : 'The application gave its body without having called startResponse',
    )
  }
}

function surplus(head: HeadFacts): WSGIError {
  return new WSGIError(
    'Handling the Content-Length Header',
    `The application gave more than its Content-Length of ${head.contentLength} bytes; ` +
      'the rest was not sent',
  )
}

function wrongChunk(chunk: unknown): WSGIError {
  const hint = typeof chunk === 'string' ? '; encode text with a TextEncoder' : ''
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
