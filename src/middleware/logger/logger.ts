/**
 * Writes a line in an access log for each response: the client, the request, the status, the bytes
 * that were sent, the time it took, and whether the client stayed until the end.
 *
 * Use it inside another server, for some applications only, or for a format of your own. Put it
 * outside everything whose responses it should log.
 *
 * Do not use it for all applications of a Monoceros server: the access log of the server also
 * covers refused requests and bytes on the wire.
 *
 * @example
 * import { compose, errorHandler, logger } from 'monoceros'
 *
 * const lines = logger({
 *   format: ({ method, target, status, seconds }) =>
 *     JSON.stringify({ method, target, status, seconds }),
 * })
 * export const app = compose(lines, errorHandler())(shop)
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
import { escapeLogText, LOG_FORMATS, type LogFormat, type LogRecord } from './log-formats.ts'

/** Options of {@link logger}. */
export interface LoggerOptions {
  /**
   * `combined`, `common`, `dev`, or a function that makes a line of a record. Such a function must
   * escape text of the client itself, with `escapeLogText` or `JSON.stringify`. Defaults to
   * `combined`.
   */
  readonly format?: keyof typeof LOG_FORMATS | LogFormat
  /**
   * Writes a line, which comes without a line feed. May be asynchronous. Its errors are written to
   * `wsgi.errors`. Defaults to `console.log`.
   */
  readonly write?: (line: string) => unknown
}

/**
 * Makes a middleware that writes a line for each response when its body was closed.
 *
 * The bytes in the line are those that the server was given to send. For a response in pieces,
 * these are about as many as the client read. A response that was in memory as a whole counts in
 * full.
 *
 * @throws TypeError (`bad-option`) if an option is wrong
 * @example logger({ format: 'dev' })(app)
 */
export function logger(options: LoggerOptions = {}): Middleware {
  const format = formatOf(options.format)
  // Looked up for each line, because a program may replace the console.
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
  if (typeof format === 'string' && Object.hasOwn(LOG_FORMATS, format)) return LOG_FORMATS[format]
  throw optionError(
    TypeError,
    `logger: format must be one of ${Object.keys(LOG_FORMATS).join(', ')} or a function, ` +
      `not ${describeValue(format)}`,
  )
}

/** Facts of the request, read before the application is called because it may change them. */
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
    // The error cannot be reported anywhere, and must not affect the response.
  }
}
