import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { type ByteSource, InputError } from '../wsgi/input-stream.ts'
import type { Bytes } from '../wsgi/types.ts'
import { ConsumedBodyError } from './consumed-body-error.ts'

/** The bytes of a body that a body parser has read and left on the request; undefined if none. */
export function parsedBody(request: object): Bytes | undefined {
  const { rawBody, body } = request as { rawBody?: unknown; body?: unknown }
  if (rawBody instanceof Uint8Array) return rawBody as Bytes
  return body instanceof Uint8Array ? (body as Bytes) : undefined
}

/**
 * The body of a Node request, read piece by piece. The request is paused while no piece is asked
 * for, so a client cannot send faster than the application reads.
 *
 * It listens to `data` and not to `readable`, because with the latter Node could not discard the
 * bytes that an application leaves unread.
 */
export class NodeRequestBody implements ByteSource {
  readonly #request: IncomingMessage | Http2ServerRequest
  readonly #pieces: Bytes[] = []
  #begun = false
  #ended = false
  #error: Error | null = null
  #wake: (() => void) | null = null

  constructor(request: IncomingMessage | Http2ServerRequest) {
    this.#request = request
  }

  async next(): Promise<Bytes | null> {
    if (!this.#begun) this.#begin()
    for (;;) {
      const piece = this.#pieces.shift()
      if (piece !== undefined) return piece
      if (this.#error !== null) throw this.#error
      if (this.#ended) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#request.resume()
      })
    }
  }

  /** Discards the rest of the body after the response, so that the connection can be reused. */
  release(): void {
    if (this.#ended || this.#error !== null) return
    this.#fail(new InputError('The body of the request cannot be read after its response ended'))
    if (!this.#begun) return
    this.#request.off('data', this.#onData)
    this.#request.resume()
  }

  #begin(): void {
    this.#begun = true
    const request = this.#request
    if (request.readableDidRead) {
      this.#error ??= new ConsumedBodyError(
        'mount the application before body parsers such as express.json(), ' +
          'or make them keep the bytes in request.rawBody (a Uint8Array); in Fastify, register ' +
          'toFastifyPlugin(app)',
      )
      return
    }
    if (request.readableEnded) {
      this.#ended = true
      return
    }
    if (request.destroyed || request.aborted) {
      this.#error ??= gone()
      return
    }
    request.on('data', this.#onData)
    request.on('end', () => {
      // A request of HTTP/2 also emits `end` when it is aborted.
      if (request.aborted) this.#fail(gone())
      else this.#end()
    })
    request.on('aborted', () => this.#fail(gone()))
    request.on('error', () => this.#fail(gone()))
    request.on('close', () => this.#fail(gone()))
  }

  readonly #onData = (piece: Bytes | string): void => {
    this.#request.pause()
    this.#pieces.push(
      typeof piece === 'string'
        ? Buffer.from(piece, this.#request.readableEncoding ?? 'utf8')
        : piece,
    )
    this.#resume()
  }

  #end(): void {
    this.#ended = true
    this.#resume()
  }

  #fail(error: Error): void {
    if (this.#ended) return
    this.#error ??= error
    this.#resume()
  }

  #resume(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}

function gone(): InputError {
  return new InputError('The client went away before the body of its request was complete')
}
