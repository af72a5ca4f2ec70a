import { decodePercent } from '../semantics/percent.ts'
import { ClientGoneError, whenClientGone } from '../wsgi/client-gone.ts'
import { isHopByHop } from '../wsgi/head-rules.ts'
import { reasonPhrase } from '../wsgi/reason-phrase.ts'
import type { ResponseHeaders, WSGIEnvironment, WSGIFunction } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { headersOf } from './environ-headers.ts'
import { sentTarget } from './mount.ts'
import { requestPieces } from './request-pieces.ts'

/** Options of {@link fromFetchHandler}. */
export interface FromFetchOptions {
  /**
   * Whether the path of the request's URL includes `SCRIPT_NAME`. Without it, the routes of the
   * handler begin at its mount, like those of a WSGI application. Defaults to false.
   *
   * @default false
   */
  keepScriptName?: boolean
}

/** Methods that no Request has (Fetch §2.2.1). Bun's takes them. */
const FORBIDDEN = /^(?:CONNECT|TRACE|TRACK)$/i
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::\d*)?$/

/**
 * Turns a fetch handler, a function from `Request` to `Response`, into a WSGI application: for
 * example Hono's `app.fetch`.
 *
 * Both bodies are streamed with back-pressure. The signal of the request aborts when the response
 * is closed before its end, for example because the client went away. A request that cannot be
 * expressed as a `Request` is answered with 400: one with an invalid host, with the method CONNECT,
 * TRACE or TRACK, or with a path that a URL would change (`/a/../b`).
 *
 * Do not use it for a handler that upgrades connections: WSGI has no WebSockets.
 *
 * @param handler its errors are passed on to the server
 * @returns an application
 * @throws TypeError (`bad-option`) if `handler` is not a function
 * @example
 * import { Hono } from 'hono'
 * import { dispatcher, fromFetchHandler } from 'monoceros'
 *
 * const hono = new Hono().get('/hello', (c) => c.text('Hello'))
 * export const app = dispatcher(other, {
 *   '/hono': fromFetchHandler((request) => hono.fetch(request)),
 * })
 */
export function fromFetchHandler(
  handler: (request: Request) => Response | Promise<Response>,
  options: FromFetchOptions = {},
): WSGIFunction {
  if (typeof handler !== 'function') {
    throw Object.assign(
      new TypeError(
        'fromFetchHandler: handler must be a function from Request to Response, ' +
          `such as Hono's app.fetch, not ${describeValue(handler)}`,
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
      // After the client has gone, an error of the handler is a consequence of that.
      throw abort.signal.aborted ? abort.signal.reason : error
    }
    if (
      !(response instanceof Response) &&
      typeof (response as Response | undefined)?.status !== 'number'
    ) {
      throw new TypeError(
        `fromFetchHandler: handler must return a Response, not ${describeValue(response)}`,
      )
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

/** Makes a Request; null if it cannot express the request. */
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
  if (!HOST.test(host) || !wanted.startsWith('/') || FORBIDDEN.test(environ.REQUEST_METHOD))
    return null
  let url: URL
  try {
    url = new URL(
      `${environ['wsgi.url_scheme'] === 'https' ? 'https' : 'http'}://${host}${wanted}${query}`,
    )
  } catch {
    return null
  }
  // The handler must get the path that middleware has checked: "/public/../admin" must not become
  // "/admin".
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
 * The body of a Response. If it is closed before its end, it cancels the body and aborts the
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
    // The cancellation may make the body fail.
    await this.#reader.cancel(reason).catch(() => {})
  }
}
