import { isAsync, transformBody } from '../../wsgi/body.ts'
import type { ResponseHeaders, StartResponse, WSGIBody, WSGIEnvironment } from '../../wsgi/types.ts'
import { WSGIError } from '../../wsgi/wsgi-error.ts'
import { HeldHead, headerValue } from '../conditional/held-head.ts'
import { isCandidate, withVary } from './candidate.ts'
import { Coder, type Coding, codings, type Encoding } from './coding.ts'
import { gathered } from './gathered-pieces.ts'
import type { Settings } from './options.ts'

/** A body that is at hand up to this length is compressed in one go, and has a Content-Length. */
const AT_ONCE_BYTES = 1024 * 1024
/** What was true of the bytes as they were. */
const OUTDATED: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'repr-digest',
])

/**
 * One response: its head is held until the first byte of its body, when it is known what becomes of
 * it.
 */
export class CompressedResponse {
  readonly #settings: Settings
  readonly #encoding: Encoding
  readonly #coding: Coding
  readonly #level: number
  readonly #headOnly: boolean
  readonly #environ: WSGIEnvironment
  readonly #held: HeldHead
  #coder: Coder | null = null
  /** What `write()` was given is on its way until this resolves. */
  #written: Promise<void> = Promise.resolve()
  /**
   * The application has returned: from then on `write()` is not to be called, and what is late
   * comes with the body.
   */
  #returned = false
  #late: Uint8Array[] = []
  /** The Content-Length that the application has declared, and how much of it came. */
  #declared = -1
  #given = 0
  #over = false

  constructor(
    settings: Settings,
    encoding: Encoding,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
  ) {
    this.#settings = settings
    this.#encoding = encoding
    this.#coding = codings[encoding]!
    this.#level = settings.level[encoding]
    this.#environ = environ
    this.#headOnly = environ.REQUEST_METHOD === 'HEAD'
    this.#held = new HeldHead(startResponse, (data) => this.#write(data))
  }

  get startResponse(): StartResponse {
    return this.#held.startResponse
  }

  /** The body that takes the place of the application's. */
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
        // For a HEAD too: that it costs as much as its GET is the price of the right
        // Content-Length.
        if (length <= AT_ONCE_BYTES) return this.#compressAtOnce(body as Uint8Array[], length)
        if (this.#headOnly) {
          this.#passHead(headers, length)
          // Without what is not sent anyway: from its length the server would tell how long an
          // answer to GET is.
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

  /** The response is over, or never comes. */
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
      // Nobody else will.
      await body.close?.()
      throw error
    }
  }

  async *#compress(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces) {
      yield* await this.#writtenLate()
      // What is no piece at all is for the server to refuse; and so are pieces without a head.
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
          `The application gave ${this.#given} bytes but declared a Content-Length of ${this.#declared}`,
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
        // Both at once, or the one that fails while the other is waited for would count as
        // nobody's.
        const [pieces] = await Promise.all([coded, before])
        for (const piece of pieces) {
          if (this.#returned) this.#late.push(piece)
          else await write(piece)
        }
      })()
      this.#written.catch(() => {}) // whoever waits for it gets the error; nobody has to
    }
    if (wanted.length < data.length)
      throw new WSGIError(
        'Handling the Content-Length Header',
        `The application gave more than its Content-Length of ${this.#declared} bytes; the rest was not sent`,
      )
    return this.#written
  }

  /** Sends the head, for the body begins. @returns whether it is compressed */
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

  /**
   * Leaves a response as it is; but a 304 speaks of the response that the client has. If that had a
   * strong tag of the application's, it was made weak, and a cache finds its copy by the tag (RFC
   * 9111 §4.3.4); and whether it varied is not known here, so it is said to.
   */
  #pass(headers: ResponseHeaders): void {
    if (!this.#held.status.startsWith('304')) return this.#held.pass()
    const condition = this.#environ.HTTP_IF_NONE_MATCH ?? ''
    const tagged = headers.map(([name, value]): [string, string] => [
      name,
      name.toLowerCase() === 'etag' && condition.includes(`W/${value}`) ? `W/${value}` : value,
    ])
    this.#held.pass(withVary(tagged))
  }

  /**
   * A HEAD has the headers of its GET, as far as they are known without its body (RFC 9110 §9.3.2).
   */
  #passHead(headers: ResponseHeaders, length: number): void {
    this.#held.pass(length === -1 ? withVary(headers) : this.#encoded(headers))
  }

  #encoded(headers: ResponseHeaders): ResponseHeaders {
    const encoded: ResponseHeaders = []
    for (const [name, value] of headers) {
      const lower = name.toLowerCase()
      if (OUTDATED.has(lower) || lower === 'content-encoding') continue
      if (lower === 'etag' && !value.startsWith('W/')) encoded.push([name, `W/${value}`])
      else encoded.push([name, value])
    }
    encoded.push(['Content-Encoding', this.#encoding])
    return withVary(encoded)
  }

  /** As much of a piece as the Content-Length has room for. */
  #within(piece: Uint8Array): Uint8Array {
    const room = this.#declared === -1 ? piece.length : this.#declared - this.#given
    const wanted = piece.length <= room ? piece : piece.subarray(0, room)
    this.#given += wanted.length
    return wanted
  }
}

/** A body in another's place, which is closed with it. */
function withClose(pieces: Uint8Array[], body: WSGIBody): WSGIBody {
  const result: Uint8Array[] & { close?(): unknown } = pieces
  if (typeof body.close === 'function') result.close = () => body.close!()
  return result
}

function declaredLength(headers: ResponseHeaders): number {
  const declared = headerValue(headers, 'content-length')
  return declared === undefined ? -1 : Number(declared)
}

/** The length of a body that is at hand as a whole, or -1. */
function lengthAtHand(body: WSGIBody): number {
  if (!Array.isArray(body)) return -1
  let length = 0
  for (const piece of body as unknown[]) {
    if (!(piece instanceof Uint8Array)) return -1
    length += piece.length
  }
  return length
}
