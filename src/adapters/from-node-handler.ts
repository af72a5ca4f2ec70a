import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ClientGoneError, whenClientGone } from '../wsgi/client-gone.ts'
import { failureText } from '../wsgi/failure.ts'
import { isHopByHop } from '../wsgi/head-rules.ts'
import type { ResponseHeaders, WSGIBody, WSGIEnvironment, WSGIFunction } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { AnswerSocket } from './answer-socket.ts'
import { headersOf } from './environ-headers.ts'
import { sentTarget } from './mount.ts'
import { requestPieces } from './request-pieces.ts'

/**
 * A listener for the event `request` of `node:http`: an Express or Connect application, or a
 * function. It may take a third argument, like middleware of Express and Connect, and call it if it
 * does not answer.
 */
export type NodeListener = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown

/**
 * Turns an Express or Connect application, or any other request listener of `node:http`, into a
 * WSGI application. `dispatcher` can mount it beside others, middleware can wrap it, and
 * `monoceros` can serve it.
 *
 * The listener gets Node's own `IncomingMessage` and `ServerResponse`. Their socket is an object
 * that acts as one: `req.socket.remoteAddress` and `encrypted` are right. If it is mounted, the
 * listener sees `req.url` without the mount, and Express finds the mount in `req.baseUrl` and
 * `req.originalUrl`. Both bodies are streamed with back-pressure. When the client goes away, both
 * emit `close`, and the request emits `aborted`.
 *
 * An error that Express or Connect does not handle is thrown to the server, so that `errorHandler`
 * and the log get it and no stack reaches a client. If no route matches, the answer is a plain 404.
 *
 * Do not use it for upgrades such as WebSockets, which need the event `upgrade` of a server.
 * Interim responses (100, 103) and trailers are not sent, and the server sets `Date`.
 *
 * @param listener an error that it throws or rejects with before it has answered is passed on to
 * the server
 * @returns an application
 * @throws TypeError (`bad-option`) if `listener` is not a function
 * @example
 * import express from 'express'
 * import { dispatcher, fromNodeHandler } from 'monoceros'
 *
 * const legacy = express().get('/hello', (req, res) => res.send('Hello from Express'))
 * export const app = dispatcher(other, { '/legacy': fromNodeHandler(legacy) })
 */
export function fromNodeHandler(listener: NodeListener): WSGIFunction {
  if (typeof listener !== 'function') {
    throw Object.assign(
      new TypeError(
        'fromNodeHandler: listener must be a function (request, response), ' +
          `such as an Express application, not ${describeValue(listener)}`,
      ),
      { code: 'bad-option' },
    )
  }
  return function nodeApplication(environ, startResponse) {
    const exchange = new NodeExchange(environ)
    return exchange.run(listener, (status, headers) => startResponse(status, headers))
  }
}

/**
 * The flag of a response that waits for `drain`. Node's server emits `drain` when the socket
 * drains; there is no such server here.
 */
const NEED_DRAIN = Object.getOwnPropertySymbols(new OutgoingMessage()).find(
  (symbol) => symbol.description === 'kNeedDrain',
)

/** Members of Node's classes that are not in their types. They exist in all versions of Node. */
interface RequestInternals {
  _addHeaderLines(lines: string[], count: number): void
  _read(size: number): void
  _readableState: { readingMore: boolean }
  _consuming: boolean
}

class NodeExchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #socket: AnswerSocket
  readonly #environ: WSGIEnvironment

  constructor(environ: WSGIEnvironment) {
    this.#environ = environ
    this.#socket = new AnswerSocket(environ)
    this.#request = makeRequest(environ, this.#socket)
    this.#response = makeResponse(this.#request, this.#socket)
  }

  run(
    listener: NodeListener,
    startResponse: (status: string, headers: ResponseHeaders) => void,
  ): Promise<WSGIBody> {
    return new Promise<WSGIBody>((resolve, reject) => {
      const socket = this.#socket
      const response = this.#response
      const fail = (error: unknown) => {
        if (socket.isFinished) this.#complain(error)
        reject(error)
        socket.fail(error)
        this.#abort()
      }
      // On the next tick, so that an answer that is written at once is passed on at once.
      socket.onHead = () => process.nextTick(answer)
      const answer = () => {
        const head = (response as unknown as { _header: string })._header
        const { status, headers } = parseHead(head)
        try {
          startResponse(status, headers)
        } catch (error) {
          fail(error)
          return
        }
        resolve(response.writableEnded ? socket.takeAll() : this.#body())
      }
      response.on('finish', () => socket.finish())
      socket.on('close', () => {
        if (response.writableFinished && socket.hasHead) return
        if (response.writableFinished) {
          // The head was not final: the listener tried to upgrade a connection.
          reject(new Error(`The listener answered with the interim status ${response.statusCode}`))
          return
        }
        // The reason why it was lost, unless the listener destroyed it.
        fail(
          socket.failure ??
            new Error('The listener closed the connection before its answer was complete'),
        )
      })
      whenClientGone(this.#environ, () => this.#leave())
      try {
        const result = listener(this.#request, response, (error) => {
          if (error === undefined || error === null || error === 'route' || error === 'router')
            this.#notFound()
          else fail(error)
        })
        if (result instanceof Promise) result.catch(fail)
      } catch (error) {
        fail(error)
      }
    })
  }

  /** Answers 404, because the listener has no answer. */
  #notFound(): void {
    const response = this.#response
    if (response.headersSent || response.writableEnded) return
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': 10 })
    response.end('Not Found\n')
  }

  /** Logs an error after the end of the answer. */
  #complain(error: unknown): void {
    this.#environ['wsgi.errors'].write(
      `The listener failed after its answer: ${failureText(error)}\n`,
    )
  }

  #body(): WSGIBody {
    const socket = this.#socket
    return {
      [Symbol.asyncIterator]: () => ({ next: () => socket.next() }),
      close: () => this.#leave(),
    }
  }

  /** The client does not wait for the rest of the answer. */
  #leave(): void {
    if (this.#socket.isFinished) return
    this.#socket.fail(new ClientGoneError())
    this.#abort()
  }

  /** Acts like Node when a connection is lost: closes the response and aborts the request. */
  #abort(): void {
    this.#socket.destroy()
    if (!this.#request.destroyed) {
      this.#request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
    }
  }
}

