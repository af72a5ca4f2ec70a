/**
 * Refuses request bodies that are larger than a limit with `413 Content Too Large` (RFC 9110
 * §15.5.14).
 *
 * A body with a `Content-Length` is refused before the application is called. A body without one
 * (chunked, or over HTTP/2) is counted while the application reads it. At the first byte too many
 * the read fails with a {@link BodyTooLargeError}. The answer is 413 whatever the application does
 * with that error, unless its head was sent before. Even if the application reads everything at
 * once, the server is asked for no more than `maxBytes + 1` bytes.
 *
 * Do not use it to limit the bodies of all applications: set `limitRequestBody` of the server,
 * which refuses them earlier. Use this middleware for applications that need a lower limit.
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
  /** The most bytes that the body of a request may have. */
  readonly maxBytes: number
  /** Answers a request with a larger body. Defaults to `413 Content Too Large` in plain text. */
  readonly tooLarge?: WSGIApplication
}

const CONTENT_TOO_LARGE = plainResponse('413 Content Too Large')

/**
 * Makes a middleware that limits the size of request bodies.
 *
 * @throws RangeError (`bad-option`) if `maxBytes` is not a whole number of bytes, 0 or more
 * @throws TypeError (`bad-option`) if `tooLarge` is not an application
 * @example bodyLimit({ maxBytes: 64 * 1024 })(api)
 */
export function bodyLimit(options: BodyLimitOptions): Middleware {
  const maxBytes: unknown = options?.maxBytes
  const tooLarge = options?.tooLarge ?? CONTENT_TOO_LARGE
  if (!Number.isSafeInteger(maxBytes) || (maxBytes as number) < 0) {
    throw optionError(
      RangeError,
      'bodyLimit: maxBytes must be a whole number of bytes, 0 or more, ' +
        `not ${describeValue(maxBytes)}`,
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
      // The server never gives more bytes than Content-Length, so there is nothing to count.
      if (declared >= 0 || environ['wsgi.input'] === emptyInput)
        return inner(environ, startResponse)
      const input = new LimitedInput(environ['wsgi.input'], most)
      environ['wsgi.input'] = input
      return new CountedExchange(input, tooLarge, environ, startResponse).run(inner)
    }
  }
}

/** The Content-Length of the body in bytes, or -1 if there is none or it is not a number. */
function declaredLength(environ: WSGIEnvironment): number {
  const text = environ.CONTENT_LENGTH
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1
}

/** An exchange whose body is counted. It gives the application's response, or 413 instead. */
class CountedExchange {
  readonly #input: LimitedInput
  readonly #tooLarge: WSGIApplication
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  /** The application has called `startResponse`. */
  #asked = false
  /** The application has given bytes, so its head was sent. */
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
      // 413 is sent when the application has ended, so its answer to the failed read is dropped.
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
    // The pieces of an array cannot depend on a later read. The server refuses a value that is not
    // a body.
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
      // The head was not sent, so with an error the response may begin again (PEP 3333 "Error
      // Handling").
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
