import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { toFunction } from '../wsgi/application.ts'
import { Call } from '../wsgi/call.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import { bytesSource, RequestInput } from '../wsgi/input-stream.ts'
import type { ErrorStream, WSGIApplication } from '../wsgi/types.ts'
import { checkOptionNames, MOUNT_OPTIONS, type MountOptions, MountPoint } from './mount.ts'
import { NodeRequestBody, parsedBody } from './node-request-body.ts'
import { BadRequestError, nodeEnviron } from './node-request-environ.ts'
import { NodeSink } from './node-response.ts'

/** Options of {@link toNodeHandler}. */
export interface NodeHandlerOptions extends MountOptions {
  /**
   * The `wsgi.errors` of the application. Its failures are written to it too. Defaults to the
   * console.
   *
   * @default the console
   */
  errors?: ErrorStream
  /**
   * Whether an error before the head was sent is passed to `next(error)`, for the error handler of
   * the framework, instead of being logged and answered with 500. Has no effect without a `next`.
   * Defaults to false.
   *
   * @default false
   */
  passErrors?: boolean
}

/** The names of {@link NodeHandlerOptions}. */
export const NODE_HANDLER_OPTIONS = ['errors', 'passErrors', ...MOUNT_OPTIONS] as const

/**
 * The result of {@link toNodeHandler}: a request listener for `node:http` and `node:http2`, and a
 * middleware for Express and Connect.
 */
export type NodeHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  next?: (error?: unknown) => void,
) => void

/**
 * Turns a WSGI application, in TypeScript or in Python, into a handler for `node:http`,
 * `node:http2`, Express, Connect, Polka and Next's custom server. For Fastify, Koa and Vite, use
 * `toFastifyPlugin`, `toKoaMiddleware` and the plugin of `monoceros/vite`.
 *
 * Under a mount of Express or Connect, the application sees the mount as `SCRIPT_NAME` and the rest
 * as `PATH_INFO`. For frameworks that do not pass on the mount, set `scriptName`; requests for
 * other paths then go to `next()`, or are answered with 404.
 *
 * Do not use it after body parsers: the body of the request must not have been read, unless
 * `request.rawBody`, or `request.body` of `express.raw()`, has its bytes.
 *
 * Both bodies are streamed with back-pressure. When the client goes away, the `close()` of the body
 * is called. Headers that the framework has set stay, unless the application sets them too. The
 * values of `Set-Cookie` and `Vary` add up.
 *
 * @param app the application to call
 * @throws WSGIError if `app` is not an application
 * @throws TypeError (`bad-option`) for a `scriptName` that is not a path, or an unknown option
 * @example
 * import express from 'express'
 * import { pythonApp, toNodeHandler } from 'monoceros'
 *
 * const flask = pythonApp('flaskapp:app')
 * express().use('/api', toNodeHandler(flask)).listen(8000)
 */
export function toNodeHandler(app: WSGIApplication, options: NodeHandlerOptions = {}): NodeHandler {
  const application = toFunction(app)
  checkOptionNames('toNodeHandler', options, NODE_HANDLER_OPTIONS)
  const mount = new MountPoint(options)
  const errors = options.errors ?? consoleErrors

  return function wsgiHandler(request, response, next) {
    const report = (error: unknown) =>
      errors.write(
        `Error while answering ${request.method} ${request.url}: ${failureText(error)}\n`,
      )
    const fail = (error: unknown) => {
      if (next !== undefined && options.passErrors === true) {
        next(error)
        return
      }
      if (!(error instanceof BadRequestError)) report(error)
      answerPlainly(response, failureStatus(error))
    }

    if (response.destroyed) return // the client left in the meantime
    if (response.headersSent) {
      const error = new Error(
        'The WSGI application cannot answer: its response was begun before by other code',
      )
      if (next === undefined) report(error)
      else next(error)
      return
    }
    const read = request.readableDidRead ? parsedBody(request) : undefined
    const body = new NodeRequestBody(request)
    const input = new RequestInput(read === undefined ? body : bytesSource(read))
    let environ: ReturnType<typeof nodeEnviron>
    try {
      environ = nodeEnviron(request, mount, { input, errors, read })
    } catch (error) {
      fail(error)
      return
    }
    if (environ === null) {
      if (next === undefined) answerPlainly(response, 404)
      else next()
      return
    }
    const sink = new NodeSink(response, request.httpVersionMajor, fail, report)
    const call = new Call(application, environ, sink, request.method === 'HEAD')
    response.on('close', () => {
      call.cancel()
      body.release()
    })
    call.run()
  }
}

function answerPlainly(response: ServerResponse | Http2ServerResponse, status: number): void {
  if (response.destroyed) return
  const body = Buffer.from(`${STATUS_CODES[status] ?? 'Error'}\n`)
  const plain = response as ServerResponse
  plain.statusCode = status
  plain.setHeader('Content-Type', 'text/plain; charset=utf-8')
  plain.setHeader('Content-Length', body.length)
  if (status === 400 && plain.req.httpVersionMajor < 2) plain.setHeader('Connection', 'close')
  plain.end(body)
}
