import { discardAndClose, isAsync, isPromise } from '../../wsgi/body.ts'
import { ClientGoneError, isAboutTheClient, whenClientGone } from '../../wsgi/client-gone.ts'
import { failureText } from '../../wsgi/failure.ts'
import type { StartResponse, WSGIBody, WSGIEnvironment, WSGIFunction } from '../../wsgi/types.ts'

/** An application was too slow. Its `code` is `response-timeout`. */
export class ResponseTimeoutError extends Error {
  readonly code = 'response-timeout'
  /** The status to answer with, 503 or 504. */
  readonly status: number
  /** `head`: the head was not sent in time; `piece`: the next piece of the body was not given. */
  readonly waitedFor: 'head' | 'piece'
  readonly seconds: number

  constructor(waitedFor: 'head' | 'piece', seconds: number, status: number) {
    super(
      waitedFor === 'head'
        ? `The application did not begin its response within ${seconds} s`
        : `The application did not give the next piece of its response within ${seconds} s`,
    )
    this.name = 'ResponseTimeoutError'
    this.waitedFor = waitedFor
    this.seconds = seconds
    this.status = status
  }
}

/** Options of `timeout`. */
export interface TimeoutOptions {
  /**
   * The longest time from the call of the application until its head is sent, in seconds. The head
   * is sent with the first piece of the body that is not empty, or at the end of the body, and not
   * when the application calls `startResponse`.
   */
  readonly seconds: number
  /**
   * The longest time for each further piece of an asynchronous body, in seconds. The time that the
   * client takes does not count. Defaults to no limit.
   */
  readonly pieceSeconds?: number
  /**
   * The status of the answer. Defaults to 504: the server, as a gateway, got no answer in time (RFC
   * 9110 §15.6.5). The server answers the same for a Python worker that is too slow. 503 asks
   * clients and proxies to try again, which adds load to a slow application.
   */
  readonly status?: 503 | 504
  /**
   * Called when the time is up. Its errors are written to `wsgi.errors`. Defaults to writing a line
   * to `wsgi.errors`.
   */
  readonly onTimeout?: (error: ResponseTimeoutError, environ: WSGIEnvironment) => void
}

const encoder = new TextEncoder()

export class TimedCall {
  readonly #options: TimeoutOptions
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  readonly #request: string
  readonly #abort = new AbortController()
  readonly #deadline: number
  /** The head was sent, or is sent with the next piece. */
  #headOut = false
  /** The reason why the application's results are dropped; null while it is in time. */
  #late: ResponseTimeoutError | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #gone = false

  constructor(options: TimeoutOptions, environ: WSGIEnvironment, startResponse: StartResponse) {
    this.#options = options
    this.#environ = environ
    this.#startResponse = startResponse
    this.#request = `${environ.REQUEST_METHOD} ${environ.SCRIPT_NAME}${environ.PATH_INFO}`
    this.#deadline = performance.now() + options.seconds * 1000
  }

