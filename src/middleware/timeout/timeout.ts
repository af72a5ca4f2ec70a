/**
 * An application that waits for a database which does not answer should not let its client wait as
 * well.
 *
 * `timeout` answers 504 where the head of the response has not gone out in time, and breaks a
 * response off that comes to a standstill. What the application gives later is dropped; its
 * `close()` is called.
 *
 * It cannot interrupt: JavaScript that computes without waiting holds up the whole process, timers
 * included, and a time-out is only noticed afterwards. What can be stopped is work that listens:
 * `environ['monoceros.timeout.signal']` is an `AbortSignal`. It is aborted when a time is up, and
 * when the client has gone away before its response was complete.
 *
 * @example
 * import { timeout } from 'monoceros'
 *
 * export const app = timeout({ seconds: 10 })(async (environ, startResponse) => {
 *   const signal = environ['monoceros.timeout.signal'] as AbortSignal
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

/** The longest delay that timers take, in seconds: about 24 days. */
const LONGEST = 2 ** 31 / 1000 - 1

/**
 * Answers in place of an application that is too slow.
 *
 * @throws TypeError, RangeError (`code` `bad-option`) for an option that is wrong
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
      `timeout: ${name} must be more than 0 and at most ${Math.floor(LONGEST)} seconds, not ${value}`,
    )
  }
}
