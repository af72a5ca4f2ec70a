import { checkHead } from '../../wsgi/head-rules.ts'
import type { ResponseHeaders, StartResponse, Write } from '../../wsgi/types.ts'
import { describeValue, WSGIError } from '../../wsgi/wsgi-error.ts'

/**
 * Holds back the head that an application gave, for a middleware whose headers depend on the body.
 *
 * The rules of `startResponse` apply in the meantime (PEP 3333 "The start_response() Callable"): a
 * wrong head, or a second one without an error, is refused at once. A second one with an error
 * replaces the first.
 *
 * The middleware ends the hold in one of two ways. {@link send} sends a head that cannot be
 * replaced. {@link pass} sends one too, and connects the application to the server: its further
 * calls of `startResponse` and `write` reach the server directly.
 */
export class HeldHead {
  status = ''
  /** Null until the application has given headers that were accepted. */
  headers: ResponseHeaders | null = null
  /** Whether the application's calls reach the server directly. */
  passed = false
  readonly #startResponse: StartResponse
  readonly #written: (data: Uint8Array) => Promise<void>
  #write: Write | null = null
  #asked = false

  /**
   * @param written takes the pieces that the application writes, until the head was passed on
   */
  constructor(startResponse: StartResponse, written: (data: Uint8Array) => Promise<void>) {
    this.#startResponse = startResponse
    this.#written = written
  }

  /** The `startResponse` for the application. */
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
        'startResponse was called twice; only an error handler may do so, ' +
          'with the error as its third argument',
      )
    }
    this.#asked = true
    this.headers = null
    checkHead(status, headers)
    this.status = status
    this.headers = headers.slice()
    return this.#writeFor
  }

  /** Sends a head. @returns the `write` of the server */
  send(status: string, headers: ResponseHeaders): Write {
    this.#write = this.#startResponse(status, headers)
    return this.#write
  }

  /** Sends the head, and connects the application to the server. @param headers replace its own */
  pass(headers: ResponseHeaders = this.headers!): void {
    this.send(this.status, headers)
    this.passed = true
  }

  /** The `write` of the server. Use it only after the head was sent. */
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
 * The value of a header; undefined if there is none. Repeated values are joined with commas.
 *
 * @param name in lower case
 */
export function headerValue(headers: ResponseHeaders, name: string): string | undefined {
  let found: string | undefined
  for (const [other, value] of headers)
    if (other.length === name.length && other.toLowerCase() === name)
      found = found === undefined ? value : `${found}, ${value}`
  return found
}
