import { isPromise } from '../../wsgi/body.ts'
import { isAboutTheClient } from '../../wsgi/client-gone.ts'
import { encodePercent } from '../../wsgi/environ.ts'
import { failureText } from '../../wsgi/failure.ts'
import { isHopByHop } from '../../wsgi/head-rules.ts'
import { reasonPhrase } from '../../wsgi/reason-phrase.ts'
import type { ResponseHeaders, StartResponse, WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import {
  debugAnswer,
  type ErrorSummary,
  plainAnswer,
  preferredType,
  type WholeAnswer,
} from './error-answer.ts'
import { property } from './failure-facts.ts'

/** An error to log. */
export interface ErrorEntry {
  /** The thrown value. */
  readonly error: unknown
  /** The environ of the request, as the application left it. */
  readonly environ: WSGIEnvironment
  /** The request line, with escaped control characters: `GET /cart?item=3 HTTP/1.1`. */
  readonly request: string
  /**
   * When it was thrown: `call`: before there was a body; `body`: while the body was produced;
   * `close`: by the `close()` of the body; `render`: by the option `render`.
   */
  readonly during: 'call' | 'body' | 'close' | 'render'
  /**
   * The whole entry as text of several lines. Control characters are escaped, and all lines except
   * the first are indented.
   */
  readonly text: string
}

/** The result of the option `render`. */
export interface RenderedError {
  /**
   * The status, as `503 Service Unavailable` or as a number. Defaults to the status of the error,
   * or 500.
   */
  readonly status?: string | number
  /**
   * For text, `Content-Type` defaults to `text/html; charset=utf-8`. A `Content-Length` is replaced
   * by the right one.
   */
  readonly headers?: ResponseHeaders
  /** Text is sent as UTF-8. */
  readonly body: string | Uint8Array
}

/** Options of `errorHandler`. */
export interface ErrorHandlerOptions {
  /**
   * Logs an error. May be asynchronous. Its own errors are written to `wsgi.errors`. Defaults to
   * writing the text to `wsgi.errors`.
   *
   * An error after the head was sent is passed to the server, which logs it and closes the
   * connection. This function is called with it too, but the default does not log it a second time.
   */
  readonly log?: (entry: ErrorEntry) => unknown
  /**
   * Whether to show the error to the client: its message, its stack with source code, its causes,
   * and the environ. **For development only**: it reveals source code, paths, versions, the
   * message, and all of the request except what is known to be secret (credentials, cookies and
   * similar values are masked). Defaults to false.
   */
  readonly debug?: boolean
  /**
   * Makes a custom answer, or returns `undefined` for the default one. Must not be asynchronous. If
   * it throws, its error is logged, and the default answer is sent without the debug page.
   */
  readonly render?: (error: unknown, environ: WSGIEnvironment) => RenderedError | undefined
  /**
   * Makes the value that is sent to clients that prefer JSON. Not used with `debug`. Defaults to
   * `{ status, error, message? }`.
   */
  readonly json?: (summary: ErrorSummary) => unknown
}

/** Handles the errors of one request. */
export class Failure {
  readonly #options: ErrorHandlerOptions
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  /** Read at once, because applications may change the path. */
  readonly #method: string
  readonly #target: string

  constructor(
    options: ErrorHandlerOptions,
    environ: WSGIEnvironment,
    startResponse: StartResponse,
  ) {
    this.#options = options
    this.#environ = environ
    this.#startResponse = startResponse
    this.#method = environ.REQUEST_METHOD
    this.#target = environ.REQUEST_URI ?? ''
  }

  /** Begins the response again and returns its body. @throws the error if the head was sent */
  answer(thrown: unknown, during: 'call' | 'body'): Uint8Array[] {
    if (isAboutTheClient(thrown)) throw thrown
    // In the contract, null and undefined mean "no error".
    const error = thrown ?? new Error(`The application threw ${thrown}`)
    const status = statusOf(error)
    const exposed = property(error, 'expose') === true
    const answer = this.#begun(this.#answerTo(error, status, exposed), error, status)
    if (answer === null) {
      // The server logs this error, because it ends its response.
      if (this.#options.log !== undefined) this.#log(error, during)
      throw error
    }
    if (status >= 500 || !exposed) this.#log(error, during)
    return this.#method === 'HEAD' ? [] : [answer.body]
  }

  /** Logs an error of `close()`: the response has ended. */
  closing(error: unknown): void {
    if (!isAboutTheClient(error)) this.#log(error, 'close')
  }

  /**
   * Begins the response. If the answer is refused, begins a plain one.
   *
   * @returns the answer that was begun, or null if the head was sent before
   */
  #begun(answer: WholeAnswer, error: unknown, status: number): WholeAnswer | null {
    try {
      this.#startResponse(answer.status, answer.headers, error)
      return answer
    } catch (refusal) {
      if (Object.is(refusal, error)) return null
      // The result of `render` was wrong, or the headers of the error were.
      this.#log(refusal, 'render')
      const plain = plainAnswer({ status, error: reasonOf(status) }, preferredType(this.#environ))
      this.#startResponse(plain.status, plain.headers, error)
      return plain
    }
  }

  #answerTo(error: unknown, status: number, exposed: boolean): WholeAnswer {
    const message = property(error, 'message')
    const summary: ErrorSummary = {
      status,
      error: reasonOf(status),
      ...(exposed && typeof message === 'string' && message !== '' ? { message } : {}),
    }
    const type = preferredType(this.#environ)
    try {
      const rendered = this.#options.render?.(error, this.#environ)
      if (rendered !== undefined) return wholeAnswer(rendered, status)
      const answer =
        this.#options.debug === true && !(exposed && status < 500)
          ? debugAnswer(summary, type, {
              requestLine: this.#requestLine(),
              error,
              environ: this.#environ,
            })
          : plainAnswer(summary, type, this.#options.json)
      return exposed ? { ...answer, headers: [...answer.headers, ...headersOf(error)] } : answer
    } catch (failed) {
      this.#log(failed, 'render')
      return plainAnswer(summary, type)
    }
  }

  #log(error: unknown, during: ErrorEntry['during']): void {
    const errors = this.#environ['wsgi.errors']
    const complain = (failed: unknown) => {
      try {
        errors.write(`errorHandler: the option log failed:\n${logged(textOf(failed))}\n`)
      } catch {
        // The error cannot be reported anywhere, and the answer matters more.
      }
    }
    try {
      const request = this.#requestLine()
      const heading = `Error ${PHASES[during]} ${request}${this.#requestId()}`
      const text = `${heading}\n${logged(textOf(error))}`
      if (this.#options.log === undefined) {
        errors.write(`${text}\n`)
        return
      }
      const result = this.#options.log({ error, environ: this.#environ, request, during, text })
      if (isPromise(result)) result.then(undefined, complain)
    } catch (failed) {
      complain(failed)
    }
  }

  /** The id that `requestId` set, so that a request that a client reports can be found. */
  #requestId(): string {
    const id = this.#environ['monoceros.request_id']
    if (typeof id !== 'string' || id === '') return ''
    return `, request ${id.slice(0, LONGEST_ID).replace(UNPRINTABLE, escapeCharacter)}`
  }

  #requestLine(): string {
    const environ = this.#environ
    const query = environ.QUERY_STRING === '' ? '' : `?${environ.QUERY_STRING}`
    const target =
      this.#target || `${encodePercent(environ.SCRIPT_NAME + environ.PATH_INFO)}${query}`
    return `${this.#method} ${target} ${environ.SERVER_PROTOCOL}`.replace(
      UNPRINTABLE,
      escapeCharacter,
    )
  }
}

const PHASES = {
  call: 'while answering',
  body: 'in the body of the response to',
  close: 'in close() after',
  render: 'in the option "render" of errorHandler for',
} as const

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g
const LONGEST_TEXT = 100_000
const LONGEST_ID = 128

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * Indents and escapes the lines of a message. It may quote text of a client, which must not look
 * like a log entry of its own.
 */
function logged(text: string): string {
  const shown = (character: string) => (character === '\t' ? '\t' : escapeCharacter(character))
  return text
    .slice(0, LONGEST_TEXT)
    .split(/\r?\n/)
    .map((line) => `  ${line.replace(UNPRINTABLE, shown)}`)
    .join('\n')
}

/** The text of an error. An application can throw anything, even an object that cannot be read. */
function textOf(error: unknown): string {
  try {
    return failureText(error)
  } catch {
    return 'The error cannot be shown: reading it throws'
  }
}

function statusOf(error: unknown): number {
  const status = property(error, 'status')
  if (!Number.isInteger(status)) return 500
  const least = property(error, 'expose') === true ? 400 : 500
  return (status as number) >= least && (status as number) <= 599 ? (status as number) : 500
}

/** The headers of an error, such as `Retry-After`, except those about the body. */
function headersOf(error: unknown): ResponseHeaders {
  const given = property(error, 'headers')
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return []
  const headers: ResponseHeaders = []
  for (const [name, value] of Object.entries(given)) {
    if (/^content-|^cache-control$/i.test(name) || isHopByHop(name)) continue
    if (typeof value === 'string' || typeof value === 'number') headers.push([name, String(value)])
  }
  return headers
}

const encoder = new TextEncoder()

function wholeAnswer(rendered: RenderedError, ownStatus: number): WholeAnswer {
  if (isPromise(rendered)) {
    // An unhandled rejection would end the process.
    rendered.then(undefined, () => {})
    throw new TypeError('errorHandler: render must not be asynchronous, but it returned a promise')
  }
  const { status = ownStatus, headers = [], body } = rendered
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError(
      'errorHandler: the body that render returns must be a string or a Uint8Array, ' +
        `not ${describeValue(body)}`,
    )
  }
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  const kept = headers.filter(([name]) => name.toLowerCase() !== 'content-length')
  if (!kept.some(([name]) => name.toLowerCase() === 'content-type') && typeof body === 'string')
    kept.unshift(['Content-Type', 'text/html; charset=utf-8'])
  return {
    status: typeof status === 'number' ? `${status} ${reasonOf(status)}` : status,
    headers: [...kept, ['Content-Length', String(bytes.length)]],
    body: bytes,
  }
}

/** The reason phrase of a status, or the name of its class if there is none. */
function reasonOf(status: number): string {
  return reasonPhrase(status) || (status < 500 ? 'Client Error' : 'Server Error')
}
