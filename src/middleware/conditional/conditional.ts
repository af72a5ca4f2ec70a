import { createHash } from 'node:crypto'
import { notModifiedHeaders } from '../../semantics/not-modified.ts'
import { evaluatePreconditions } from '../../semantics/preconditions.ts'
import { toFunction } from '../../wsgi/application.ts'
import { discardAndClose, transformBody, whenBody } from '../../wsgi/body.ts'
import type {
  Middleware,
  ResponseHeaders,
  StartResponse,
  WSGIBody,
  WSGIEnvironment,
} from '../../wsgi/types.ts'
import { optionError } from '../option-error.ts'
import { plainResponse } from '../plain-response.ts'
import { conditionalFields } from './conditional-fields.ts'
import { HeldHead, headerValue } from './held-head.ts'

/** Options of {@link conditional}. */
export interface ConditionalOptions {
  /**
   * Whether to make an ETag for a body that is an array, if the application gives none. Defaults to
   * true.
   */
  etag?: boolean
  /** Bodies of more bytes get no ETag. Defaults to 1 MiB. */
  maxBytes?: number
  /**
   * The time of the last change of the requested resource, or undefined if it is not known. Used
   * for responses without a Last-Modified header. Called before the application.
   */
  lastModified?: (environ: WSGIEnvironment) => Date | undefined | Promise<Date | undefined>
}

/**
 * Answers conditional requests (RFC 9110 §13). A GET or HEAD whose `If-None-Match` or
 * `If-Modified-Since` matches is answered with 304 and no body, one whose `If-Match` or
 * `If-Unmodified-Since` fails with 412. This saves sending the response, not making it: the
 * application is called in any case.
 *
 * Conditions are compared with the ETag and Last-Modified of the application's response. If it has
 * no ETag and its body is an array, a weak ETag is made from the body. A streamed body passes
 * unchanged. Only responses with status 200 and without `Cache-Control: no-store` are considered.
 *
 * When not to use it:
 *
 * - for methods other than GET and HEAD: when the application answers, its work is done, so 412
 *   would come too late. The middleware passes such requests on;
 * - for pages with a part that changes each time, such as a token or the time: they never match;
 * - around `compress`, where it would compare compressed bytes. Put it inside.
 *
 * @throws TypeError or RangeError (`bad-option`) at set-up, if an option is wrong
 * @example
 * import { compose, compress, conditional, makeServer } from 'monoceros'
 *
 * await makeServer('', 8000, compose(compress(), conditional())(app)).serveForever()
 */
export function conditional(options: ConditionalOptions = {}): Middleware {
  const { etag = true, maxBytes = 1024 * 1024, lastModified } = options
  if (typeof etag !== 'boolean')
    throw optionError(
      TypeError,
      `conditional: etag must be true or false, not ${JSON.stringify(etag)}`,
    )
  if (!Number.isFinite(maxBytes) || maxBytes < 0)
    throw optionError(
      RangeError,
      `conditional: maxBytes must be a number of bytes, 0 or more, not ${maxBytes}`,
    )
  if (lastModified !== undefined && typeof lastModified !== 'function')
    throw optionError(
      TypeError,
      'conditional: lastModified must be a function (environ) => Date | undefined',
    )
  const tagged = etag ? maxBytes : -1
  return (app) => {
    const inner = toFunction(app)
    return function conditional(environ, startResponse) {
      if (environ.REQUEST_METHOD !== 'GET' && environ.REQUEST_METHOD !== 'HEAD')
        return inner(environ, startResponse)
      const answer = (changed: Date | undefined): WSGIBody | Promise<WSGIBody> => {
        const response = new ConditionalResponse(tagged, changed, environ, startResponse)
        return whenBody(inner(environ, response.startResponse), (body) => response.take(body))
      }
      if (lastModified === undefined) return answer(undefined)
      return Promise.resolve(lastModified(environ)).then(answer)
    }
  }
}

/**
 * A response whose head is held back until its validators are known: at the latest until its body.
 */
