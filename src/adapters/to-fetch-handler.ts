import { toFunction } from '../wsgi/application.ts'
import { Call } from '../wsgi/call.ts'
import { makeEnviron } from '../wsgi/environ.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import { type ByteSource, emptyInput, InputError, RequestInput } from '../wsgi/input-stream.ts'
import { reasonPhrase } from '../wsgi/reason-phrase.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import { messageOf } from '../wsgi/stranger.ts'
import type {
  ErrorStream,
  InputStream,
  ResponseHeaders,
  WSGIApplication,
  WSGIEnvironment,
} from '../wsgi/types.ts'
import { ConsumedBodyError } from './consumed-body-error.ts'
import { Mount, type MountOptions, splitTarget } from './mount.ts'
import { type ResponseHead, readHead } from './response-head.ts'

export interface FetchHandlerOptions<Rest extends unknown[] = unknown[]> extends MountOptions {
  /**
   * What `wsgi.errors` is, and where failures of the application go.
   *
   * @default the console
   */
  errors?: ErrorStream
  /**
   * What the application throws before its head was sent rejects the promise, for the framework's
   * own error handler, instead of being logged and answered with 500.
   *
   * @default false
   */
  passErrors?: boolean
  /**
   * The client's address: a `Request` does not have it, but the runtime knows it. It gets what the
   * handler was called with.
   *
   * @example
   * // Deno
   * remoteAddress: (request, info: Deno.ServeHandlerInfo) => info.remoteAddr.hostname
   */
  remoteAddress?: (request: Request, ...rest: Rest) => string | undefined
}

/** What {@link toFetchHandler} gives. */
export type FetchHandler<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Promise<Response>

/** Bytes of a response that wait for their reader at most, but for one piece. */
const AHEAD_BYTES = 64 * 1024

/**
 * A WSGI application as a fetch handler, `Request` to `Response`: for Hono, Bun, Deno, Cloudflare
 * Workers, and whatever else speaks it. It needs nothing of Node.js.
 *
 * Both bodies are streamed with back-pressure. When the request's signal aborts, or the response's
 * body is cancelled, the application's body is closed. A client that is gone before the response
 * has begun is answered with 499, which nobody sees.
 *
 * @throws WSGIError where `app` is no application
 * @throws TypeError (`bad-option`) for a `scriptName` that is no path
 * @example
 * import { Hono } from 'hono'
 * import { toFetchHandler } from 'monoceros'
 *
 * const hono = new Hono()
 * const shop = toFetchHandler(app, { scriptName: '/shop' })
 * hono.all('/shop/*', (c) => shop(c.req.raw))
 * @example
 * // Hono's mount() takes the path away itself.
 * hono.mount('/shop', toFetchHandler(app, { scriptName: '/shop', scriptNameStripped: true }))
 * @example
 * // Cloudflare Workers, Bun
 * export default { fetch: toFetchHandler(app) }
 */
