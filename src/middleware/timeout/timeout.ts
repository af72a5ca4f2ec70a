/**
 * Limits the time that an application may take, for example while it waits for a database.
 *
 * If the head of the response is not sent in time, the answer is 504. If a later piece of the body
 * is not given in time, the response is ended as incomplete. Whatever the application gives later
 * is dropped, and its `close()` is called.
 *
 * The application can stop its work: `environ['monoceros.timeout.signal']` is an `AbortSignal` that
 * aborts when the time is up, and when the client goes away before its response is complete.
 *
 * Do not use it against code that computes for long: JavaScript cannot be interrupted, so such code
 * blocks the whole process, timers included, and the timeout is noticed only afterwards.
 *
 * @example
 * import { timeout } from 'monoceros'
 *
 * export const app = timeout({ seconds: 10 })(async (environ, startResponse) => {
 *   const signal = environ['monoceros.timeout.signal'] ?? null
 *   const answer = await fetch('http://inventory.internal/', { signal })
 *   startResponse('200 OK', [['Content-Type', 'application/json']])
 *   return [new Uint8Array(await answer.arrayBuffer())]
 * })
 */
import { toFunction } from '../../wsgi/application.ts'
import type { Middleware, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { TimedCall, type TimeoutOptions } from './timed-call.ts'

export { ResponseTimeoutError, type TimeoutOptions } from './timed-call.ts'

declare module '../../wsgi/types.ts' {
  interface WSGIEnvironment {
    /** Aborts when the time of the middleware `timeout` is up, and when the client goes away. */
    'monoceros.timeout.signal'?: AbortSignal | undefined
  }
}

/** The longest delay of a timer, in seconds: about 24 days. */
const LONGEST = 2 ** 31 / 1000 - 1

/**
 * Makes a middleware that answers when an application is too slow.
 *
 * @throws TypeError or RangeError (`bad-option`) if an option is wrong
 * @example timeout({ seconds: 10, pieceSeconds: 30 })(app)
 */
export function timeout(options: TimeoutOptions): Middleware {
  checkOptions(options)
  return (app) => {
    const inner = toFunction(app)
    const timed: WSGIFunction = (environ, startResponse) =>
      new TimedCall(options, environ, startResponse).run(inner)
    return timed
  }
}

function checkOptions(options: TimeoutOptions): void {
  checkSeconds('seconds', options?.seconds)
  if (options.pieceSeconds !== undefined) checkSeconds('pieceSeconds', options.pieceSeconds)
  const { status, onTimeout } = options
  if (status !== undefined && status !== 503 && status !== 504) {
    throw optionError(
      RangeError,
      `timeout: status must be 503 or 504, not ${describeValue(status)}`,
    )
  }
  if (onTimeout !== undefined && typeof onTimeout !== 'function') {
    throw optionError(
      TypeError,
      `timeout: onTimeout must be a function, not ${describeValue(onTimeout)}`,
    )
  }
}

function checkSeconds(name: string, value: unknown): void {
  if (typeof value !== 'number')
    throw optionError(
      TypeError,
      `timeout: ${name} must be a number of seconds, not ${describeValue(value)}`,
    )
  if (!(value > 0 && value <= LONGEST)) {
    throw optionError(
      RangeError,
      `timeout: ${name} must be more than 0 and at most ${Math.floor(LONGEST)} seconds, ` +
        `not ${value}`,
    )
  }
}
