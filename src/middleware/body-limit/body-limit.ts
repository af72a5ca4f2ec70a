/**
 * Refuses request bodies that are larger than an application wants: `413 Content Too Large` (RFC
 * 9110 §15.5.14).
 *
 * A body that declares its size is refused by its `Content-Length`, before the application is
 * called. One that does not (chunked, or over HTTP/2) is counted while the application reads it: at
 * the first byte too many the read fails with a {@link BodyTooLargeError}, and whatever the
 * application makes of it, the answer is 413 as long as the head of its own has not been sent. No
 * more than `maxBytes + 1` bytes are ever asked of the server, also where the application reads
 * everything at once.
 *
 * The server's own limit (`limitRequestBody`, if it has one) holds for all applications; this one
 * is for one of them.
 *
 * @example
 * import { bodyLimit, dispatcher } from 'monoceros'
 *
 * export const app = dispatcher(bodyLimit({ maxBytes: 64 * 1024 })(api), {
 *   '/upload': bodyLimit({ maxBytes: 100 * 1024 * 1024 })(upload),
 * })
 *
 * @module
 */
import { callApplication, isApplication, toFunction } from '../../wsgi/application.ts'
import { isPromise } from '../../wsgi/body.ts'
import { emptyInput } from '../../wsgi/input-stream.ts'
import type {
  Middleware,
  StartResponse,
  Write,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
} from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { plainResponse } from '../plain-response.ts'
import { LimitedInput } from './limited-input.ts'
import { ReplaceableBody } from './replaceable-body.ts'

export { BodyTooLargeError } from './limited-input.ts'

/** Options of {@link bodyLimit}. */
export interface BodyLimitOptions {
  /** The most bytes that a request's body may have. */
  readonly maxBytes: number
  /** Answers for a body that is too large. Default: `413 Content Too Large` in plain text. */
  readonly tooLarge?: WSGIApplication
}

const contentTooLarge = plainResponse('413 Content Too Large')

/** @throws TypeError or RangeError (`bad-option`) */
export function bodyLimit(options: BodyLimitOptions): Middleware {
  const maxBytes: unknown = options?.maxBytes
  const tooLarge = options?.tooLarge ?? contentTooLarge
  if (!Number.isSafeInteger(maxBytes) || (maxBytes as number) < 0) {
    throw optionError(
      RangeError,
      `bodyLimit: maxBytes must be a whole number of bytes, 0 or more, not ${describeValue(maxBytes)}`,
    )
  }
  if (!isApplication(tooLarge)) {
    throw optionError(
      TypeError,
      `bodyLimit: tooLarge must be an application, not ${describeValue(tooLarge)}`,
    )
  }
  const most = maxBytes as number

  return function withBodyLimit(app) {
    const inner = toFunction(app)
    return function bodyLimitApplication(environ, startResponse) {
      const declared = declaredLength(environ)
      if (declared > most) return callApplication(tooLarge, environ, startResponse)
      // The server gives no more of a body than it declares, so there is nothing to count.
      if (declared >= 0 || environ['wsgi.input'] === emptyInput)
        return inner(environ, startResponse)
      const input = new LimitedInput(environ['wsgi.input'], most)
      environ['wsgi.input'] = input
      return new CountedExchange(input, tooLarge, environ, startResponse).run(inner)
    }
  }
}

/** The declared size of the body; -1 when there is none, or none that is a number. */
function declaredLength(environ: WSGIEnvironment): number {
  const text = environ.CONTENT_LENGTH
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1
}

/** One exchange whose body is counted: the application's response, or the one in its place. */
class CountedExchange {
  readonly #input: LimitedInput
  readonly #tooLarge: WSGIApplication
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  /** The application has called `startResponse`. */
  #asked = false
  /** It has given bytes, and the head has been sent before them. */
  #begun = false

  constructor(
    input: LimitedInput,
    tooLarge: WSGIApplication,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
  ) {
    this.#input = input
    this.#tooLarge = tooLarge
    this.#environ = environ
    this.#startResponse = startResponse
  }

  run(app: WSGIApplication): WSGIBody | Promise<WSGIBody> {
    let body: WSGIBody | Promise<WSGIBody>
    try {
      body = callApplication(app, this.#environ, this.#begin)
    } catch (error) {
      if (this.#mustReplace()) return this.#replace()
      throw error
    }
    if (!isPromise(body)) return this.#take(body)
    return body.then(
      (late) => this.#take(late),
      (error: unknown) => {
        if (this.#mustReplace()) return this.#replace()
        throw error
      },
    )
  }

  readonly #begin: StartResponse = (status, headers, excInfo) => {
    const write = this.#startResponse(status, headers, excInfo)
    this.#asked = true
    const counted: Write = (data) => {
      // What it says of the failed read is not sent: 413 is, when it has ended.
      if (this.#mustReplace()) return Promise.resolve()
      if (data.length > 0) this.#begun = true
      return write(data)
    }
    return counted
  }

  #mustReplace(): boolean {
    return this.#input.exceeded && !this.#begun
  }

  #take(body: WSGIBody): WSGIBody | Promise<WSGIBody> {
    // Chunks that are at hand cannot depend on a read that is still to come; and what is no body
    // the server refuses.
    if (!this.#mustReplace() && (Array.isArray(body) || !isIterable(body))) return body
    return new ReplaceableBody(body, {
      mustReplace: () => this.#mustReplace(),
      replace: () => this.#replace(),
      begin: () => {
        this.#begun = true
      },
    })
  }

  #replace(): WSGIBody | Promise<WSGIBody> {
    return callApplication(this.#tooLarge, this.#environ, (status, headers, excInfo) =>
      // Nothing has been sent, so with an error the response may be begun a second time (PEP 3333
      // "Error Handling").
      this.#startResponse(
        status,
        headers,
        excInfo ?? (this.#asked ? this.#input.error : undefined),
      ),
    )
  }
}

function isIterable(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    (Symbol.asyncIterator in body || Symbol.iterator in body)
  )
}