export function toFetchHandler<Rest extends unknown[] = unknown[]>(
  app: WSGIApplication,
  options: FetchHandlerOptions<Rest> = {},
): FetchHandler<Rest> {
  const application = toFunction(app)
  const mount = new Mount(options)
  const errors = options.errors ?? consoleErrors

  return async function wsgiHandler(request, ...rest) {
    const method = request.method
    const report = (error: unknown) =>
      errors.write(`Error while answering ${method} ${request.url}: ${failureText(error)}\n`)
    const { authority, path, query } = splitTarget(request.url)
    // A fragment is not sent, but a Request that was made by hand may have one.
    const divided = mount.divide(path.replace(/#.*$/s, '') || '/')
    if (divided === null) return plainResponse(404)
    const headers = [...request.headers]
    const refusal = refusalOf(headers)
    if (refusal !== null) return plainResponse(refusal)
    if (!request.headers.has('host') && authority !== null) headers.push(['host', authority])
    const url = new URL(request.url)
    const scheme = url.protocol === 'https:' ? 'https' : 'http'
    const body = new FetchRequestBody(request)
    const environ = makeEnviron({
      method,
      mount: divided.mount,
      target: divided.path + query.replace(/#.*$/s, ''),
      headers,
      scheme,
      serverName: url.hostname,
      serverPort: url.port || (scheme === 'https' ? '443' : '80'),
      remoteAddress: options.remoteAddress?.(request, ...rest),
      input: body.input(),
      errors,
    })
    return await respond(
      application,
      environ,
      request.signal,
      body,
      report,
      options.passErrors === true,
    )
  }
}

/** 400 where headers contradict each other: several of one name have been joined by now. */
function refusalOf(headers: readonly [string, string][]): number | null {
  for (const [name, value] of headers) {
    if (name === 'host' && value.includes(',')) return 400
    if (name === 'content-length' && !/^\d+$/.test(value)) return 400
  }
  return null
}

function respond(
  application: WSGIApplication,
  environ: WSGIEnvironment,
  signal: AbortSignal | undefined,
  body: FetchRequestBody,
  report: (error: unknown) => void,
  passErrors: boolean,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headOnly = environ.REQUEST_METHOD === 'HEAD'
    const over = () => {
      signal?.removeEventListener('abort', gone)
      body.release()
    }
    const sink = new FetchSink(headOnly, {
      answer: resolve,
      failed: (error) => {
        over()
        if (passErrors) {
          reject(error)
          return
        }
        report(error)
        resolve(plainResponse(failureStatus(error)))
      },
      report,
      cancelled: () => {
        over()
        call.cancel()
      },
      over,
    })
    const call = new Call(application, environ, sink, headOnly)
    const gone = () => {
      over()
      call.cancel()
      sink.abandon(signal!.reason)
      resolve(new Response(null, { status: 499 }))
    }
    if (signal?.aborted === true) {
      gone()
      return
    }
    signal?.addEventListener('abort', gone)
    call.run()
  })
}

interface Outcome {
  answer(response: Response): void
  failed(error: unknown): void
  report(error: unknown): void
  /** Nobody reads the body any more. */
  cancelled(): void
  over(): void
}

/** Makes a Response. */
class FetchSink implements ResponseSink<ResponseHead> {
  readonly #headOnly: boolean
  readonly #outcome: Outcome
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #ready: (() => void) | null = null

  constructor(headOnly: boolean, outcome: Outcome) {
    this.#headOnly = headOnly
    this.#outcome = outcome
  }

  checkHead(status: string, headers: ResponseHeaders): ResponseHead {
    const head = readHead(status, headers)
    if (head.status <= 599) return head
    throw new RangeError(
      `start_response: a Response cannot have the status ${head.status}; it ends at 599`,
    )
  }

  respond(head: ResponseHead, body: Uint8Array): void {
    this.#outcome.over()
    const bodiless = isBodiless(head.status)
    // An empty body for HEAD says nothing of what GET would give.
    const length =
      head.contentLength !== -1 || bodiless || (this.#headOnly && body.length === 0)
        ? -1
        : body.length
    const content = bodiless || this.#headOnly ? null : (body as Uint8Array<ArrayBuffer>)
    this.#outcome.answer(makeResponse(head, content, length))
  }

  start(head: ResponseHead): void {
    if (this.#headOnly || isBodiless(head.status)) {
      this.#outcome.answer(makeResponse(head, null, -1))
      return
    }
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => {
          const ready = this.#ready
          this.#ready = null
          ready?.()
        },
        cancel: () => {
          this.#controller = null
          this.#outcome.cancelled()
        },
      },
      { highWaterMark: AHEAD_BYTES, size: (chunk) => chunk.byteLength },
    )
    this.#outcome.answer(makeResponse(head, stream, -1))
  }

  data(chunk: Uint8Array): boolean {
    const controller = this.#controller
    if (controller === null) return true
    controller.enqueue(chunk)
    return (controller.desiredSize ?? 0) > 0
  }

  whenReady(callback: () => void): void {
    this.#ready = callback
  }

  finish(): void {
    this.#outcome.over()
    this.#controller?.close()
    this.#controller = null
  }

  failed(error: unknown): void {
    this.#outcome.failed(error)
  }

  broken(error: unknown): void {
    this.#outcome.over()
    this.#outcome.report(error)
    this.abandon(error)
  }

  complain(error: unknown): void {
    this.#outcome.report(error)
  }

  /** Breaks the body off: whoever reads it gets the error. */
  abandon(error: unknown): void {
    this.#controller?.error(error)
    this.#controller = null
  }
}

/** Statuses with which a Response may have no body (Fetch §2.2.3 "null body status"). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

function makeResponse(
  { status, reason, headers }: ResponseHead,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null,
  length: number,
): Response {
  const fields = new Headers()
  for (const [name, value] of headers) fields.append(name, value)
  if (length !== -1) fields.set('content-length', String(length))
  return new Response(body, { status, statusText: reason, headers: fields })
}

function plainResponse(status: number): Response {
  return new Response(`${reasonPhrase(status)}\n`, {
    status,
    statusText: reasonPhrase(status),
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  })
}

/** The body of a Request, a piece at a time. */
class FetchRequestBody implements ByteSource {
  readonly #request: Request
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null
  #released = false

  constructor(request: Request) {
    this.#request = request
  }

  input(): InputStream {
    const { method } = this.#request
    return method === 'GET' || method === 'HEAD' ? emptyInput : new RequestInput(this)
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#released)
      throw new InputError('The response is over, and the rest of the request with it')
    if (this.#reader === null) {
      if (this.#request.bodyUsed || this.#request.body?.locked === true) {
        throw new ConsumedBodyError('call the application before request.json() and the like')
      }
      const { body } = this.#request
      if (body === null) return null
      this.#reader = body.getReader()
    }
    for (;;) {
      let step: Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>
      try {
        step = await this.#reader.read()
      } catch (error) {
        throw new InputError(`The body of the request broke off: ${messageOf(error)}`)
      }
      if (this.#released)
        throw new InputError('The response is over, and the rest of the request with it')
      if (step.done) return null
      if (step.value.length > 0) return step.value
    }
  }

  /** The response is over: what has not been read is not wanted. */
  release(): void {
    if (this.#released) return
    this.#released = true
    this.#reader?.cancel().catch(() => {})
  }
}
