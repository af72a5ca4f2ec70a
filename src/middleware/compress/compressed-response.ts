import { codedFields, unchangedFields, withVary } from '../../content-coding/coded-fields.ts'
import { CODINGS, Coder, type Coding, type Encoding } from '../../content-coding/coding.ts'
import { isAsync, transformBody } from '../../wsgi/body.ts'
import type { ResponseHeaders, StartResponse, WSGIBody, WSGIEnvironment } from '../../wsgi/types.ts'
import { WSGIError } from '../../wsgi/wsgi-error.ts'
import { HeldHead, headerValue } from '../conditional/held-head.ts'
import { isCandidate } from './candidate.ts'
import { gathered } from './gathered-pieces.ts'
import type { CompressSettings } from './options.ts'

/** An array of up to this many bytes is compressed at once, and gets a Content-Length. */
const AT_ONCE_BYTES = 1024 * 1024

/** A response whose head is held back until the first byte of its body decides how it is sent. */
export class CompressedResponse {
  readonly #settings: CompressSettings
  readonly #encoding: Encoding
  readonly #coding: Coding
  readonly #level: number
  readonly #headOnly: boolean
  readonly #environ: WSGIEnvironment
  readonly #held: HeldHead
  #coder: Coder | null = null
  /** Resolves when all bytes that `write()` was given have been sent. */
  #written: Promise<void> = Promise.resolve()
  /** The application has returned, so `write()` may not be called: late bytes go into the body. */
  #returned = false
  #late: Uint8Array[] = []
  /** The Content-Length that the application declared, or -1, and the bytes that it gave so far. */
  #declared = -1
  #given = 0
  #over = false

  constructor(
    settings: CompressSettings,
    encoding: Encoding,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
  ) {
    this.#settings = settings
    this.#encoding = encoding
    this.#coding = CODINGS[encoding]!
    this.#level = settings.level[encoding]
    this.#environ = environ
    this.#headOnly = environ.REQUEST_METHOD === 'HEAD'
    this.#held = new HeldHead(startResponse, (data) => this.#write(data))
  }

  get startResponse(): StartResponse {
    return this.#held.startResponse
  }

