import './node-buffer.ts'
import { Span } from '../../../src/bytes/span.ts'
import { HttpError } from '../../../src/http/errors.ts'
import { RequestHeadParser } from '../../../src/http/h1/request-head-parser.ts'
import { DEFAULT_HEAD_LIMITS } from '../../../src/http/limits.ts'

/** A request that the engine has read. Texts have one character for each byte. */
export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly protocol: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array<ArrayBuffer>
}

/** A request that the engine refuses. */
export interface Refusal {
  readonly status: number
  /** One line, as in the log of the server. */
  readonly reason: string
}

/**
 * Reads a request with the HTTP/1.1 engine of the server, byte for byte the same code
 * (`src/http/h1/`), so that what the server refuses is refused here.
 */
export function readRequest(bytes: Uint8Array): ReadRequest | Refusal {
  const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
  const buffer = Buffer.from(bytes)
  const chunk = new Span().set(buffer, 0, buffer.length)
  try {
    parser.feed(chunk)
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return {
      status: error.status,
      reason: `Answering ${error.status} to "${parser.requestLine()}": ${error.message}`,
    }
  }
  if (!parser.complete)
    return { status: 408, reason: 'The head of the request has no end: the server waits for it' }
  const { head } = parser
  if (head.chunked)
    return { status: 501, reason: 'The page cannot send chunked bodies: use Content-Length' }
  const body = buffer.subarray(chunk.start)
  const length = Math.max(head.contentLength, 0)
  if (body.length < length) {
    return {
      status: 408,
      reason:
        `The body has ${body.length} bytes and Content-Length says ${length}: ` +
        'the server waits for the rest',
    }
  }
  return {
    method: head.method,
    target: head.target,
    protocol: head.protocol,
    headers: head.names
      .slice(0, head.fieldCount)
      .map((name, index) => [name.lower, head.value(index)] as const),
    body: Uint8Array.from(body.subarray(0, length)),
  }
}

/** `400 Bad Request`, with a body that says so: what the server answers by itself. */
export function plainAnswer(status: number): {
  status: string
  headers: [string, string][]
  body: Uint8Array
  complete: true
} {
  const line = `${status} ${REASONS[status] ?? 'Error'}`
  const body = new TextEncoder().encode(`${line}\n`)
  return {
    status: line,
    headers: [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Content-Length', String(body.length)],
      ['Connection', 'close'],
    ],
    body,
    complete: true,
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
}
