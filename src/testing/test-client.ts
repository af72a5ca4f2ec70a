/**
 * A client for tests. It calls an application like a server, by all rules of the contract, without
 * a socket.
 *
 * A request is described in the terms of a test: a form, JSON, files, cookies. The response is
 * available as soon as its head is. If the application throws, the call rejects with its error, so
 * that the test shows where it was thrown. The application may be a function, an object with
 * `wsgi()`, one that is wrapped in middleware, or a `pythonApp`.
 *
 * Do not use it to test a server: start one and send real requests.
 *
 * @example
 * import { testClient } from 'monoceros/testing'
 * import { app } from './app.ts'
 *
 * const client = testClient(app)
 * const welcome = await client.post('/login', {
 *   form: { name: 'ada', password: 'engine' },
 *   followRedirects: true,
 * })
 * expect(welcome.status).toBe(200)
 * expect(await welcome.text()).toContain('Welcome, ada')
 * expect(client.cookies.get('session')?.httpOnly).toBe(true)
 */
import { toFunction } from '../wsgi/application.ts'
import type { ResponseHeaders, WSGIApplication, WSGIEnvironment } from '../wsgi/types.ts'
import { validator } from '../wsgi/validator.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import {
  type ContentOptions,
  encodeContent,
  encodeNameValues,
  type NameValues,
} from './request-content.ts'
import {
  askedHeaders,
  headerList,
  sentHeaders,
  type TestCredentials,
  type TestRequestHeaders,
  TOKEN,
} from './request-headers.ts'
import { TestClientError } from './test-client-error.ts'
import { TestCookies } from './test-cookies.ts'
import { runExchange } from './test-exchange.ts'
import { parseBase, redirectTarget, type TestBase, targetOf } from './test-location.ts'
import type { TestResponse } from './test-response.ts'

export type { TestCredentials, TestRequestHeaders } from './request-headers.ts'

/** Options for all requests of a client. */
export interface TestClientOptions {
  /**
   * The URL of the application: scheme, host, port, and the path of its mount, which becomes
   * `SCRIPT_NAME`. Defaults to `http://localhost`.
   */
  baseUrl?: string | URL
  /** Headers of every request. Those of a request replace ones of the same name. */
  headers?: TestRequestHeaders
  /** Variables that replace those in the environ of every request. */
  environ?: Partial<WSGIEnvironment>
  /** Whether to follow redirects. Defaults to false, so that a test can check them. */
  followRedirects?: boolean
  /** The most redirects to follow for one request. Defaults to 20. */
  maxRedirects?: number
  /**
   * Whether the call rejects with an error of the application. If false, the answer is 500 like
   * that of a server, and `response.error` has the error. Defaults to true.
   */
  raiseErrors?: boolean
  /**
   * Whether to wrap the application in `validator`, so that the test fails if a rule of the
   * contract is broken, even one that servers do not enforce. Defaults to false.
   */
  validate?: boolean
}

/** Options of one request. Those that a client has too override the client's. */
export interface TestRequestOptions extends ContentOptions {
  headers?: TestRequestHeaders
  /** Added to the query of the path. A string is used as it is. */
  query?: NameValues | string
  /** Cookies of this request and its redirects only. They replace kept ones of the same name. */
  cookies?: Readonly<Record<string, string>>
  /** Credentials for HTTP Basic authentication (RFC 7617). */
  auth?: TestCredentials
  /** Variables that replace those in the environ. */
  environ?: Partial<WSGIEnvironment>
  baseUrl?: string | URL
  followRedirects?: boolean
  maxRedirects?: number
  raiseErrors?: boolean
  /**
   * Ends the request like a client that goes away. The call, or the reading of the body, rejects
   * with the reason of the signal.
   */
  signal?: AbortSignal
}

/**
 * Makes a client for an application, with cookies of its own.
 *
 * @throws TestClientError (`bad-option`) if an option is wrong
 * @throws WSGIError if `app` is not an application
 * @example
 * const client = testClient(app, { baseUrl: 'https://shop.example/store' })
 * const cart = await client.get('/cart') // SCRIPT_NAME is '/store', PATH_INFO '/cart'
 */
export function testClient(app: WSGIApplication, options: TestClientOptions = {}): TestClient {
  return new TestClient(app, options)
}

/**
 * Sends requests to an application; made by {@link testClient}. Requests may be sent at the same
 * time. They share the cookies.
 */
