import { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { isBodiless } from '../semantics/bodiless.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'
import { readStart, type StartedResponse } from './started-response.ts'

/** What the package compression makes of a response, and with it Next.js. */
type Flushable = ServerResponse & { flush(): void }

/** Writes a response of an application to a response of Node. */
export class NodeSink implements ResponseSink<StartedResponse> {
  readonly #response: ServerResponse
  readonly #http2: Http2ServerResponse | null
  /** The response, if middleware compresses it and would keep pieces back. */
  #compressed: Flushable | null = null
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

  checkHead(status: string, headers: ResponseHeaders): StartedResponse {
    return readStart(status, headers)
  }

  respond(head: StartedResponse, body: Uint8Array): void {
    const response = this.#response
    const headOnly = response.req.method === 'HEAD'
    const bodiless = isBodiless(head.status)
    // An empty body for HEAD does not show what the body for GET would be.
    const length =
      head.contentLength !== -1 || bodiless || (headOnly && body.length === 0) ? -1 : body.length
    this.#writeHead(head, length)
    if (body.length === 0 || headOnly) response.end()
    else response.end(bufferOf(body))
  }

  start(head: StartedResponse): void {
    this.#writeHead(head, -1)
    // Node's own method of that name is deprecated.
    if (Object.hasOwn(this.#response, 'flush')) this.#compressed = this.#response as Flushable
  }

  data(chunk: Uint8Array): boolean {
    const more = this.#response.write(bufferOf(chunk))
    // PEP 3333: a piece must not wait for the next one.
    this.#compressed?.flush()
    return more
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
      // Without an error code the client would see a complete response. 2 is INTERNAL_ERROR (RFC
      // 9113 §7).
      this.#http2.stream?.close(2)
      return
    }
    const { socket } = this.#response
    if (!this.#response.chunkedEncoding && socket !== null && 'resetAndDestroy' in socket) {
      // If the body ends with the connection, only a reset shows that it is incomplete.
      try {
        socket.resetAndDestroy()
      } catch {
        // Only a TCP connection can be reset.
      }
    }
    this.#response.destroy()
  }

  /** @param length the Content-Length to add in bytes, or -1 */
  #writeHead(head: StartedResponse, length: number): void {
    const response = this.#response
    if (
      this.#http2 === null &&
      response.writeHead === ServerResponse.prototype.writeHead &&
      response.getHeaderNames().length === 0
    ) {
      // No other code has set headers, so one pass keeps their order and the case of their names.
      const flat: string[] = []
      for (const [name, value] of head.headers) flat.push(name, value)
      if (length !== -1) flat.push('Content-Length', String(length))
      response.writeHead(head.status, head.reason, flat)
      return
    }
    // Not as an argument of writeHead: if headers were set before, Node.js 20 and middleware that
    // listens for heads (on-headers) keep only the last header of a name.
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
    else response.writeHead(head.status) // HTTP/2 has no reason phrases
  }
}

function valuesOf(header: number | string | readonly string[] | undefined): string[] {
  if (header === undefined) return []
  return typeof header === 'object' ? [...header] : [String(header)]
}

/** The same bytes as a Buffer, which middleware that wraps responses (compression) expects. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
