import { reasonPhrase } from '../wsgi/reason-phrase.ts'
import type { ResponseSink } from '../wsgi/response-sink.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'
import { readStart, type StartedResponse } from './started-response.ts'

/** The most bytes of a response that wait for their reader, not counting the last piece. */
const AHEAD_BYTES = 64 * 1024

/** The call of a fetch handler that a {@link FetchSink} answers. */
export interface FetchCall {
  /** Resolves the promise of the handler. */
  answer(response: Response): void
  /** The application failed before its head was sent. */
  failed(error: unknown): void
  /** Logs an error. */
  report(error: unknown): void
  /** The reader of the body has cancelled it. */
  cancelled(): void
  /** The response has ended. */
  over(): void
}

/** Makes a `Response` of what an application gives. */
export class FetchSink implements ResponseSink<StartedResponse> {
  readonly #headOnly: boolean
  readonly #call: FetchCall
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #ready: (() => void) | null = null

  constructor(headOnly: boolean, call: FetchCall) {
    this.#headOnly = headOnly
    this.#call = call
  }

  checkHead(status: string, headers: ResponseHeaders): StartedResponse {
    const head = readStart(status, headers)
    if (head.status <= 599) return head
    throw new RangeError(
      `start_response: a Response cannot have the status ${head.status}; use one up to 599`,
    )
  }

  respond(head: StartedResponse, body: Uint8Array): void {
    this.#call.over()
    const bodiless = hasNullBody(head.status)
    // An empty body for HEAD does not show what the body for GET would be.
    const length =
      head.contentLength !== -1 || bodiless || (this.#headOnly && body.length === 0)
        ? -1
        : body.length
    const content = bodiless || this.#headOnly ? null : (body as Uint8Array<ArrayBuffer>)
    this.#call.answer(makeResponse(head, content, length))
  }

  start(head: StartedResponse): void {
    if (this.#headOnly || hasNullBody(head.status)) {
      this.#call.answer(makeResponse(head, null, -1))
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
          this.#call.cancelled()
        },
      },
      { highWaterMark: AHEAD_BYTES, size: (chunk) => chunk.byteLength },
    )
    this.#call.answer(makeResponse(head, stream, -1))
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
    this.#call.over()
    this.#controller?.close()
    this.#controller = null
  }

  failed(error: unknown): void {
    this.#call.failed(error)
  }

  broken(error: unknown): void {
    this.#call.over()
    this.#call.report(error)
    this.abandon(error)
  }

  complain(error: unknown): void {
    this.#call.report(error)
  }

  /** Makes the reading of the body fail. */
  abandon(error: unknown): void {
    this.#controller?.error(error)
    this.#controller = null
  }
}

/** Whether a Response with this status has no body (Fetch §2.2.3 "null body status"). */
function hasNullBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

function makeResponse(
  { status, reason, headers }: StartedResponse,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null,
  length: number,
): Response {
  const fields = new Headers()
  for (const [name, value] of headers) fields.append(name, value)
  if (length !== -1) fields.set('content-length', String(length))
  return new Response(body, { status, statusText: reason, headers: fields })
}

/** A response of one line of text that names its status. */
export function statusResponse(status: number): Response {
  return new Response(`${reasonPhrase(status)}\n`, {
    status,
    statusText: reasonPhrase(status),
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  })
}
