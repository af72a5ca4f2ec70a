import { toFunction } from '../wsgi/application.ts'
import { Call } from '../wsgi/call.ts'
import { makeEnviron } from '../wsgi/environ.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import type { ErrorStream, WSGIApplication, WSGIEnvironment } from '../wsgi/types.ts'
import { FetchRequestBody } from './fetch-request-body.ts'
import { FetchSink, statusResponse } from './fetch-response.ts'
import {
  checkOptionNames,
  MOUNT_OPTIONS,
  type MountOptions,
  MountPoint,
  splitTarget,
} from './mount.ts'

/** Options of {@link toFetchHandler}. */
export interface FetchHandlerOptions<Rest extends unknown[] = unknown[]> extends MountOptions {
  /**
   * The `wsgi.errors` of the application. Its failures are written to it too. Defaults to the
   * console.
   *
   * @default the console
   */
  errors?: ErrorStream
  /**
   * Whether an error before the head was sent rejects the promise, for the error handler of the
   * framework, instead of being logged and answered with 500. Defaults to false.
   *
   * @default false
   */
  passErrors?: boolean
  /**
   * Returns the address of the client, which a `Request` does not have. Called with the arguments
   * of the handler, where runtimes pass it. Defaults to no address.
   *
   * @example
   * // Deno
   * remoteAddress: (request, info: Deno.ServeHandlerInfo) => info.remoteAddr.hostname
   */
  remoteAddress?: (request: Request, ...rest: Rest) => string | undefined
}

const FETCH_HANDLER_OPTIONS = ['errors', 'passErrors', 'remoteAddress', ...MOUNT_OPTIONS]

/** The result of {@link toFetchHandler}: a function from `Request` to `Response`. */
export type FetchHandler<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Promise<Response>

/**
 * Turns a WSGI application into a fetch handler, a function from `Request` to `Response`: for Hono,
 * Bun, Deno, Cloudflare Workers and other runtimes with `fetch`. It does not need Node.js.
 *
 * Both bodies are streamed with back-pressure. When the signal of the request aborts, or the body
 * of the response is cancelled, the body of the application is closed. If the client goes away
 * before the response has begun, the promise resolves to a response with status 499.
 *
 * Do not use it in Node.js frameworks that pass on `req` and `res`: use `toNodeHandler`.
 *
 * @param app the application to call
 * @throws WSGIError if `app` is not an application
 * @throws TypeError (`bad-option`) for a `scriptName` that is not a path, or an unknown option
 * @example
 * import { Hono } from 'hono'
 * import { toFetchHandler } from 'monoceros'
 *
 * const hono = new Hono()
 * const shop = toFetchHandler(app, { scriptName: '/shop' })
 * hono.all('/shop/*', (c) => shop(c.req.raw))
 * @example
 * // Hono's mount() removes the path itself.
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
  checkOptionNames('toFetchHandler', options, FETCH_HANDLER_OPTIONS)
  const mount = new MountPoint(options)
  const errors = options.errors ?? consoleErrors

  return async function wsgiHandler(request, ...rest) {
    const method = request.method
    const report = (error: unknown) =>
      errors.write(`Error while answering ${method} ${request.url}: ${failureText(error)}\n`)
    const { authority, path, query } = splitTarget(request.url)
    // Clients do not send fragments, but a Request that code made may have one.
    const divided = mount.divide(path.replace(/#.*$/s, '') || '/')
    if (divided === null) return statusResponse(404)
    const headers = [...request.headers]
    const refusal = refusalOf(headers)
    if (refusal !== null) return statusResponse(refusal)
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
    const { signal } = request
    const passErrors = options.passErrors === true
    return await respond(application, environ, { body, signal, report, passErrors })
  }
}

/** 400 if headers contradict each other (repeated headers are joined already), otherwise null. */
function refusalOf(headers: readonly [string, string][]): number | null {
  for (const [name, value] of headers) {
    if (name === 'host' && value.includes(',')) return 400
    if (name === 'content-length' && !/^\d+$/.test(value)) return 400
  }
  return null
}

/** What an answer needs of its request, and of the handler's options. */
interface FetchExchange {
  readonly body: FetchRequestBody
  readonly signal: AbortSignal | undefined
  readonly report: (error: unknown) => void
  readonly passErrors: boolean
}

function respond(
  application: WSGIApplication,
  environ: WSGIEnvironment,
  { body, signal, report, passErrors }: FetchExchange,
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
        if (error !== body.lost) report(error)
        resolve(statusResponse(failureStatus(error)))
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
      // Later: a server whose client has left cancels the body itself, and logs an error that comes
      // before that. Anybody else who reads it must not take it for complete.
      setTimeout(() => sink.abandon(signal!.reason), 0)
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