  /** The body to send instead of the application's. */
  take(body: WSGIBody): WSGIBody | Promise<WSGIBody> {
    const { headers } = this.#held
    this.#returned = true
    if (this.#held.passed) return body
    if (this.#coder === null && headers !== null) {
      if (!isCandidate(this.#settings, this.#held.status, headers)) {
        this.#pass(headers)
        return body
      }
      const length = lengthAtHand(body)
      if (length !== -1) {
        const declared = declaredLength(headers)
        if (this.#headOnly && length === 0) {
          this.#passHead(headers, declared)
          return body
        }
        if (length < this.#settings.threshold || (declared !== -1 && declared !== length)) {
          this.#held.pass()
          return body
        }
        // For HEAD too. It costs as much as GET, because only so is its Content-Length right.
        if (length <= AT_ONCE_BYTES) return this.#compressAtOnce(body as Uint8Array[], length)
        if (this.#headOnly) {
          this.#passHead(headers, length)
          // Without the body, which is not sent: the server would take its length for that of GET.
          return withClose([], body)
        }
      } else if (this.#headOnly) {
        this.#passHead(headers, declaredLength(headers))
        return body
      }
    }
    return transformBody(
      body,
      (pieces) => this.#compress(isAsync(body) ? gathered(pieces) : pieces),
      (close) => {
        this.destroy()
        return close()
      },
    )
  }

  /** The response has ended, or will not begin. */
  destroy(): void {
    this.#over = true
    this.#coder?.destroy()
  }

  async #compressAtOnce(
    body: Uint8Array[] & { close?(): unknown },
    length: number,
  ): Promise<WSGIBody> {
    const headers = this.#held.headers!
    try {
      const whole = body.length === 1 ? body[0]! : Buffer.concat(body, length)
      const compressed = await this.#coding.whole(whole, this.#level)
      if (compressed.length >= length) {
        this.#held.pass(withVary(headers))
        return body
      }
      this.#held.send(this.#held.status, [
        ...this.#encoded(headers),
        ['Content-Length', String(compressed.length)],
      ])
      return withClose([compressed], body)
    } catch (error) {
      // The server never sees this body, so it cannot close it.
      await body.close?.()
      throw error
    }
  }

  async *#compress(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces) {
      yield* await this.#writtenLate()
      // The server refuses values that are not bytes, and pieces without a head.
      if (!(piece instanceof Uint8Array) || this.#held.headers === null) yield piece
      else if (piece.length === 0) continue
      else if (!this.#begin()) yield piece
      else {
        const wanted = this.#within(piece)
        if (wanted.length > 0) yield* await this.#coder!.push(wanted)
        if (wanted.length < piece.length) break
      }
    }
    if (this.#over) return
    yield* await this.#writtenLate()
    if (this.#coder !== null) {
      if (this.#given < this.#declared)
        throw new WSGIError(
          'Handling the Content-Length Header',
          `The application gave ${this.#given} bytes ` +
            `but declared a Content-Length of ${this.#declared}`,
        )
      yield* await this.#coder.finish()
    } else if (!this.#held.passed && this.#held.headers !== null) {
      this.#pass(this.#held.headers)
    }
  }

  async #writtenLate(): Promise<Uint8Array[]> {
    await this.#written
    return this.#late.splice(0)
  }

  #write(data: Uint8Array): Promise<void> {
    if (data.length === 0) return this.#written
    if (!this.#begin()) return this.#held.write(data)
    const wanted = this.#within(data)
    if (wanted.length > 0) {
      const write = this.#held.write
      const coded = this.#coder!.push(wanted)
      const before = this.#written
      this.#written = (async () => {
        // Both at once: otherwise an error of one while the other is awaited would be unhandled.
        const [pieces] = await Promise.all([coded, before])
        for (const piece of pieces) {
          if (this.#returned) this.#late.push(piece)
          else await write(piece)
        }
      })()
      this.#written.catch(() => {}) // an application need not await it
    }
    if (wanted.length < data.length)
      throw new WSGIError(
        'Handling the Content-Length Header',
        `The application gave more than its Content-Length of ${this.#declared} bytes; ` +
          'the rest was not sent',
      )
    return this.#written
  }

  /** Sends the head before the first bytes. @returns whether the body is compressed */
  #begin(): boolean {
    if (this.#coder !== null) return true
    if (this.#held.passed) return false
    const headers = this.#held.headers!
    const declared = declaredLength(headers)
    if (!isCandidate(this.#settings, this.#held.status, headers)) {
      this.#pass(headers)
      return false
    }
    if (this.#headOnly) {
      this.#passHead(headers, declared)
      return false
    }
    this.#declared = declared
    this.#coder = new Coder(this.#coding.stream(this.#level))
    this.#held.send(this.#held.status, this.#encoded(headers))
    return true
  }

  /** Passes a response on as it is, except for 304: see {@link unchangedFields}. */
  #pass(headers: ResponseHeaders): void {
    if (!this.#held.status.startsWith('304')) return this.#held.pass()
    this.#held.pass(unchangedFields(headers, this.#environ.HTTP_IF_NONE_MATCH ?? ''))
  }

  /**
   * Answers HEAD with the headers of GET, as far as they are known without a body (RFC 9110
   * §9.3.2).
   */
  #passHead(headers: ResponseHeaders, length: number): void {
    this.#held.pass(length === -1 ? withVary(headers) : this.#encoded(headers))
  }

  #encoded(headers: ResponseHeaders): ResponseHeaders {
    return codedFields(headers, this.#encoding)
  }

  /** The part of a piece that is within the Content-Length. */
  #within(piece: Uint8Array): Uint8Array {
    const left = this.#declared === -1 ? piece.length : this.#declared - this.#given
    const wanted = piece.length <= left ? piece : piece.subarray(0, left)
    this.#given += wanted.length
    return wanted
  }
}

/** A body that closes another one, which it replaces. */
function withClose(pieces: Uint8Array[], body: WSGIBody): WSGIBody {
  const result: Uint8Array[] & { close?(): unknown } = pieces
  if (typeof body.close === 'function') result.close = () => body.close!()
  return result
}

function declaredLength(headers: ResponseHeaders): number {
  const declared = headerValue(headers, 'content-length')
  return declared === undefined ? -1 : Number(declared)
}

/** The length of an array of pieces in bytes, or -1 for any other body. */
function lengthAtHand(body: WSGIBody): number {
  if (!Array.isArray(body)) return -1
  let length = 0
  for (const piece of body as unknown[]) {
    if (!(piece instanceof Uint8Array)) return -1
    length += piece.length
  }
  return length
}
