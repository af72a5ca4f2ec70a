import { Headers } from '../wsgi/headers.ts'
import type { Bytes, ResponseHeaders, WSGIEnvironment } from '../wsgi/types.ts'
import { joinBytes } from './multipart.ts'
import type { ResponsePipe } from './response-pipe.ts'
import { TestClientError } from './test-client-error.ts'

/** The request that a response answers. */
export interface TestRequestInfo {
  method: string
  /** The whole URL as it was requested. */
  url: string
  /** The environ of the call, with the changes of the application. */
  environ: WSGIEnvironment
}

/** The parts that the client makes a response from. */
export interface ResponseParts {
  /** The status line: `200 OK`. */
  line: string
  headers: ResponseHeaders
  request: TestRequestInfo
  redirects: TestResponse[]
  pipe: ResponsePipe
  /** The text in wsgi.errors so far. */
  errorText(): string
  complaints: unknown[]
  /** Whether complaints make the reading of the body fail. */
  raiseErrors: boolean
  error: unknown
  /** Cancels the call of the application. */
  cancel(): void
}

/**
 * A response to a test client. It is available as soon as its head is. The application makes its
 * body while it is read, so read it or {@link close} it: otherwise a streaming application waits.
 *
 * A body is read once, with `body`, `bytes()`, `text()` or `json()`. The last three may be called
 * again, in any order.
 *
 * @example
 * const response = await client.get('/articles/1')
 * expect(response.status).toBe(200)
 * expect(await response.json()).toEqual({ id: 1, title: 'Unicorns' })
 */
export class TestResponse {
  readonly status: number
  /** The reason phrase: `Not Found`. */
  readonly statusText: string
  /** The headers exactly as the application sent them, without a Date or Content-Length added. */
  readonly headers: Headers
  readonly request: TestRequestInfo
  /** The redirects that led to this response, in order. Their bodies have been read. */
  readonly redirects: readonly TestResponse[]
  /** The error behind a 500, if `raiseErrors` is false. */
  readonly error: unknown
  /** Errors that did not change the response, such as a `close()` that threw. */
  readonly complaints: readonly unknown[]
  readonly #parts: ResponseParts
  #begun = false
  #whole: Promise<Bytes> | null = null

  /** For the client only. */
  constructor(parts: ResponseParts) {
    this.#parts = parts
    this.status = Number(parts.line.slice(0, 3))
    this.statusText = parts.line.slice(4)
    this.headers = new Headers(parts.headers)
    this.request = parts.request
    this.redirects = parts.redirects
    this.error = parts.error
    this.complaints = parts.complaints
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  /** The text that the application has written to `wsgi.errors` so far. */
  get errors(): string {
    return this.#parts.errorText()
  }

  /**
   * The body in the pieces that the application gives. Each iteration asks the application for the
   * next piece. Leaving the loop closes the response.
   *
   * @throws TestClientError (`body-used`, `response-closed`, `response-cut-off`), or the error that
   * the application threw in the middle of its body
   */
  get body(): AsyncGenerator<Bytes, void, undefined> {
    return this.#pieces()
  }

  /** Reads the whole body. Rejects with the errors of {@link body}. */
  bytes(): Promise<Bytes> {
    this.#whole ??= this.#read()
    return this.#whole
  }

  /**
   * Reads the whole body as text, in the encoding of its Content-Type or as UTF-8. Rejects with the
   * errors of {@link body}.
   */
  async text(): Promise<string> {
    return this.#decoder().decode(await this.bytes())
  }

  /**
   * Reads the whole body as JSON. Rejects with the errors of {@link body}, and with a SyntaxError
   * that shows the response if it is not JSON.
   */
  async json<T = unknown>(): Promise<T> {
    const text = await this.text()
    try {
      return JSON.parse(text) as T
    } catch (error) {
      const { method, url } = this.request
      const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
      throw new SyntaxError(
        `${method} ${url} answered ${this.status} with a body that is not JSON: ` +
          JSON.stringify(shown),
        { cause: error },
      )
    }
  }

  /**
   * Drops the rest of the body, like a client that goes away. The `close()` of the application's
   * body is called. May be called at any time.
   */
  close(): void {
    this.#parts.cancel()
    this.#parts.pipe.discard()
    this.#parts.pipe.fail(
      new TestClientError(
        'response-closed',
        'The response was closed before its body was read to the end',
      ),
    )
  }

  async *#pieces(): AsyncGenerator<Bytes, void, undefined> {
    if (this.#begun) {
      throw new TestClientError(
        'body-used',
        'The body of a response can be read only once, and is being read already; ' +
          'call bytes(), text() or json(), which may be called again',
      )
    }
    this.#begun = true
    let over = false
    try {
      for (;;) {
        const piece = await this.#parts.pipe.next()
        if (piece === null) break
        yield piece
      }
      over = true
    } finally {
      if (!over) this.close()
    }
    if (this.#parts.raiseErrors && this.complaints.length > 0) throw this.complaints[0]
  }

  async #read(): Promise<Bytes> {
    const pieces: Bytes[] = []
    for await (const piece of this.#pieces()) pieces.push(piece)
    return joinBytes(pieces)
  }

  #decoder() {
    const type = this.headers.get('Content-Type') ?? ''
    const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(type)?.[1] ?? 'utf-8'
    try {
      return new TextDecoder(charset)
    } catch (error) {
      throw new RangeError(`The response's Content-Type names an unknown encoding: ${type}`, {
        cause: error,
      })
    }
  }
}
