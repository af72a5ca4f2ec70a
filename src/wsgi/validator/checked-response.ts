import { isBodiless } from '../../semantics/bodiless.ts'
import { isPromise } from '../body.ts'
import { checkHead, type HeadFacts } from '../head-rules.ts'
import type { ResponseHeaders, StartResponse, Write } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import type { TextWatch } from './text-watch.ts'
import { blameApplication, byApplication, byServer } from './violation.ts'

const START: Rule = 'The start_response() Callable'
const WRITE: Rule = 'The write() Callable'
const DETAILS: Rule = 'Specification Details'
const LENGTH: Rule = 'Handling the Content-Length Header'

type Head = HeadFacts & { readonly hasType: boolean }

/** A response under check: its head, and whether its pieces match the head. */
export class CheckedResponse {
  readonly #server: StartResponse
  /** A response to HEAD may have the same body as the one to GET, or none. */
  readonly #headOnly: boolean
  readonly #text: TextWatch
  #asked = false
  #head: Head | null = null
  #produced = 0
  /** Whether all bytes so far belong to the current head. */
  #counted = true
  #reading = false
  #ended = false
  #closed = false

  constructor(server: StartResponse, headOnly: boolean, text: TextWatch) {
    this.#server = server
    this.#headOnly = headOnly
    this.#text = text
  }

  // An arrow function: applications pass it on like any other function.
  readonly startResponse = (
    ...args: [status: string, headers: ResponseHeaders, excInfo?: unknown]
  ): Write => {
    // Checked here because the types do not bind an application written in JavaScript.
    const count: number = args.length
    if (count !== 2 && count !== 3) {
      throw byApplication(START, `startResponse takes two or three arguments, not ${count}`)
    }
    const hasError = args[2] !== undefined && args[2] !== null
    if (this.#asked && !hasError) {
      throw byApplication(
        START,
        'it called startResponse twice; only an error handler may do so, ' +
          'with the error as its third argument',
      )
    }
    if (this.#ended && !this.#closed && !hasError) {
      throw byApplication(START, 'it called startResponse after its response had ended')
    }
    this.#asked = true
    if (this.#produced === 0) this.#head = null // stays null if the call is refused
    const head = checkApplicationHead(args[0], args[1])
    this.#text.head(args[1])
    const write: unknown = this.#server(...args)
    if (typeof write !== 'function') {
      throw byServer(START, `startResponse must return write(), not ${describeValue(write)}`)
    }
    this.#counted = this.#produced === 0
    this.#head = head
    return this.#checkedWrite(write as Write)
  }

  #checkedWrite(write: Write): Write {
    return (...args) => {
      const count: number = args.length
      if (count !== 1) throw byApplication(WRITE, `write() takes one argument, not ${count}`)
      const data: unknown = args[0]
      if (!(data instanceof Uint8Array)) {
        throw byApplication(
          WRITE,
          `write() takes a Uint8Array, not ${describeValue(data)}${textHint(data)}`,
        )
      }
      // If the server has closed the body early, it decides itself what write() does.
      if (!this.#closed) {
        if (this.#ended)
          throw byApplication(WRITE, 'it called write() after its response had ended')
        if (this.#reading)
          throw byApplication(WRITE, 'it called write() from within its body; yield the bytes')
        this.#produce(data)
      }
      const sent: unknown = write(data)
      if (isPromise(sent)) return sent as Promise<void>
      throw byServer(
        WRITE,
        'write() must return a promise that resolves when more can be sent, ' +
          `not ${describeValue(sent)}`,
      )
    }
  }

  /** The server asks for the next piece of the body. */
  reading(): void {
    this.#reading = true
  }

  /** Checks a piece of the body. */
  piece(value: unknown): Uint8Array {
    if (!(value instanceof Uint8Array)) {
      throw byApplication(
        DETAILS,
        `its body must be made of Uint8Array, not of ${describeValue(value)}${textHint(value)}`,
      )
    }
    this.#produce(value)
    return value
  }

  /** The application has given its last piece. */
  complete(): void {
    if (this.#closed) return // the server ended it early, so it may have given fewer bytes
    this.#ended = true
    const head = this.#head
    if (head === null) throw this.#noHead('ended its body')
    if (this.#headOnly || isBodiless(head.status) || !this.#counted) return
    if (head.contentLength > this.#produced) {
      throw byApplication(
        LENGTH,
        `its body has ${this.#produced} bytes, ` +
          `fewer than its Content-Length of ${head.contentLength}`,
      )
    }
  }

  /** The application has failed and gives no more pieces. */
  fail(): void {
    this.#ended = true
  }

  /** The server has ended the body. */
  close(): void {
    if (!this.#ended) this.#closed = true
  }

  #produce(data: Uint8Array): void {
    const head = this.#head
    if (head === null) throw this.#noHead('gave a piece of its body')
    if (data.length === 0) return
    this.#produced += data.length
    if (isBodiless(head.status)) {
      throw byApplication(
        DETAILS,
        `it gave a body with status ${head.status}, which has none (RFC 9110 §6.4.1)`,
      )
    }
    if (!head.hasType) {
      throw byApplication(START, 'it gave a body without a Content-Type (RFC 9110 §8.3)')
    }
    this.#text.piece(data)
    if (this.#headOnly || !this.#counted || head.contentLength === -1) return
    if (this.#produced > head.contentLength) {
      throw byApplication(
        LENGTH,
        `its body has at least ${this.#produced} bytes, ` +
          `more than its Content-Length of ${head.contentLength}`,
      )
    }
  }

  #noHead(what: string): Error {
    return byApplication(
      START,
      this.#asked
        ? `it ${what} although startResponse had refused its head`
        : `it ${what} without having called startResponse`,
    )
  }
}

/** Checks the rules for a head, including those that servers do not enforce. */
function checkApplicationHead(status: string, headers: ResponseHeaders): Head {
  let facts: HeadFacts
  try {
    facts = checkHead(status, headers)
  } catch (error) {
    throw blameApplication(error)
  }
  let hasType = false
  for (const [name] of headers) {
    const lower = name.toLowerCase()
    if (lower === 'status') {
      throw byApplication(
        START,
        'start_response: Status is not a header; the status is the first argument',
      )
    }
    if (/[-_]$/.test(name)) {
      throw byApplication(
        START,
        `start_response: the header name ${JSON.stringify(name)} must not end with - or _`,
      )
    }
    if (lower !== 'content-type') continue
    if (hasType)
      throw byApplication(START, 'start_response: Content-Type is given twice (RFC 9110 §5.3)')
    hasType = true
  }
  if (isBodiless(facts.status) && hasType) {
    throw byApplication(
      START,
      `start_response: Content-Type must not be given with status ${facts.status}, ` +
        'which has no body',
    )
  }
  if (facts.status === 204 && facts.contentLength > 0) {
    throw byApplication(
      LENGTH,
      `start_response: Content-Length must not be ${facts.contentLength} with status 204, ` +
        'which has no body',
    )
  }
  return { ...facts, hasType }
}

function textHint(value: unknown): string {
  return typeof value === 'string' ? '; encode text with a TextEncoder' : ''
}