export class TestClient {
  /** The cookies that are kept between requests. */
  readonly cookies: TestCookies
  readonly #app: WSGIApplication
  readonly #base: TestBase
  readonly #headers: ResponseHeaders
  readonly #options: TestClientOptions

  constructor(app: WSGIApplication, options: TestClientOptions = {}) {
    this.#app = options.validate === true ? validator(app) : toFunction(app)
    this.#base = parseBase(options.baseUrl ?? 'http://localhost')
    this.#headers = headerList(options.headers)
    checkMaxRedirects(options.maxRedirects)
    this.#options = options
    this.cookies = new TestCookies(`${this.#base.origin}${this.#base.mount}/`)
  }

  get(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('GET', path, options)
  }

  head(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('HEAD', path, options)
  }

  post(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('POST', path, options)
  }

  put(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('PUT', path, options)
  }

  patch(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('PATCH', path, options)
  }

  delete(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('DELETE', path, options)
  }

  options(path: string, options?: TestRequestOptions): Promise<TestResponse> {
    return this.request('OPTIONS', path, options)
  }

  /**
   * Sends a request.
   *
   * @param method the method as it is sent: `GET`, `PROPFIND`
   * @param path a path below the base URL, or a whole URL below it, such as one of a Location
   * header
   * @returns a promise that resolves when the head of the response is available
   * @throws (as a rejection) the error of the application, a TestClientError, or the reason of the
   * signal
   */
  async request(
    method: string,
    path: string,
    options: TestRequestOptions = {},
  ): Promise<TestResponse> {
    if (!TOKEN.test(method))
      throw new TestClientError(
        'bad-option',
        `${describeValue(method)} is not a method (RFC 9110 §9.1)`,
      )
    checkMaxRedirects(options.maxRedirects)
    const given = { ...this.#options, ...withoutUndefined(options) }
    let base = options.baseUrl === undefined ? this.#base : parseBase(options.baseUrl)
    let target = targetOf(path, queryText(options.query), base)
    let sent = method
    let content = encodeContent(options)
    let headers = askedHeaders(this.#headers, options)
    const redirects: TestResponse[] = []
    for (;;) {
      // Without the query, because cookies are selected by the path (RFC 6265 §5.1.4).
      const url = base.origin + base.mount + target.replace(/\?.*/s, '')
      const response = await runExchange({
        app: this.#app,
        base,
        method: sent,
        target,
        headers: sentHeaders(headers, {
          method: sent,
          content,
          base,
          cookies: this.cookies.header(url, options.cookies),
        }),
        body: content.body,
        environ: { ...this.#options.environ, ...options.environ },
        raiseErrors: given.raiseErrors ?? true,
        signal: options.signal,
        redirects,
      })
      this.cookies.take(response.headers.getAll('Set-Cookie'), url)
      const location = response.headers.get('Location')
      if (
        given.followRedirects !== true ||
        !REDIRECTS.has(response.status) ||
        location === undefined
      )
        return response
      try {
        const max = given.maxRedirects ?? 20
        if (redirects.length >= max) {
          throw new TestClientError(
            'too-many-redirects',
            `${method} ${path} was redirected more than ${max} times; ` +
              `the last time from ${response.request.url} to ${location}`,
          )
        }
        const next = redirectTarget(location, response.request.url, base)
        if (response.status === 307 || response.status === 308) {
          if (content.body !== null && !(content.body instanceof Uint8Array)) {
            throw new TestClientError(
              'body-not-replayable',
              `${response.request.url} answered ${response.status}, which requires the body ` +
                'again, but it was a stream; pass the body as bytes',
            )
          }
        } else {
          if (sent !== 'HEAD') sent = 'GET'
          content = { body: null }
          headers = headers.filter(([name]) => !/^content-/i.test(name))
        }
        base = next.base
        target = next.target
      } catch (error) {
        response.close()
        throw error
      }
      await response.bytes()
      redirects.push(response)
    }
  }
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
function queryText(query: NameValues | string | undefined): string {
  if (query === undefined) return ''
  return typeof query === 'string' ? query.replace(/^\?/, '') : encodeNameValues(query)
}

function checkMaxRedirects(max: number | undefined): void {
  if (max === undefined || (Number.isInteger(max) && max >= 0)) return
  throw new TestClientError(
    'bad-option',
    `maxRedirects must be a whole number, 0 or more, not ${max}`,
  )
}

/** Removes undefined options, which would hide those of the client. */
function withoutUndefined(options: TestRequestOptions): TestRequestOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
