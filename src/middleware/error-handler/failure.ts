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

/** What is logged of an error. */
export interface ErrorEntry {
  /** What was thrown. */
  readonly error: unknown
  /** The request's variables, as the application left them. */
  readonly environ: WSGIEnvironment
  /** `GET /cart?item=3 HTTP/1.1`, without control characters. */
  readonly request: string
  /**
   * `call`: before there was a body. `body`: while it was produced. `close`: when the response was
   * over. `render`: the option of that name threw.
   */
  readonly during: 'call' | 'body' | 'close' | 'render'
  /**
   * All of it as text for a log, several lines; control characters are escaped, and only the first
   * line begins at the margin.
   */
  readonly text: string
}

/** What the option `render` gives. */
export interface RenderedError {
  /**
   * `503 Service Unavailable`, or the number alone; otherwise the status that the error asks for,
   * or 500.
   */
  readonly status?: string | number
  /**
   * `Content-Type` is `text/html; charset=utf-8` for text, unless it is here; `Content-Length` is
   * always ours.
   */
  readonly headers?: ResponseHeaders
  /** Text is sent as UTF-8. */
  readonly body: string | Uint8Array
}

export interface ErrorHandlerOptions {
  /**
   * Where errors are logged; `wsgi.errors` unless it says otherwise. It may be asynchronous; its
   * own errors go to `wsgi.errors`.
   *
   * An error in the middle of a response goes on to the server, which breaks the connection off and
   * logs the error; then it is given to this function, but not written to `wsgi.errors` a second
   * time.
   */
  readonly log?: (entry: ErrorEntry) => unknown
  /**
   * Shows the error to the client: message, stack with source code, causes, and the environ. **For
   * development only**: it gives away source code, paths, versions, what the message holds, and
   * what of the request is not known to be secret (credentials, cookies and the like are masked).
   * False unless it says otherwise.
   */
  readonly debug?: boolean
  /**
   * The answer as you like it; `undefined` for the usual one. Not asynchronous. Where it throws,
   * that is logged and the usual answer is given, without debug.
   */
  readonly render?: (error: unknown, environ: WSGIEnvironment) => RenderedError | undefined
  /**
   * What is sent to clients that prefer JSON: anything that `JSON.stringify` takes; `{ status,
   * error, message? }` unless it says otherwise. Not with `debug`.
   */
  readonly json?: (summary: ErrorSummary) => unknown
}

/** What is done about an error of one request. */
export class Failure {
  readonly #options: ErrorHandlerOptions
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse
  /** Taken down at once: applications may change the path. */
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

  /**
   * Begins the response anew and gives its body. @throws the error, where it cannot be answered for
   */
  answer(thrown: unknown, during: 'call' | 'body'): Uint8Array[] {
    if (isAboutTheClient(thrown)) throw thrown
    // The contract takes null and undefined for "no error".
    const error = thrown ?? new Error(`The application threw ${thrown}`)
    const status = statusOf(error)
    const exposed = property(error, 'expose') === true
    const answer = this.#begun(this.#answerTo(error, status, exposed), error, status)
    if (answer === null) {
      // The server logs what breaks its response off.
      if (this.#options.log !== undefined) this.#log(error, during)
      throw error
    }
    if (status >= 500 || !exposed) this.#log(error, during)
    return this.#method === 'HEAD' ? [] : [answer.body]
  }

  /** An error of `close()`: nobody is left to be answered. */
  closing(error: unknown): void {
    if (!isAboutTheClient(error)) this.#log(error, 'close')
  }

  /**
   * Begins the response, with a plain answer where ours is refused. @returns null where the head
   * has been sent
   */
  #begun(answer: WholeAnswer, error: unknown, status: number): WholeAnswer | null {
    try {
      this.#startResponse(answer.status, answer.headers, error)
      return answer
    } catch (refusal) {
      if (Object.is(refusal, error)) return null
      // What `render` gave, or the headers that the error brought along.
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
          ? debugAnswer(summary, type, this.#requestLine(), error, this.#environ)
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
        errors.write(`The log of errorHandler failed: ${logged(textOf(failed))}\n`)
      } catch {
        // There is nowhere left to say it, and the answer matters more.
      }
    }
    try {
      const request = this.#requestLine()
      const text = `Error ${PHASES[during]} ${request}${this.#requestId()}\n${logged(textOf(error))}`
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

  /** The id that `requestId` has given, so that what a client reports can be found. */
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
 * Lines of a log, behind the first: a message may quote what a client sent, which must not pass for
 * an entry of its own.
 */
function logged(text: string): string {
  return text
    .slice(0, LONGEST_TEXT)
    .split(/\r?\n/)
    .map(
      (line) =>
        `  ${line.replace(UNPRINTABLE, (character) => (character === '\t' ? '\t' : escapeCharacter(character)))}`,
    )
    .join('\n')
}

/** Anything can be thrown, also what throws when it is looked at. */
function textOf(error: unknown): string {
  try {
    return failureText(error)
  } catch {
    return 'The error cannot be shown: it throws when it is looked at'
  }
}

function statusOf(error: unknown): number {
  const status = property(error, 'status')
  if (!Number.isInteger(status)) return 500
  const least = property(error, 'expose') === true ? 400 : 500
  return (status as number) >= least && (status as number) <= 599 ? (status as number) : 500
}

/**
 * The headers that an error brings along, such as `Retry-After`, but for those that are about our
 * body.
 */
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
    // Else its rejection would be nobody's, and end the process.
    rendered.then(undefined, () => {})
    throw new TypeError(
      'The option "render" of errorHandler must not be asynchronous: it gave a promise',
    )
  }
  const { status = ownStatus, headers = [], body } = rendered
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError(
      `The body that the option "render" of errorHandler gives must be a string or a Uint8Array, not ${describeValue(body)}`,
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

/** For a status without a reason, what its class is called. */
function reasonOf(status: number): string {
  return reasonPhrase(status) || (status < 500 ? 'Client Error' : 'Server Error')
}
