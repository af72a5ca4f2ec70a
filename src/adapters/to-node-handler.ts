import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { toFunction } from '../wsgi/application.ts'
import { Call } from '../wsgi/call.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import { bytesSource, RequestInput } from '../wsgi/input-stream.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import type { ErrorStream, ResponseHeaders, WSGIApplication } from '../wsgi/types.ts'
import { Mount, type MountOptions } from './mount.ts'
import { NodeRequestBody, parsedBody } from './node-request-body.ts'
import { BadRequestError, nodeEnviron } from './node-request-environ.ts'
import { type ResponseHead, readHead } from './response-head.ts'

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

/** Writes a response to one of Node's. */
class NodeSink implements ResponseSink<ResponseHead> {
  readonly #response: ServerResponse
  readonly #http2: Http2ServerResponse | null
  readonly failed: (error: unknown) => void
  readonly complain: (error: unknown) => void

  constructor(
    response: ServerResponse | Http2ServerResponse,
    httpVersion: number,
    failed: (error: unknown) => void,
    complain: (error: unknown) => void,
  ) {
    this.#response = response as ServerResponse
    this.#http2 = httpVersion >= 2 ? (response as Http2ServerResponse) : null
    this.failed = failed
    this.complain = complain
  }

  checkHead(status: string, headers: ResponseHeaders): ResponseHead {
    return readHead(status, headers)
  }

  respond(head: ResponseHead, body: Uint8Array): void {
    const response = this.#response
    const headOnly = response.req.method === 'HEAD'
    const bodiless = head.status === 204 || head.status === 304
    // An empty body for HEAD says nothing of what GET would give.
    const length =
      head.contentLength !== -1 || bodiless || (headOnly && body.length === 0) ? -1 : body.length
    this.#writeHead(head, length)
    if (body.length === 0 || headOnly) response.end()
    else response.end(bufferOf(body))
  }

  start(head: ResponseHead): void {
    this.#writeHead(head, -1)
  }

  data(chunk: Uint8Array): boolean {
    return this.#response.write(bufferOf(chunk))
  }

  whenReady(callback: () => void): void {
    this.#response.once('drain', callback)
  }

  finish(): void {
    this.#response.end()
  }

  broken(error: unknown): void {
    this.complain(error)
    if (this.#http2 !== null) {
      // Without a code the client would take it for the end: 2 is INTERNAL_ERROR (RFC 9113 §7).
      this.#http2.stream?.close(2)
      return
    }
    const { socket } = this.#response
    if (!this.#response.chunkedEncoding && socket !== null && 'resetAndDestroy' in socket) {
      // Where the body may end with the connection, only a reset shows that this was not its end.
      try {
        socket.resetAndDestroy()
      } catch {
        // only a TCP connection can be reset
      }
    }
    this.#response.destroy()
  }

  /** @param length of the body where the application has not declared it; -1 for none */
  #writeHead(head: ResponseHead, length: number): void {
    const response = this.#response
    if (
      this.#http2 === null &&
      response.writeHead === ServerResponse.prototype.writeHead &&
      response.getHeaderNames().length === 0
    ) {
      // Nobody else has a say: one pass over the headers, in their order, with their names as they
      // are.
      const flat: string[] = []
      for (const [name, value] of head.headers) flat.push(name, value)
      if (length !== -1) flat.push('Content-Length', String(length))
      response.writeHead(head.status, head.reason, flat)
      return
    }
    // Not as an argument of writeHead: with headers set before, that keeps only the last of a name
    // (Node.js 20), and so do middlewares that listen for heads (on-headers).
    const values = new Map<string, { name: string; values: string[] }>()
    for (const [name, value] of head.headers) {
      const lower = name.toLowerCase()
      const same = values.get(lower)
      if (same === undefined) values.set(lower, { name, values: [value] })
      else same.values.push(value)
    }
    for (const [lower, header] of values) {
      if (lower === 'set-cookie' || lower === 'vary')
        header.values.unshift(...valuesOf(response.getHeader(lower)))
      response.setHeader(
        header.name,
        header.values.length === 1 ? header.values[0]! : header.values,
      )
    }
    if (length !== -1) response.setHeader('Content-Length', String(length))
    if (this.#http2 === null) response.writeHead(head.status, head.reason)
    else response.writeHead(head.status) // no reasons in HTTP/2
  }
}

function valuesOf(header: number | string | readonly string[] | undefined): string[] {
  if (header === undefined) return []
  return typeof header === 'object' ? [...header] : [String(header)]
}

/**
 * The same bytes as a Buffer, which is what middlewares that wrap a response (compression) expect.
 */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
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
