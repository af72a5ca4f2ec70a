import { discardAndClose, isAsync, isPromise } from '../../wsgi/body.ts'
import { ClientGoneError, isAboutTheClient, whenClientGone } from '../../wsgi/client-gone.ts'
import { failureText } from '../../wsgi/failure.ts'
import type { StartResponse, WSGIBody, WSGIEnvironment, WSGIFunction } from '../../wsgi/types.ts'

/**
 * An application was too slow. Errors of this kind carry the status with which they are to be
 * answered.
 */
export class ResponseTimeoutError extends Error {
  readonly code = 'response-timeout'
  /** 503 or 504. */
  readonly status: number
  /** `head`: no head in time. `piece`: no next piece of the body in time. */
  readonly waitedFor: 'head' | 'piece'
  readonly seconds: number

  constructor(waitedFor: 'head' | 'piece', seconds: number, status: number) {
    super(
      waitedFor === 'head'
        ? `The application did not begin its response within ${seconds} s`
        : `The application gave no further piece of its response within ${seconds} s`,
    )
    this.name = 'ResponseTimeoutError'
    this.waitedFor = waitedFor
    this.seconds = seconds
    this.status = status
  }
}

export interface TimeoutOptions {
  /**
   * How long the head may take to go out, from the call on. It goes out with the first piece of
   * body that is not empty, or at the body's end: an application that has called `startResponse`
   * and then waits is still in time or not.
   */
  readonly seconds: number
  /**
   * How long the application may take for each further piece of a body that is asynchronous; the
   * time the client takes does not count. No limit unless it says otherwise.
   */
  readonly pieceSeconds?: number
  /**
   * 504 unless it says otherwise: the server, as a gateway to the application, got no answer in
   * time (RFC 9110 §15.6.5), and so the server itself answers where a Python worker is too slow.
   * 503 says "try again later", which clients and proxies do, and that is the last thing a slow
   * application needs.
   */
  readonly status?: 503 | 504
  /**
   * Called when a time is up; a line in `wsgi.errors` unless it says otherwise. What it throws goes
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
  /** The head has gone out, or goes out with what we give next. */
  #headOut = false
  /** Why what the application gives is dropped; null as long as it is not. */
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
      // Nobody waits any more, so nothing is late.
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

  /** The application's body, or in its place our answer. */
  #await(result: Promise<WSGIBody>): Promise<WSGIBody> {
    return new Promise((resolve, reject) => {
      let waiting = true
      this.#start(this.#timeLeft(), () => {
        // By write(): the response has begun, and has its own pace.
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

  /** Only a body that waits can be late: what is synchronous lets no timer run. */
  #take(body: WSGIBody): WSGIBody {
    return isAsync(body) && !Array.isArray(body) ? this.#timedBody(body) : body
  }

  /** Not a generator: one that waits for a piece cannot be told to return. */
  #timedBody(body: AsyncIterable<Uint8Array> & { close?(): unknown }): WSGIBody {
    const iterator = body[Symbol.asyncIterator]()
    const finish = once(() => body.close?.())
    const stop = once(() => iterator.return?.())
    /** What is sent in place of what the body would give. */
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
            // Anything may be given; the server refuses what is no Uint8Array.
            if (given.done !== true && given.value?.length > 0) this.#headOut = true
            resolve(given)
          },
          (error: unknown) => {
            clearTimeout(this.#timer)
            // Told to return, and no time is up: whoever has asked for this piece knows what to
            // make of the error.
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
        // Where an answer of ours took its place, nobody else tells the body to return.
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

  /**
   * The time is up. Gives what is sent instead. @throws ResponseTimeoutError where the head has
   * gone out
   */
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
    // With the error, for the application may have asked for another head, which has not gone out;
    // if it has, the error is thrown.
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

  /** An error after the time was up, unless it comes of that. */
  #complain(error: unknown): void {
    if (error === this.#late || isAboutTheClient(error)) return
    let text: string
    try {
      if ((error as { name?: unknown } | null | undefined)?.name === 'AbortError') return
      text = failureText(error)
    } catch {
      // Nobody is left to catch it: it would end the process.
      text = 'The error cannot be shown: it throws when it is looked at'
    }
    this.#write(`After the time-out of ${JSON.stringify(this.#request)}: ${text}`)
  }

  #write(text: string): void {
    try {
      this.#environ['wsgi.errors'].write(`${text}\n`)
    } catch {
      // There is nowhere left to say it, and the answer matters more.
    }
  }
}

/** A timer that does not keep the process alive. */
function startTimer(milliseconds: number, ring: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(ring, milliseconds)
  // A number in other runtimes than Node.js.
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
  promise.catch(() => {}) // whoever waits for it gets the error; nobody has to
  return promise
}