function makeRequest(environ: WSGIEnvironment, socket: AnswerSocket): IncomingMessage {
  const request = new IncomingMessage(socket as unknown as Socket) as IncomingMessage & {
    baseUrl: string
    originalUrl: string
  }
  const internals = request as unknown as RequestInternals
  const { mount, path, query } = sentTarget(environ)
  const [, major, minor = '0'] = /^HTTP\/(\d)(?:\.(\d))?$/.exec(environ.SERVER_PROTOCOL) ?? [
    '',
    '1',
    '1',
  ]
  request.method = environ.REQUEST_METHOD
  request.httpVersion = `${major}.${minor}`
  request.httpVersionMajor = Number(major)
  request.httpVersionMinor = Number(minor)
  request.url = (path.startsWith('/') ? path : `/${path}`) + query
  if (environ.REQUEST_METHOD === 'OPTIONS' && environ.REQUEST_URI === '*' && path === '')
    request.url = '*'
  if (mount !== '') {
    // Express reads the mount from these. At the root it sets them itself.
    request.baseUrl = mount
    request.originalUrl = mount + path + query
  }
  const pieces = requestPieces(environ)
  const lines: string[] = []
  for (const [name, value] of headersOf(environ)) lines.push(name, value)
  if (pieces !== null && !environ.CONTENT_LENGTH && environ.HTTP_TRANSFER_ENCODING === undefined) {
    // Without it, body parsers would assume that there is no body.
    lines.push('Transfer-Encoding', 'chunked')
  }
  internals._addHeaderLines(lines, lines.length)
  if (pieces === null) {
    request.complete = true
    request.push(null)
    return request
  }
  let reading = false
  // On the object itself, because Express replaces the prototype of requests.
  internals._read = () => {
    internals._readableState.readingMore = false
    internals._consuming = true
    if (reading) return
    reading = true
    if (socket.isFinished) {
      request.complete = true
      request.push(null)
      return
    }
    pieces.next().then(
      (step) => {
        reading = false
        if (request.destroyed) return
        if (step.done === true) {
          request.complete = true
          request.push(null)
        } else {
          request.push(step.value)
        }
      },
      (error: unknown) => {
        if (socket.isFinished) request.destroy()
        else socket.lose(error)
        request.destroy(
          Object.assign(new Error('aborted', { cause: error }), { code: 'ECONNRESET' }),
        )
      },
    )
  }
  return request
}

function makeResponse(request: IncomingMessage, socket: AnswerSocket): ServerResponse {
  const response = new ServerResponse(request)
  response.sendDate = false
  response.shouldKeepAlive = true
  response.useChunkedEncodingByDefault = true
  // The server frames the body. Until the head is written, Node may plan for chunks (it refuses a
  // Trailer header without them); afterwards it must write the bytes as they are.
  let chunked = false
  const head = response as unknown as { _header: string | null }
  Object.defineProperty(response, 'chunkedEncoding', {
    configurable: true,
    enumerable: true,
    get: () => chunked && head._header === null,
    set: (value: boolean) => {
      chunked = value
    },
  })
  socket.on('drain', () => {
    if (response.writableEnded || NEED_DRAIN === undefined) return
    const flags = response as unknown as Record<symbol, boolean>
    if (flags[NEED_DRAIN] !== true) return
    flags[NEED_DRAIN] = false
    response.emit('drain')
  })
  response.assignSocket(socket as unknown as Socket)
  response.on('finish', () => {
    // Like Node's server: a request body that was not read is discarded, and both are closed.
    if (!(request as unknown as RequestInternals)._consuming) request.resume()
    socket.destroy()
  })
  return response
}

/** Parses a head that Node wrote, and removes its hop-by-hop headers. */
function parseHead(head: string): { status: string; headers: ResponseHeaders } {
  const [first = '', ...lines] = head.split('\r\n')
  const headers: ResponseHeaders = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon === -1) continue
    const name = line.slice(0, colon)
    if (!isHopByHop(name)) headers.push([name, line.slice(colon + 1).trim()])
  }
  return { status: first.slice('HTTP/1.1 '.length), headers }
}
