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
 * How a response ended. `complete`: all of it was given to the server. `aborted`: the client went
 * away before. `failed`: the application threw, or broke the contract.
 *
 * A response that is at hand as a whole counts as complete when it is given to the server: whether
 * the client took it is not known here.
 */
export type ResponseOutcome = 'complete' | 'aborted' | 'failed'

/** A response that is over. */
export interface FinishedResponse {
  /**
   * 200 to 999. That of an application which failed before its head was sent is the server's answer
   * to its error, usually 500; 499 where the client went away before the application had given a
   * head.
   */
  readonly status: number
  /** As the application gave them; empty where it gave none. */
  readonly headers: ResponseHeaders
  /**
   * Bytes of body given to the server to be sent: none for HEAD, 204 and 304, no more than
   * `Content-Length`.
   */
  readonly bytes: number
  readonly outcome: ResponseOutcome
}

/** Who watches a response. None of these may throw. */
export interface ResponseWatcher {
  /**
   * The application gives its head, perhaps for the second time; gives the headers that are sent.
   */
  head?(status: string, headers: ResponseHeaders): ResponseHeaders
  /** The body is there, or the promise of it has been kept. */
  returned?(): void
  /** The body is asked for its next piece. */
  asked?(): void
  /** A piece of that many bytes is given to the server. */
  given?(bytes: number): void
  /** The application waits for `write()`. @returns to be called when the wait is over */
  writing?(): () => void
  /**
   * Once, when the response is over, after the body's own `close()`; where the client goes away
   * before there is a body, at once, for the application may never give one.
   */
  over(response: FinishedResponse): void
}

/**
 * Calls an application and tells a watcher of its response. What is sent is what the application
 * gives, but for headers that the watcher changes.
 */
export function watchResponse(
  app: WSGIFunction,
  environ: WSGIEnvironment,
  startResponse: StartResponse,
  watcher: ResponseWatcher,
): WSGIBody | Promise<WSGIBody> {
  const progress = new Progress(environ.REQUEST_METHOD === 'HEAD', watcher)
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
  // There is no body, and so no close(): this is the end.
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

class Progress {
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
    return this.#headOnly || this.#status === 204 || this.#status === 304
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
    // The server asks for no more than there may be.
    if (this.#isBodiless() && this.#given > 0) return 'complete'
    return this.#contentLength === -1 || short ? 'aborted' : 'complete'
  }
}
