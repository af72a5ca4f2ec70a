import { checkHead } from '../../wsgi/head-rules.ts'
import type { ResponseHeaders, StartResponse, Write } from '../../wsgi/types.ts'
import { describeValue, WSGIError } from '../../wsgi/wsgi-error.ts'

/**
 * The head of a response between the application, which has given it, and the server, which has not
 * got it yet: for a middleware whose headers depend on the body. The rules of `startResponse` hold
 * meanwhile (PEP 3333 "The start_response() Callable"): a head that is wrong, or a second one
 * without an error, is refused at once, and with an error the head that is held is replaced.
 *
 * It ends in one of two ways: {@link send} gives the server a head of the middleware's, and no
 * other can follow; {@link pass} does the same, and from then on the application speaks with the
 * server itself.
 */
export class HeldHead {
  status = ''
  /** Null while the application has not given any (that was accepted). */
  headers: ResponseHeaders | null = null
  /** The server's `startResponse` and `write` are the application's now. */
  passed = false
  readonly #startResponse: StartResponse
  readonly #written: (data: Uint8Array) => Promise<void>
  #write: Write | null = null
  #asked = false

  /**
   * @param written what happens to a piece that the application writes while the head is held or
   * after it was sent
   */
  constructor(startResponse: StartResponse, written: (data: Uint8Array) => Promise<void>) {
    this.#startResponse = startResponse
    this.#written = written
  }

  /** What the application is given. */
  readonly startResponse: StartResponse = (status, headers, excInfo) => {
    if (this.passed) {
      this.#write = this.#startResponse(status, headers, excInfo)
      return this.#writeFor
    }
    if (excInfo !== undefined && excInfo !== null) {
      if (this.#write !== null) throw excInfo
    } else if (this.#asked) {
      throw new WSGIError(
        'The start_response() Callable',
        'startResponse was called twice; only an error handler may do so, with the error as its third argument',
      )
    }
    this.#asked = true
    this.headers = null
    checkHead(status, headers)
    this.status = status
    this.headers = headers.slice()
    return this.#writeFor
  }

  /** Gives the server a head. @returns the server's `write` */
  send(status: string, headers: ResponseHeaders): Write {
    this.#write = this.#startResponse(status, headers)
    return this.#write
  }

  /**
   * Gives the server the head that is held, with other headers where such are given, and leaves.
   */
  pass(headers: ResponseHeaders = this.headers!): void {
    this.send(this.status, headers)
    this.passed = true
  }

  /** The server's, as soon as there is a head for it; before, the application has none to call. */
  get write(): Write {
    return this.#write!
  }

  readonly #writeFor: Write = (data) => {
    if (this.passed) return this.#write!(data)
    if (!(data instanceof Uint8Array))
      throw new WSGIError(
        'The write() Callable',
        `write() takes a Uint8Array, not ${describeValue(data)}`,
      )
    if (this.headers === null)
      throw new WSGIError(
        'The write() Callable',
        'write() was called although startResponse had refused the head',
      )
    return this.#written(data)
  }
}

/**
 * The value of a header, the values of several joined with a comma; undefined where there is none.
 */
export function headerValue(headers: ResponseHeaders, name: string): string | undefined {
  let found: string | undefined
  for (const [other, value] of headers)
    if (other.length === name.length && other.toLowerCase() === name)
      found = found === undefined ? value : `${found}, ${value}`
  return found
}
