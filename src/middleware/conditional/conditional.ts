import { createHash } from 'node:crypto'
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
import { HeldHead, headerValue } from './held-head.ts'
import { notModifiedHeaders } from './not-modified.ts'
import { evaluatePreconditions } from './preconditions.ts'

/** Options of {@link conditional}. */
export interface ConditionalOptions {
  /**
   * Make an ETag for bodies that are at hand and have none. Default `true`; `false` uses only what
   * the application gives.
   */
  etag?: boolean
  /** Bodies of more bytes get no ETag. Default 1 MiB. */
  maxBytes?: number
  /**
   * When what this request asks for was last changed, for responses that do not say it themselves;
   * undefined where it is not known. It is called before the application.
   */
  lastModified?: (environ: WSGIEnvironment) => Date | undefined | Promise<Date | undefined>
}

/**
 * Lets clients ask whether their copy is still good: a GET or HEAD whose `If-None-Match` or
 * `If-Modified-Since` says that nothing has changed is answered with 304 and no body, one whose
 * `If-Match` or `If-Unmodified-Since` does not hold with 412 (RFC 9110 §13). It saves the sending,
 * not the making: the application is called all the same.
 *
 * What there is to compare is the ETag and the Last-Modified of the application's response. Where
 * it gives no ETag and its body is at hand (an array), a weak one is made of the body; a body that
 * is streamed has none, and passes untouched. Only responses with 200 count, and none with
 * `Cache-Control: no-store`.
 *
 * Other methods are left to the application: by the time of its response it has done its work, and
 * 412 would come too late. Pages with a part that changes each time (a token, the time) never
 * match. Around `compress` it would compare compressed bytes: put it inside.
 *
 * @throws TypeError, RangeError (code `bad-option`) at set-up
 * @example
 * import { compose, compress, conditional, makeServer } from 'monoceros'
 *
 * await makeServer('', 8000, compose(compress(), conditional())(app)).serveForever()
 */
export function conditional(options: ConditionalOptions = {}): Middleware {
  const { etag = true, maxBytes = 1024 * 1024, lastModified } = options
  if (typeof etag !== 'boolean')
    throw optionError(TypeError, `conditional: etag is true or false, not ${JSON.stringify(etag)}`)
  if (!Number.isFinite(maxBytes) || maxBytes < 0)
    throw optionError(RangeError, `conditional: maxBytes is a number of bytes, not ${maxBytes}`)
  if (lastModified !== undefined && typeof lastModified !== 'function')
    throw optionError(
      TypeError,
      'conditional: lastModified is a function (environ) => Date | undefined',
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
 * One response, whose head is held until its validators are known: where the body begins, at the
 * latest.
 */
class ConditionalResponse {
  readonly #environ: WSGIEnvironment
  /** Bodies up to here get an ETag; -1 for none at all. */
  readonly #tagged: number
  readonly #changed: Date | undefined
  readonly #held: HeldHead
  /** What the client gets in place of the body, as soon as that is decided. */
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
    // The head comes with the first piece, out of a generator.
    return transformBody(body, (pieces) => this.#transform(pieces))
  }

  async *#transform(
    pieces: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces) {
      if (!this.#held.passed && this.#instead === null && this.#held.headers !== null) {
        // The head is not due yet, and the server would ask for it.
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

  /** Sends the head that is due. @param body where it is known */
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
    const outcome = evaluatePreconditions(this.#environ, {
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

/** A body in another's place, which is not asked for a piece but is closed. */
function replaced(body: WSGIBody, instead: WSGIBody): WSGIBody {
  const result = [...(instead as Uint8Array[])] as Uint8Array[] & { close?(): unknown }
  if (Array.isArray(body) && typeof (body as WSGIBody).close !== 'function') return result
  result.close = () => discardAndClose(body)
  return result
}

function isUnstored(headers: ResponseHeaders): boolean {
  return /(?:^|,)\s*no-store\s*(?:,|$)/i.test(headerValue(headers, 'cache-control') ?? '')
}

/** A weak tag, for two bodies that are the same may have been sent with other headers. */
function tagOf(body: WSGIBody | null, most: number, environ: WSGIEnvironment): string | null {
  if (!Array.isArray(body)) return null
  let length = 0
  for (const piece of body as unknown[]) {
    if (!(piece instanceof Uint8Array)) return null
    length += piece.length
  }
  // The nothing that a HEAD has says nothing of what its GET has.
  if (length > most || (length === 0 && environ.REQUEST_METHOD === 'HEAD')) return null
  const hash = createHash('sha256')
  for (const piece of body as Uint8Array[]) hash.update(piece)
  return `W/"${hash.digest('base64url').slice(0, 27)}"`
}
