import { isBodiless } from '../semantics/bodiless.ts'
import { isPromise, mapBody } from '../wsgi/body.ts'
import { isAboutTheClient, whenClientGone } from '../wsgi/client-gone.ts'
import { failureStatus } from '../wsgi/failure.ts'
import type {
  ResponseHeaders,
  StartResponse,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from '../wsgi/types.ts'

/**
 * How a response ended:
 *
 * - `complete`: the server was given all of it;
 * - `aborted`: the client went away before;
 * - `failed`: the application threw, or broke the contract.
 *
 * A response that was in memory as a whole counts as complete as soon as the server has it, even if
 * the client never reads it.
 */
export type ResponseOutcome = 'complete' | 'aborted' | 'failed'

/** A response that has ended. */
export interface FinishedResponse {
  /**
   * 200 to 999. If the application failed before its head was sent, this is the status of the
   * server's answer, usually 500. If the client went away before there was a head, it is 499.
   */
  readonly status: number
  /** The headers as the application gave them, or an empty list. */
  readonly headers: ResponseHeaders
  /**
   * The bytes of body that the server was given to send: 0 for HEAD, 204 and 304, and no more than
   * `Content-Length`.
   */
  readonly bytes: number
  readonly outcome: ResponseOutcome
}

/** Observes a response. Its methods must not throw. */
export interface ResponseWatcher {
  /** Called with each head that the application gives. @returns the headers to send */
  head?(status: string, headers: ResponseHeaders): ResponseHeaders
  /** The application has returned its body, or its promise has resolved to it. */
  returned?(): void
  /** The server asks the body for its next piece. */
  asked?(): void
  /** The server is given a piece of this many bytes. */
  given?(bytes: number): void
  /** The application awaits `write()`. @returns called when the wait has ended */
  writing?(): () => void
  /**
   * Called once when the response has ended, after the `close()` of its body. If the client goes
   * away before there is a body, it is called at once, because the application may never return.
   */
  over(response: FinishedResponse): void
}

/**
 * Calls an application and reports its response to a watcher. The response is sent unchanged,
 * except for headers that the watcher changes.
 */
export function watchResponse(
  app: WSGIFunction,
  environ: WSGIEnvironment,
  startResponse: StartResponse,
  watcher: ResponseWatcher,
): WSGIBody | Promise<WSGIBody> {
  const progress = new ResponseProgress(environ.REQUEST_METHOD === 'HEAD', watcher)
  let taken = false
  whenClientGone(environ, () => {
    if (!taken) progress.close()
  })
  const started: StartResponse = (status, headers, excInfo) => {
    const write = startResponse(status, watcher.head?.(status, headers) ?? headers, excInfo)
    progress.begin(status, headers)
    return (data) => {
      progress.give(data)
      const ready = watcher.writing?.()
      const sent = write(data)
      if (ready !== undefined) sent.then(ready, ready)
      return sent
    }
  }
  const take = (body: WSGIBody): WSGIBody => {
    taken = true
    watcher.returned?.()
    return mapBody(body, {
      asked: () => watcher.asked?.(),
      piece: (piece) => progress.give(piece),
      end: () => progress.done(),
      failed: (error) => {
        progress.fail(error)
        throw error
      },
      close: (inner) => {
        try {
          return inner()
        } finally {
          progress.close()
        }
      },
    })
  }
  // There is no body, so close() is never called: the response has ended.
  const fail = (error: unknown): never => {
    progress.fail(error)
    progress.close()
    throw error
  }
  try {
    const result = app(environ, started)
    return isPromise(result) ? result.then(take).catch(fail) : take(result)
  } catch (error) {
    return fail(error)
  }
}

class ResponseProgress {
  readonly #headOnly: boolean
  readonly #watcher: ResponseWatcher
  #status = 0
  #headers: ResponseHeaders = []
  #contentLength = -1
  #given = 0
  #done = false
  #failed = false
  #error: unknown
  #open = true

  constructor(headOnly: boolean, watcher: ResponseWatcher) {
    this.#headOnly = headOnly
    this.#watcher = watcher
  }

  begin(status: string, headers: ResponseHeaders): void {
    this.#status = Number(status.slice(0, 3))
    this.#headers = headers
    this.#contentLength = -1
    for (const [name, value] of headers) {
      if (name.length === 14 && name.toLowerCase() === 'content-length')
        this.#contentLength = Number(value)
    }
  }

  give(piece: Uint8Array): Uint8Array {
    this.#given += piece.length
    this.#watcher.given?.(piece.length)
    return piece
  }

  done(): undefined {
    this.#done = true
  }

  fail(error: unknown): void {
    this.#failed = true
    this.#error = error
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    const answered = this.#given > 0 || (this.#status !== 0 && !this.#failed)
    const outcome = this.#outcome()
    this.#watcher.over({
      status: answered
        ? this.#status
        : outcome === 'aborted'
          ? 499
          : this.#failed
            ? failureStatus(this.#error)
            : 500,
      headers: this.#headers,
      bytes: this.#bytes(),
      outcome,
    })
  }

  #isBodiless(): boolean {
    return this.#headOnly || isBodiless(this.#status)
  }

  #bytes(): number {
    if (this.#isBodiless()) return 0
    return this.#contentLength === -1 ? this.#given : Math.min(this.#given, this.#contentLength)
  }

  #outcome(): ResponseOutcome {
    if (this.#failed) return isAboutTheClient(this.#error) ? 'aborted' : 'failed'
    const short = this.#contentLength > this.#given
    if (this.#done)
      return this.#status === 0 || (short && !this.#isBodiless()) ? 'failed' : 'complete'
    // The server stops reading when no more may be sent.
    if (this.#isBodiless() && this.#given > 0) return 'complete'
    return this.#contentLength === -1 || short ? 'aborted' : 'complete'
  }
}
