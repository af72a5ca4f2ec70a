import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { toFunction } from '../wsgi/application.ts'
import { Call } from '../wsgi/call.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import { bytesSource, RequestInput } from '../wsgi/input-stream.ts'
import type { ErrorStream, WSGIApplication } from '../wsgi/types.ts'
import { Mount, type MountOptions } from './mount.ts'
import { NodeRequestBody, parsedBody } from './node-request-body.ts'
import { BadRequestError, nodeEnviron } from './node-request-environ.ts'
import { NodeSink } from './node-response.ts'

export interface NodeHandlerOptions extends MountOptions {
  /**
   * What `wsgi.errors` is, and where failures of the application go.
   *
   * @default the console
   */
  errors?: ErrorStream
  /**
   * What the application throws before its head was sent goes to `next(error)`, for the framework's
   * own error handler, instead of being logged and answered with 500. Without a `next` it changes
   * nothing.
   *
   * @default false
   */
  passErrors?: boolean
}

/**
 * What {@link toNodeHandler} gives: a request listener of `node:http` and `node:http2`, and a
 * middleware of Express and Connect.
 */
export type NodeHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  next?: (error?: unknown) => void,
) => void

/**
 * A WSGI application, in TypeScript or in Python, as a handler for `node:http`, `node:http2`,
 * Express, Connect, Fastify, Vite's dev server and Next's custom server.
 *
 * Mounted under a path by Express or Connect, the application sees the mount as `SCRIPT_NAME` and
 * the rest as `PATH_INFO`. Where a framework does not say where it has mounted us, as Fastify, give
 * `scriptName`; a request for another path then goes to `next()`, or is answered with 404.
 *
 * The body of the request must not have been read: mount the application before body parsers.
 * (Where `request.rawBody`, or `request.body` as `express.raw()` leaves it, has the bytes, those
 * are used.) Both bodies are streamed with back-pressure. When the client goes away, the body's
 * `close()` is called. Headers that the framework has set stay, but for those that the application
 * sets; `Set-Cookie` and `Vary` add up.
 *
 * @throws WSGIError where `app` is no application
 * @throws TypeError (`bad-option`) for a `scriptName` that is no path
 * @example
 * import express from 'express'
 * import { pythonApp, toNodeHandler } from 'monoceros'
 *
 * const flask = pythonApp('flaskapp:app')
 * express().use('/api', toNodeHandler(flask)).listen(8000)
 * @example
 * // Vite: in configureServer, which goes before Vite's own answer of 404. plugins: [{ name: 'api',
 * configureServer: ({ middlewares }) => void middlewares.use('/api', toNodeHandler(app)) }]
 * @example
 * // Fastify: the reply is ours, and Fastify's parsers keep off the body.
 * fastify.register(async (scope) => {
 *   scope.removeAllContentTypeParsers()
 *   scope.addContentTypeParser('*', (request, payload, done) => done(null))
 *   const handler = toNodeHandler(app, { scriptName: '/py' })
 *   scope.all('/py/*', (request, reply) => {
 *     reply.hijack()
 *     handler(request.raw, reply.raw)
 *   })
 * })
 */
export function toNodeHandler(app: WSGIApplication, options: NodeHandlerOptions = {}): NodeHandler {
  const application = toFunction(app)
  const mount = new Mount(options)
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

    if (response.destroyed) return // the client has left meanwhile
    if (response.headersSent) {
      const error = new Error('The response had been begun before it came to the WSGI application')
      if (next === undefined) report(error)
      else next(error)
      return
    }
    const read = request.readableDidRead ? parsedBody(request) : undefined
    const body = new NodeRequestBody(request)
    const input = new RequestInput(read === undefined ? body : bytesSource(read))
    let environ: ReturnType<typeof nodeEnviron>
    try {
      environ = nodeEnviron(request, mount, input, errors, read)
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
