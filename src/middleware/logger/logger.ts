/**
 * A line in an access log for each response: who asked for what, the status, how much was sent, how
 * long it took, and whether the client waited for the end.
 *
 * The server has an access log of its own, which knows more (what it refused, bytes on the wire);
 * this one is for an application inside another server, for a part of the applications, or for a
 * format of your own. Put it outside of everything whose answers it is to see.
 *
 * @example
 * import { compose, errorHandler, logger } from 'monoceros'
 *
 * const lines = logger({ format: ({ method, target, status, seconds }) => JSON.stringify({ method,
 * target, status, seconds }), }) export const app = compose(lines, errorHandler())(shop)
 */
import { basicUser } from '../../logging/basic-user.ts'
import { toFunction } from '../../wsgi/application.ts'
import { isPromise } from '../../wsgi/body.ts'
import { encodePercent, environKey } from '../../wsgi/environ.ts'
import { failureText } from '../../wsgi/failure.ts'
import type { Middleware, WSGIEnvironment, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { type FinishedResponse, watchResponse } from '../watched-response.ts'
import { escapeLogText, type LogFormat, type LogRecord, logFormats } from './log-formats.ts'

export interface LoggerOptions {
  /**
   * `combined` (unless it says otherwise), `common`, `dev`, or a function from a record to a line.
   * What such a function takes from the client it must make harmless itself, by `escapeLogText` or
   * `JSON.stringify`.
   */
  readonly format?: keyof typeof logFormats | LogFormat
  /**
   * Gets each line, without its end; to the console's standard output unless it says otherwise. Its
   * errors go to `wsgi.errors`; it may be asynchronous.
   */
  readonly write?: (line: string) => unknown
}

/**
 * Writes a line for each response, when it is over: when its body has been closed.
 *
 * The bytes are those that were given to the server: of a response that came in pieces no more than
 * the client took; a response that was at hand as a whole counts in full.
 *
 * @throws TypeError (`code` `bad-option`) for an option that is wrong
 */
export function logger(options: LoggerOptions = {}): Middleware {
  const format = formatOf(options.format)
  // Looked up for each line, for the console may be replaced.
  const write = options.write ?? ((line: string) => console.log(line))
  if (typeof write !== 'function') {
    throw optionError(
      TypeError,
      `logger: write must be a function that takes a line, not ${describeValue(write)}`,
    )
  }
  return (app) => {
    const inner = toFunction(app)
    const logged: WSGIFunction = (environ, startResponse) => {
      const request = requestFacts(environ)
      const startedAt = Date.now()
      const began = performance.now()
      return watchResponse(inner, environ, startResponse, {
        over: (response: FinishedResponse) => {
          try {
            const line = format({
              ...request,
              ...response,
              startedAt,
              seconds: (performance.now() - began) / 1000,
              user: userOf(environ),
              header: (name) => environ[environKey(name)] as string | undefined,
              environ,
            })
            if (line === undefined) return
            const result = write(line)
            if (isPromise(result))
              result.then(undefined, (error: unknown) => complain(environ, error))
          } catch (error) {
            complain(environ, error)
          }
        },
      })
    }
    return logged
  }
}

function formatOf(format: LoggerOptions['format'] = 'combined'): LogFormat {
  if (typeof format === 'function') return format
  if (typeof format === 'string' && Object.hasOwn(logFormats, format)) return logFormats[format]
  throw optionError(
    TypeError,
    `logger: format must be one of ${Object.keys(logFormats).join(', ')} or a function, not ${describeValue(format)}`,
  )
}

/** What applications may change is taken down before they are called. */
function requestFacts(
  environ: WSGIEnvironment,
): Pick<
  LogRecord,
  'remoteAddress' | 'method' | 'target' | 'protocol' | 'requestLine' | 'referer' | 'userAgent'
> {
  const method = environ.REQUEST_METHOD
  const target = environ.REQUEST_URI ?? targetOf(environ)
  const protocol = environ.SERVER_PROTOCOL
  return {
    remoteAddress: environ.REMOTE_ADDR ?? '',
    method,
    target,
    protocol,
    requestLine: `${method} ${target} ${protocol}`,
    referer: environ.HTTP_REFERER ?? '',
    userAgent: environ.HTTP_USER_AGENT ?? '',
  }
}

function targetOf(environ: WSGIEnvironment): string {
  const path = encodePercent(environ.SCRIPT_NAME + environ.PATH_INFO)
  return environ.QUERY_STRING === '' ? path : `${path}?${environ.QUERY_STRING}`
}

function userOf(environ: WSGIEnvironment): string {
  return typeof environ.REMOTE_USER === 'string'
    ? environ.REMOTE_USER
    : (basicUser(environ.HTTP_AUTHORIZATION) ?? '')
}

function complain(environ: WSGIEnvironment, error: unknown): void {
  try {
    environ['wsgi.errors'].write(`The access log failed: ${escapeLogText(failureText(error))}\n`)
  } catch {
    // There is nowhere left to say it, and the response must not suffer.
  }
}
