/**
 * A client for tests: it calls an application as a server does, under every rule of the contract,
 * without a socket.
 *
 * What goes in is a request in a test's words (a form, JSON, files, cookies); what comes out is the
 * response, as soon as its head is there. An application that throws makes the call reject with its
 * own error, so that the test shows where it was thrown. The application may be anything that a
 * server takes: a function, an object with `wsgi()`, one that is wrapped in middleware, a
 * `pythonApp`.
 *
 * @example
 * import { testClient } from 'monoceros'
 * import { app } from './app.ts'
 *
 * const client = testClient(app) const welcome = await client.post('/login', { form: { name: 'ada',
 * password: 'engine' }, followRedirects: true }) expect(welcome.status).toBe(200) expect(await
 * welcome.text()).toContain('Welcome, ada')
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

/** What holds for all requests of a client. */
export interface TestClientOptions {
  /**
   * Where the application is: scheme, host, port, and the path it is mounted at, which becomes
   * `SCRIPT_NAME`. `http://localhost` unless it says otherwise.
   */
  baseUrl?: string | URL
  /** Sent with every request that has none of the same name. */
  headers?: TestRequestHeaders
  /** Put over every request's environ. */
  environ?: Partial<WSGIEnvironment>
  /** Whether redirects are followed; false unless it says otherwise, so that a test sees them. */
  followRedirects?: boolean
  /** How many redirects are followed for one request; 20 unless it says otherwise. */
  maxRedirects?: number
  /**
   * True (the default): what the application throws is what the call rejects with. False: it is
   * answered for with 500 as a server does, and found in `response.error`.
   */
  raiseErrors?: boolean
  /**
   * Puts `validator(app)` in the application's place: whatever breaks a rule of the contract fails
   * the test, also what servers let pass. False unless it says otherwise.
   */
  validate?: boolean
}

/** A request. */
export interface TestRequestOptions extends ContentOptions {
  headers?: TestRequestHeaders
  /** Added to the path's own query; a string is taken as it is. */
  query?: NameValues | string
  /**
   * Sent with this request (and where it is redirected to) only, in the place of kept ones of the
   * same name.
   */
  cookies?: Readonly<Record<string, string>>
  /** HTTP Basic (RFC 7617). */
  auth?: TestCredentials
  /** Put over the environ that the rest makes. */
  environ?: Partial<WSGIEnvironment>
  baseUrl?: string | URL
  followRedirects?: boolean
  maxRedirects?: number
  raiseErrors?: boolean
  /**
   * Ends the request as a client that goes away; the call, or the reading of the body, rejects with
   * its reason.
   */
  signal?: AbortSignal
}

/**
 * A client of the application, with its own cookies.
 *
 * @throws TestClientError `bad-option` for a wrong option
 * @throws WSGIError for what is no application
 * @example
 * const client = testClient(app, { baseUrl: 'https://shop.example/store' })
 * const cart = await client.get('/cart') // SCRIPT_NAME is '/store', PATH_INFO '/cart'
 */
export function testClient(app: WSGIApplication, options: TestClientOptions = {}): TestClient {
  return new TestClient(app, options)
}

/** See {@link testClient}. Requests may be sent at the same time; they share the cookies. */
export class TestClient {
  /** What is kept between requests. */
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
   * Sends a request. Resolves when the response's head is there.
   *
   * @param method as it is sent: `GET`, `PROPFIND`
   * @param path below the base URL, or a whole URL there, such as one from a Location header
   * @throws (as a rejection) what the application throws; TestClientError; the signal's reason
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
      // Not what follows the question mark: cookies go by the path (RFC 6265 §5.1.4).
      const url = base.origin + base.mount + target.replace(/\?.*/s, '')
      const response = await runExchange({
        app: this.#app,
        base,
        method: sent,
        target,
        headers: sentHeaders(
          headers,
          sent,
          content,
          base,
          this.cookies.header(url, options.cookies),
        ),
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
            `${method} ${path} was redirected more than ${max} times; the last time from ${response.request.url} to ${location}`,
          )
        }
        const next = redirectTarget(location, response.request.url, base)
        if (response.status === 307 || response.status === 308) {
          if (content.body !== null && !(content.body instanceof Uint8Array)) {
            throw new TestClientError(
              'body-not-replayable',
              `${response.request.url} answers ${response.status}, which wants the body again, and that was a stream; give the body as bytes`,
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
    `maxRedirects must be a whole number from 0 on, not ${max}`,
  )
}

/** So that an option which is not given does not hide the client's. */
function withoutUndefined(options: TestRequestOptions): TestRequestOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