  run(inner: WSGIFunction): WSGIBody | Promise<WSGIBody> {
    this.#environ['monoceros.timeout.signal'] = this.#abort.signal
    whenClientGone(this.#environ, () => {
      // The response is not awaited any more, so it cannot be late.
      clearTimeout(this.#timer)
      this.#gone = true
      if (this.#late === null) this.#abort.abort(new ClientGoneError())
    })
    const result = inner(this.#environ, this.#started)
    return isPromise(result) ? this.#await(result) : this.#take(result)
  }

  readonly #started: StartResponse = (status, headers, excInfo) => {
    if (this.#late !== null) throw this.#late
    const write = this.#startResponse(status, headers, excInfo)
    return (data) => {
      if (this.#late !== null) return rejected(this.#late)
      if (data.length > 0) this.#headOut = true
      return write(data)
    }
  }

  /** The body of the application, or the answer if it is too slow. */
  #await(result: Promise<WSGIBody>): Promise<WSGIBody> {
    return new Promise((resolve, reject) => {
      let waiting = true
      this.#start(this.#timeLeft(), () => {
        // The response has begun with write(), which is not limited.
        if (this.#headOut) return
        waiting = false
        try {
          resolve(this.#answer())
        } catch (error) {
          reject(error)
        }
      })
      result.then(
        (body) => {
          clearTimeout(this.#timer)
          if (waiting) resolve(this.#take(body))
          else this.#drop(body)
        },
        (error: unknown) => {
          clearTimeout(this.#timer)
          if (waiting) reject(error)
          else this.#complain(error)
        },
      )
    })
  }

  /** Only an asynchronous body can be timed: no timer runs while a synchronous one computes. */
  #take(body: WSGIBody): WSGIBody {
    return isAsync(body) && !Array.isArray(body) ? this.#timedBody(body) : body
  }

  /** Not a generator, because a generator that awaits a piece cannot be told to return. */
  #timedBody(body: AsyncIterable<Uint8Array> & { close?(): unknown }): WSGIBody {
    const iterator = body[Symbol.asyncIterator]()
    const finish = once(() => body.close?.())
    const stop = once(() => iterator.return?.())
    /** The pieces to send instead of those of the body. */
    let instead: Iterator<Uint8Array> | null = null
    const next = (): Promise<IteratorResult<Uint8Array>> => {
      if (instead !== null) return Promise.resolve(instead.next())
      const milliseconds = this.#headOut ? this.#pieceTime() : this.#timeLeft()
      const step = Promise.resolve(iterator.next())
      if (milliseconds === null) return step
      return new Promise((resolve, reject) => {
        this.#start(milliseconds, () => {
          instead = [].values()
          try {
            instead = this.#answer().values()
            resolve(instead.next())
          } catch (error) {
            reject(error)
          }
        })
        step.then(
          (given) => {
            clearTimeout(this.#timer)
            if (this.#late !== null) return
            // The server refuses a piece that is not a Uint8Array.
            if (given.done !== true && given.value?.length > 0) this.#headOut = true
            resolve(given)
          },
          (error: unknown) => {
            clearTimeout(this.#timer)
            // The body was told to return in time, so the reader of this piece gets the error.
            if (this.#late === null) reject(error)
            else this.#complain(error)
          },
        )
      })
    }
    return {
      [Symbol.asyncIterator]: () => ({
        next,
        return: async () => {
          clearTimeout(this.#timer)
          instead = [].values()
          await stop()
          return { done: true, value: undefined }
        },
      }),
      close: () => {
        clearTimeout(this.#timer)
        // If it was replaced by the answer, the server does not tell this body to return.
        if (this.#late !== null) this.#guard(stop)
        return finish()
      },
    }
  }

  #timeLeft(): number {
    return Math.max(0, this.#deadline - performance.now())
  }

  #pieceTime(): number | null {
    const { pieceSeconds } = this.#options
    return pieceSeconds === undefined ? null : pieceSeconds * 1000
  }

  /** Answers when the time is up. @throws ResponseTimeoutError if the head was sent before */
  #answer(): Uint8Array[] {
    const { status = 504, seconds, pieceSeconds } = this.#options
    const error = this.#headOut
      ? new ResponseTimeoutError('piece', pieceSeconds ?? 0, status)
      : new ResponseTimeoutError('head', seconds, status)
    this.#late = error
    this.#abort.abort(error)
    this.#tell(error)
    const reason = status === 504 ? 'Gateway Timeout' : 'Service Unavailable'
    const body = encoder.encode(`${status} ${reason}\n`)
    // With the error, which replaces a head that the application gave. If that was sent, this
    // throws the error.
    this.#startResponse(
      `${status} ${reason}`,
      [
        ['Content-Type', 'text/plain; charset=utf-8'],
        ['Content-Length', String(body.length)],
        ['Cache-Control', 'no-store'],
      ],
      error,
    )
    return this.#environ.REQUEST_METHOD === 'HEAD' ? [] : [body]
  }

  #tell(error: ResponseTimeoutError): void {
    const { onTimeout } = this.#options
    if (onTimeout === undefined) {
      this.#write(`${error.message}: ${JSON.stringify(this.#request)}`)
      return
    }
    this.#guard(() => onTimeout(error, this.#environ))
  }

  #drop(body: WSGIBody): void {
    this.#guard(() => discardAndClose(body))
  }

  #start(milliseconds: number, ring: () => void): void {
    if (!this.#gone) this.#timer = startTimer(milliseconds, ring)
  }

  #guard(call: () => unknown): void {
    try {
      const result = call()
      if (isPromise(result)) result.then(undefined, (error: unknown) => this.#complain(error))
    } catch (error) {
      this.#complain(error)
    }
  }

  /** Logs an error after the timeout, unless the timeout is its cause. */
  #complain(error: unknown): void {
    if (error === this.#late || isAboutTheClient(error)) return
    let text: string
    try {
      if ((error as { name?: unknown } | null | undefined)?.name === 'AbortError') return
      text = failureText(error)
    } catch {
      // An error from here would end the process.
      text = 'The error cannot be shown: reading it throws'
    }
    this.#write(`After the timeout of ${JSON.stringify(this.#request)}: ${text}`)
  }

  #write(text: string): void {
    try {
      this.#environ['wsgi.errors'].write(`${text}\n`)
    } catch {
      // The error cannot be reported anywhere, and the answer matters more.
    }
  }
}

/** A timer that does not keep the process alive. */
function startTimer(milliseconds: number, ring: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(ring, milliseconds)
  // In runtimes other than Node.js it is a number.
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}

/** A function that calls another the first time only. */
function once(call: () => unknown): () => unknown {
  let called = false
  return () => {
    if (called) return undefined
    called = true
    return call()
  }
}

function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {}) // an application need not await it
  return promise
}
