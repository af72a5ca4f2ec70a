import { Headers } from '../wsgi/headers.ts'
import type { ResponseHeaders, WSGIEnvironment } from '../wsgi/types.ts'
import { joinBytes } from './multipart.ts'
import type { ResponsePipe } from './response-pipe.ts'
import { TestClientError } from './test-client-error.ts'

/** The request that a response answers. */
export interface TestRequestInfo {
  method: string
  /** The whole URL, as it was asked for. */
  url: string
  /** What the application was called with; what the application has changed in it, too. */
  environ: WSGIEnvironment
}

/** What a response is made from; the client's own business. */
export interface ResponseParts {
  /** `200 OK` */
  line: string
  headers: ResponseHeaders
  request: TestRequestInfo
  redirects: TestResponse[]
  pipe: ResponsePipe
  /** What the application has written to wsgi.errors; more may come. */
  errorText(): string
  complaints: unknown[]
  /** Complaints make the reading of the body fail. */
  raiseErrors: boolean
  error: unknown
  /** Tells the application that nobody waits for the rest. */
  cancel(): void
}

/**
 * A response to a test client. It is there as soon as its head is; its body is made as it is read,
 * so read it, or {@link close} it: an application that streams waits until then.
 *
 * A body is read once, by one of `body`, `bytes()`, `text()`, `json()`; the last three may be
 * called again, in any order.
 */
export class TestResponse {
  readonly status: number
  /** The reason behind the status: `Not Found`. */
  readonly statusText: string
  /**
   * As the application has sent them: nothing is added, such as a Date or a Content-Length, and
   * nothing left out.
   */
  readonly headers: Headers
  readonly request: TestRequestInfo
  /** The responses that were followed to this one, the first first; each has been read. */
  readonly redirects: readonly TestResponse[]
  /** What made it a 500, with `raiseErrors: false`. */
  readonly error: unknown
  /**
   * What went wrong without changing the response: a `close()` that threw, more bytes than were
   * declared.
   */
  readonly complaints: readonly unknown[]
  readonly #parts: ResponseParts
  #begun = false
  #whole: Promise<Uint8Array> | null = null

  /** Responses are made by the client. */
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

  /** A status from 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  /** What the application has written to `wsgi.errors` so far. */
  get errors(): string {
    return this.#parts.errorText()
  }

  /**
   * The body, in the pieces in which the application gives it. The application is asked for the
   * next when the loop is; a loop that is left closes the response.
   *
   * @throws TestClientError `body-used`, `response-closed`, `response-cut-off`; what the
   * application threw in the middle of its body
   */
  get body(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#pieces()
  }

  /** The whole body. Rejects as {@link body} does. */
  bytes(): Promise<Uint8Array> {
    this.#whole ??= this.#read()
    return this.#whole
  }

  /**
   * The whole body as text, in the encoding that its Content-Type names, or UTF-8. Rejects as
   * {@link body} does.
   */
  async text(): Promise<string> {
    return this.#decoder().decode(await this.bytes())
  }

  /**
   * The whole body, read as JSON. Rejects as {@link body} does, and with a SyntaxError that shows
   * the response where it is none.
   */
  async json<T = unknown>(): Promise<T> {
    const text = await this.text()
    try {
      return JSON.parse(text) as T
    } catch (error) {
      const { method, url } = this.request
      const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
      throw new SyntaxError(
        `${method} ${url} answered ${this.status} with a body that is not JSON: ${JSON.stringify(shown)}`,
        { cause: error },
      )
    }
  }

  /**
   * Leaves the rest of the body, as a client that goes away. The application's `close()` is called.
   * Safe to call at any time.
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

  async *#pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#begun) {
      throw new TestClientError(
        'body-used',
        'The body of a response can be read once, and is being read already; bytes(), text() and json() may be called again, body may not',
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

  async #read(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
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
