import { isBodiless } from '../semantics/bodiless.ts'
import { Call } from '../wsgi/call.ts'
import { makeEnviron } from '../wsgi/environ.ts'
import { errorStream } from '../wsgi/error-stream.ts'
import { FileWrapper } from '../wsgi/file-wrapper.ts'
import { checkHead, type HeadFacts } from '../wsgi/head-rules.ts'
import {
  type ByteSource,
  bytesSource,
  emptyInput,
  InputError,
  RequestInput,
} from '../wsgi/input-stream.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import type {
  Bytes,
  InputStream,
  ResponseHeaders,
  WSGIApplication,
  WSGIEnvironment,
} from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import type { StreamedBody } from './request-content.ts'
import { ResponsePipe } from './response-pipe.ts'
import { TestClientError } from './test-client-error.ts'
import type { TestBase } from './test-location.ts'
import { TestResponse } from './test-response.ts'

/** A request that is ready to be sent. */
export interface TestExchange {
  app: WSGIApplication
  base: TestBase
  method: string
  target: string
  headers: ResponseHeaders
  body: Uint8Array | StreamedBody | null
  /** Variables that replace those in the environ. */
  environ: Partial<WSGIEnvironment>
  raiseErrors: boolean
  signal: AbortSignal | undefined
  redirects: TestResponse[]
}

type TestHead = HeadFacts & { line: string; headers: ResponseHeaders }

const encoder = new TextEncoder()

/**
 * Calls the application once.
 *
 * @returns a promise that resolves when the head of the response is available. It rejects with the
 * reason of the signal, and with an error of the application before its head, unless `raiseErrors`
 * is false
 */
export function runExchange(exchange: TestExchange): Promise<TestResponse> {
  const { base, signal } = exchange
  signal?.throwIfAborted()
  let errorText = ''
  const upload = openUpload(exchange.body)
  const environ: WSGIEnvironment = Object.assign(
    makeEnviron({
      method: exchange.method,
      mount: base.mount,
      target: exchange.target,
      headers: exchange.headers,
      scheme: base.scheme,
      serverName: base.hostname,
      serverPort: base.port,
      remoteAddress: '127.0.0.1',
      remotePort: 50000,
      input: upload.input,
      fileWrapper: FileWrapper,
      errors: errorStream((text) => {
        errorText += text
      }),
    }),
    exchange.environ,
  )
  const headOnly = environ.REQUEST_METHOD === 'HEAD'
  const pipe = new ResponsePipe()
  const complaints: unknown[] = []

  return new Promise((resolve, reject) => {
    const answer = (line: string, headers: ResponseHeaders, error?: unknown) => {
      resolve(
        new TestResponse({
          line,
          headers,
          request: {
            method: exchange.method,
            url: base.origin + base.mount + exchange.target,
            environ,
          },
          redirects: exchange.redirects,
          pipe,
          errorText: () => errorText,
          complaints,
          raiseErrors: exchange.raiseErrors,
          error,
          cancel: () => {
            over()
            call.cancel()
          },
        }),
      )
    }
    const abort = () => {
      over()
      call.cancel()
      pipe.discard()
      pipe.fail(signal?.reason)
      reject(signal?.reason)
    }
    const over = () => {
      signal?.removeEventListener('abort', abort)
      upload.close()
    }
    const sink: ResponseSink<TestHead> = {
      checkHead: (status, headers) => ({
        ...checkHead(status, headers),
        line: status,
        // A copy, because the application may change its list later.
        headers: headers.map(([name, value]) => [name, value]),
      }),
      respond: (head, body) => {
        const bodiless = headOnly || isBodiless(head.status)
        if (!bodiless && body.length > 0) pipe.push(body)
        pipe.end()
        over()
        answer(head.line, head.headers)
      },
      start: (head) => answer(head.line, head.headers),
      data: (chunk) => pipe.push(chunk),
      whenReady: (callback) => pipe.whenWanted(callback),
      finish: () => {
        pipe.end()
        over()
      },
      failed: (error) => {
        over()
        if (exchange.raiseErrors) {
          reject(error)
          return
        }
        const text = 'Internal Server Error'
        if (!headOnly) pipe.push(encoder.encode(text))
        pipe.end()
        answer(
          `500 ${text}`,
          [
            ['Content-Type', 'text/plain; charset=utf-8'],
            ['Content-Length', String(text.length)],
          ],
          error,
        )
      },
      broken: (error) => {
        over()
        const seen = exchange.raiseErrors
          ? error
          : new TestClientError(
              'response-cut-off',
              'The application failed in the middle of its body, so the response is cut off',
              { cause: error },
            )
        pipe.fail(seen)
      },
      complain: (error) => complaints.push(error),
    }
    const call = new Call(exchange.app, environ, sink, headOnly)
    signal?.addEventListener('abort', abort)
    call.run()
  })
}

/** Bytes that other threads may change are copied: an input gives bytes of its own. */
function unshared(piece: Uint8Array): Bytes {
  return piece.buffer instanceof ArrayBuffer ? (piece as Bytes) : piece.slice()
}

/**
 * Makes a `wsgi.input` of a body. `close()` tells a stream to end, because the rest is not read.
 */
function openUpload(body: Uint8Array | StreamedBody | null): { input: InputStream; close(): void } {
  if (body === null) return { input: emptyInput, close: () => {} }
  // A copy, because an application may write to the bytes that it reads.
  if (body instanceof Uint8Array)
    return { input: new RequestInput(bytesSource(body.slice())), close: () => {} }
  let iterator: AsyncIterator<Uint8Array | string> | null = null
  let ended = false
  let closed = false
  const source: ByteSource = {
    next: async () => {
      while (!ended) {
        if (closed) throw new InputError('The request ended before its body was read')
        iterator ??= body[Symbol.asyncIterator]()
        const step = await iterator.next()
        if (step.done === true) {
          ended = true
          break
        }
        const piece = typeof step.value === 'string' ? encoder.encode(step.value) : step.value
        if (!(piece instanceof Uint8Array)) {
          throw new TestClientError(
            'bad-option',
            'A streamed body must be made of Uint8Array and strings, ' +
              `not of ${describeValue(piece)}`,
          )
        }
        if (piece.length > 0) return unshared(piece)
      }
      return null
    },
  }
  return {
    input: new RequestInput(source),
    close: () => {
      if (closed || ended) return
      closed = true
      // A stream that was not read yet gets an iterator, so that it can release its resources.
      iterator ??= body[Symbol.asyncIterator]()
      Promise.resolve(iterator.return?.()).catch(() => {})
    },
  }
}