class ConditionalResponse {
  readonly #environ: WSGIEnvironment
  /** Bodies of up to this many bytes get an ETag; -1 for none. */
  readonly #tagged: number
  readonly #changed: Date | undefined
  readonly #held: HeldHead
  /** The body to send instead of the application's, once that is decided. */
  #instead: WSGIBody | null = null

  constructor(
    tagged: number,
    changed: Date | undefined,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
  ) {
    this.#tagged = tagged
    this.#changed = changed
    this.#environ = environ
    this.#held = new HeldHead(startResponse, (data) => {
      if (this.#instead === null) this.#decide(null)
      return this.#held.passed ? this.#held.write(data) : Promise.resolve()
    })
  }

  get startResponse(): StartResponse {
    return this.#held.startResponse
  }

  take(body: WSGIBody): WSGIBody | Promise<WSGIBody> {
    if (this.#held.passed) return body
    if (this.#held.headers !== null) {
      if (this.#instead === null) this.#decide(body)
      return this.#instead === null ? body : replaced(body, this.#instead)
    }
    // A generator may call startResponse only when its first piece is read.
    return transformBody(body, (pieces) => this.#transform(pieces))
  }

  async *#transform(
    pieces: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces) {
      if (!this.#held.passed && this.#instead === null && this.#held.headers !== null) {
        // An empty piece does not begin the body, so the head need not be decided yet.
        if (piece instanceof Uint8Array && piece.length === 0) continue
        this.#decide(null)
      }
      if (this.#instead !== null) break
      yield piece
    }
    if (!this.#held.passed && this.#instead === null && this.#held.headers !== null)
      this.#decide(null)
    if (this.#instead !== null) yield* this.#instead
  }

  /** Decides the response and sends its head. @param body null if it is not known as a whole */
  #decide(body: WSGIBody | null): void {
    const { status } = this.#held
    let headers = this.#held.headers!
    if (!status.startsWith('200') || isUnstored(headers)) return this.#held.pass()
    if (headerValue(headers, 'etag') === undefined) {
      const tag = tagOf(body, this.#tagged, this.#environ)
      if (tag !== null) headers = [...headers, ['ETag', tag]]
    }
    if (this.#changed !== undefined && headerValue(headers, 'last-modified') === undefined)
      headers = [...headers, ['Last-Modified', this.#changed.toUTCString()]]
    const outcome = evaluatePreconditions(conditionalFields(this.#environ), {
      etag: headerValue(headers, 'etag'),
      lastModified: headerValue(headers, 'last-modified'),
    })
    if (outcome === 'proceed') this.#held.pass(headers)
    else if (outcome === 'not-modified') {
      this.#held.send('304 Not Modified', notModifiedHeaders(headers))
      this.#instead = []
    } else {
      this.#instead = PRECONDITION_FAILED(this.#environ, (line, own) =>
        this.#held.send(line, own),
      ) as WSGIBody
    }
  }
}

const PRECONDITION_FAILED = plainResponse('412 Precondition Failed')

/** A body that replaces another one, and closes that one unread. */
function replaced(body: WSGIBody, instead: WSGIBody): WSGIBody {
  const result = [...(instead as Uint8Array[])] as Uint8Array[] & { close?(): unknown }
  if (Array.isArray(body) && typeof (body as WSGIBody).close !== 'function') return result
  result.close = () => discardAndClose(body)
  return result
}

function isUnstored(headers: ResponseHeaders): boolean {
  return /(?:^|,)\s*no-store\s*(?:,|$)/i.test(headerValue(headers, 'cache-control') ?? '')
}

/** A weak tag, because equal bodies may have been sent with different headers. */
function tagOf(body: WSGIBody | null, most: number, environ: WSGIEnvironment): string | null {
  if (!Array.isArray(body)) return null
  let length = 0
  for (const piece of body as unknown[]) {
    if (!(piece instanceof Uint8Array)) return null
    length += piece.length
  }
  // An empty body for HEAD does not show what the body for GET would be.
  if (length > most || (length === 0 && environ.REQUEST_METHOD === 'HEAD')) return null
  const hash = createHash('sha256')
  for (const piece of body as Uint8Array[]) hash.update(piece)
  return `W/"${hash.digest('base64url').slice(0, 27)}"`
}
