import { toFunction } from '../../wsgi/application.ts'
import { isAsync, isPromise, transformBody } from '../../wsgi/body.ts'
import type {
  Middleware,
  ResponseHeaders,
  StartResponse,
  WSGIBody,
  WSGIEnvironment,
} from '../../wsgi/types.ts'
import { WSGIError } from '../../wsgi/wsgi-error.ts'
import { HeldHead, headerValue } from '../conditional/held-head.ts'
import { optionError } from '../option-error.ts'
import { acceptedEncodings } from './accept-encoding.ts'
import { Coder, type Coding, codings, type Encoding } from './coding.ts'
import { isCompressible } from './compressible.ts'
import { gathered } from './gathered-pieces.ts'

/** Options of {@link compress}. */
export interface CompressOptions {
  /**
   * The codings to use; of those that a client likes equally, the first here. Default `['br',
   * 'zstd', 'gzip']`, where `zstd` is left out by a Node that does not have it (before 22.15).
   */
  encodings?: readonly Encoding[]
  /** Bodies of fewer bytes are left as they are, where their length is known. Default 1024. */
  threshold?: number
  /**
   * How hard to try, for each coding: `br` 0–11 (default 4), `zstd` 1–19 (default 3), `gzip` 1–9
   * (default 6).
   */
  level?: Partial<Record<Encoding, number>>
  /**
   * Whether to compress what has this Content-Type. Default: text, JSON, XML, JavaScript,
   * WebAssembly, SVG and the like.
   */
  types?: (contentType: string) => boolean
}

interface Settings {
  readonly encodings: readonly Encoding[]
  readonly threshold: number
  readonly level: Readonly<Record<Encoding, number>>
  readonly types: (contentType: string) => boolean
}

const DEFAULT_ENCODINGS: readonly Encoding[] = ['br', 'zstd', 'gzip']
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
 * Compresses response bodies for clients that take it: brotli, zstd or gzip, as `Accept-Encoding`
 * says (RFC 9110 §12.5.3).
 *
 * A body that is streamed stays streamed: each piece that the application gives leaves at once,
 * compressed. A body that is at hand (an array) is compressed in one go and has its Content-Length.
 * A strong ETag becomes weak, since the bytes are others; Content-Length, digests and Accept-Ranges
 * go. `Vary: Accept-Encoding` is added where a client with other wishes would get another answer.
 *
 * Left as they are: bodies below the `threshold`, of types that are compressed already (images,
 * video, archives, fonts), with a Content-Encoding, with `Cache-Control: no-transform`; event
 * streams; 204, 206 and 304.
 *
 * Do not compress a page that has a secret in it (such as a CSRF token that stays the same) beside
 * text that an attacker can choose: from the length alone the secret can be guessed, letter by
 * letter, through TLS (the BREACH attack). Let tokens change with each response, as Django's do, or
 * leave such pages out with `Cache-Control: no-transform`. Do not use it where something in front
 * compresses anyway.
 *
 * @throws TypeError, RangeError (code `bad-option`) at set-up
 * @example
 * import { compose, compress, makeServer, staticFiles } from 'monoceros'
 *
 * const wrap = compose(compress({ threshold: 2048, level: { gzip: 4 } }), staticFiles({ root:
 * 'public' })) await makeServer('', 8000, wrap(app)).serveForever()
 */
export function compress(options: CompressOptions = {}): Middleware {
  const settings = settle(options)
  return (app) => {
    const inner = toFunction(app)
    return function compress(environ, startResponse) {
      const wanted =
        acceptedEncodings(environ.HTTP_ACCEPT_ENCODING, settings.encodings)[0] ?? 'identity'
      if (wanted === 'identity') {
        return inner(environ, (status, headers, excInfo) =>
          startResponse(status, withVaryIfCompressible(settings, status, headers), excInfo),
        )
      }
      const response = new CompressedResponse(settings, wanted as Encoding, environ, startResponse)
      let result: WSGIBody | Promise<WSGIBody>
      try {
        result = inner(environ, response.startResponse)
      } catch (error) {
        response.destroy()
        throw error
      }
      if (!isPromise(result)) return response.take(result)
      return result.then(
        (body) => response.take(body),
        (error: unknown) => {
          response.destroy()
          throw error
        },
      )
    }
  }
}

/**
 * One response: its head is held until the first byte of its body, when it is known what becomes of
 * it.
 */
class CompressedResponse {
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

/** Whether a response is one to compress, for a client that takes it. */
function isCandidate(settings: Settings, status: string, headers: ResponseHeaders): boolean {
  if (status.startsWith('204') || status.startsWith('206') || status.startsWith('304')) return false
  let type: string | undefined
  for (const [name, value] of headers) {
    switch (name.toLowerCase()) {
      case 'content-type':
        type = value
        break
      case 'content-encoding':
        if (value.trim().toLowerCase() !== 'identity') return false
        break
      case 'content-range':
        return false
      case 'cache-control':
        if (/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(value)) return false
        break
      case 'content-length':
        if (Number(value) < settings.threshold) return false
    }
  }
  return (
    type !== undefined && !/^\s*text\/event-stream\s*(?:;|$)/i.test(type) && settings.types(type)
  )
}

function withVaryIfCompressible(
  settings: Settings,
  status: string,
  headers: ResponseHeaders,
): ResponseHeaders {
  // What is no head at all is for the server to refuse.
  if (typeof status !== 'string' || !Array.isArray(headers)) return headers
  try {
    return status.startsWith('304') || isCandidate(settings, status, headers)
      ? withVary(headers)
      : headers
  } catch {
    return headers
  }
}

function withVary(headers: ResponseHeaders): ResponseHeaders {
  const vary = headerValue(headers, 'vary')
  if (vary !== undefined && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(vary)) return headers
  return [...headers, ['Vary', 'Accept-Encoding']]
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

function settle({
  encodings = DEFAULT_ENCODINGS,
  threshold = 1024,
  level = {},
  types,
}: CompressOptions): Settings {
  for (const encoding of encodings) {
    if (!Object.hasOwn(codings, encoding))
      throw optionError(
        TypeError,
        `compress: encodings is made of 'br', 'zstd' and 'gzip', not of ${JSON.stringify(encoding)}`,
      )
    if (codings[encoding] === null && encodings !== DEFAULT_ENCODINGS)
      throw optionError(
        TypeError,
        `compress: encodings zstd needs Node 22.15 or later, and this is ${process.version}: leave it out`,
      )
  }
  if (!Number.isFinite(threshold) || threshold < 0)
    throw optionError(RangeError, `compress: threshold is a number of bytes, not ${threshold}`)
  if (types !== undefined && typeof types !== 'function')
    throw optionError(TypeError, 'compress: types is a function (contentType) => boolean')
  const levels = { br: 0, zstd: 0, gzip: 0 }
  for (const encoding of DEFAULT_ENCODINGS) {
    const coding = codings[encoding]
    if (coding === null) continue
    const [least, most] = coding.levels
    const chosen = level[encoding] ?? coding.level
    if (!Number.isInteger(chosen) || chosen < least || chosen > most)
      throw optionError(
        RangeError,
        `compress: level.${encoding} is a whole number from ${least} to ${most}, not ${chosen}`,
      )
    levels[encoding] = chosen
  }
  return {
    encodings: encodings.filter((encoding) => codings[encoding] !== null),
    threshold,
    level: levels,
    types: types ?? isCompressible,
  }
}
