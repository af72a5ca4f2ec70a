import { decodePercent } from '../semantics/percent.ts'
import { ClientGoneError, whenClientGone } from '../wsgi/client-gone.ts'
import { isHopByHop } from '../wsgi/head-rules.ts'
import { reasonPhrase } from '../wsgi/reason-phrase.ts'
import type { ResponseHeaders, WSGIEnvironment, WSGIFunction } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { headersOf } from './environ-headers.ts'
import { sentTarget } from './mount.ts'
import { requestPieces } from './request-pieces.ts'

export interface FromFetchOptions {
  /**
   * The request's URL has `SCRIPT_NAME` in its path. By default it has not: the handler's routes
   * begin at its mount, as those of a WSGI application do.
   *
   * @default false
   */
  keepScriptName?: boolean
}

const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::\d*)?$/

/**
 * A fetch handler, `Request` to `Response`, as a WSGI application: Hono's `app.fetch`, and whatever
 * else speaks it.
 *
 * Both bodies are streamed with back-pressure. The request's signal aborts when the response is
 * closed before its end, as when the client has gone. A request that cannot be a `Request` is
 * answered with 400: one with an invalid host, with the methods CONNECT, TRACE and TRACK, or with a
 * path that a URL would change (`/a/../b`).
 *
 * @param handler gets the Request. What it throws is thrown on
 * @throws TypeError (`bad-option`) where it is no function
 * @example
 * import { Hono } from 'hono'
 * import { dispatcher, fromFetchHandler } from 'monoceros'
 *
 * const hono = new Hono().get('/hello', (c) => c.text('Hello')) export const app =
 * dispatcher(other, { '/hono': fromFetchHandler((request) => hono.fetch(request)) })
 */
export function fromFetchHandler(
  handler: (request: Request) => Response | Promise<Response>,
  options: FromFetchOptions = {},
): WSGIFunction {
  if (typeof handler !== 'function') {
    throw Object.assign(
      new TypeError(
        `fromFetchHandler takes a function from a Request to a Response, such as Hono's app.fetch, not ${describeValue(handler)}`,
      ),
      { code: 'bad-option' },
    )
  }
  return async function fetchApplication(environ, startResponse) {
    const abort = new AbortController()
    const request = makeRequest(environ, abort.signal, options.keepScriptName === true)
    if (request === null) {
      startResponse('400 Bad Request', [['Content-Type', 'text/plain; charset=utf-8']])
      return [new TextEncoder().encode('Bad Request\n')]
    }
    whenClientGone(environ, () => abort.abort(new ClientGoneError()))
    let response: Response
    try {
      response = await handler(request)
    } catch (error) {
      // What fails because the client is gone has done nothing wrong, whatever it throws.
      throw abort.signal.aborted ? abort.signal.reason : error
    }
    if (
      !(response instanceof Response) &&
      typeof (response as Response | undefined)?.status !== 'number'
    ) {
      throw new TypeError(`The fetch handler gave ${describeValue(response)} instead of a Response`)
    }
    const headers: ResponseHeaders = []
    for (const [name, value] of response.headers) if (!isHopByHop(name)) headers.push([name, value])
    startResponse(
      `${response.status} ${response.statusText || reasonPhrase(response.status)}`,
      headers,
    )
    return response.body === null ? [] : new ResponseBody(response.body, abort)
  }
}

/** null where the request cannot be a Request. */
function makeRequest(
  environ: WSGIEnvironment,
  signal: AbortSignal,
  keepScriptName: boolean,
): Request | null {
  const { mount, path, query } = sentTarget(environ)
  const wanted = (keepScriptName ? mount + path : path) || '/'
  const port = environ.SERVER_PORT
  const host =
    environ.HTTP_HOST || (port === '' ? environ.SERVER_NAME : `${environ.SERVER_NAME}:${port}`)
  if (!HOST.test(host) || !wanted.startsWith('/')) return null
  let url: URL
  try {
    url = new URL(
      `${environ['wsgi.url_scheme'] === 'https' ? 'https' : 'http'}://${host}${wanted}${query}`,
    )
  } catch {
    return null
  }
  // What a middleware has let pass must be what the handler gets: "/public/../admin" must not
  // arrive as "/admin".
  if (decodePercent(url.pathname) !== decodePercent(wanted)) return null
  const pieces = requestPieces(environ)
  const bodiless = environ.REQUEST_METHOD === 'GET' || environ.REQUEST_METHOD === 'HEAD'
  const init: RequestInit = { method: environ.REQUEST_METHOD, signal }
  if (pieces !== null && !bodiless) {
    init.body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const step = await pieces.next()
          if (step.done === true) controller.close()
          else controller.enqueue(step.value)
        },
        async cancel() {
          await pieces.return()
        },
      },
      { highWaterMark: 0 },
    )
    init.duplex = 'half'
  }
  const headers = new Headers()
  for (const [name, value] of headersOf(environ)) if (!isHopByHop(name)) headers.append(name, value)
  init.headers = headers
  try {
    return new Request(url, init)
  } catch (error) {
    if (error instanceof TypeError && /method/i.test(error.message)) return null
    throw error
  }
}

/**
 * The body of a Response; closed before its end, it cancels the body and tells the handler by its
 * signal.
 */
class ResponseBody implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #abort: AbortController
  #ended = false

  constructor(body: ReadableStream<Uint8Array>, abort: AbortController) {
    this.#reader = body.getReader()
    this.#abort = abort
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const step = await this.#reader.read()
        if (!step.done) return { done: false, value: step.value }
        this.#ended = true
        return { done: true, value: undefined }
      },
    }
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const reason = new ClientGoneError()
    this.#abort.abort(reason)
    // A body that fails because of this has done nothing wrong.
    await this.#reader.cancel(reason).catch(() => {})
  }
}
