import { isPromise } from '../body.ts'
import { checkHead, type HeadFacts } from '../head-rules.ts'
import type { ResponseHeaders, StartResponse, Write } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import { blameApplication, byApplication, byServer } from './violation.ts'

const START: Rule = 'The start_response() Callable'
const WRITE: Rule = 'The write() Callable'
const DETAILS: Rule = 'Specification Details'
const LENGTH: Rule = 'Handling the Content-Length Header'

type Head = HeadFacts & { readonly hasType: boolean }

/**
 * A response between the two sides: what the application says of it with `startResponse`, and
 * whether its pieces keep to that.
 */
export class CheckedResponse {
  readonly #server: StartResponse
  /** A response to HEAD may have the body it would have for GET, or none. */
  readonly #headOnly: boolean
  #asked = false
  #head: Head | null = null
  #produced = 0
  /** Whether the bytes that came belong to the head that holds. */
  #counted = true
  #reading = false
  #ended = false
  #closed = false

  constructor(server: StartResponse, headOnly: boolean) {
    this.#server = server
    this.#headOnly = headOnly
  }

  // An arrow function: applications pass it on like any other function.
  readonly startResponse = (
    ...args: [status: string, headers: ResponseHeaders, excInfo?: unknown]
  ): Write => {
    // Checked by hand: a JavaScript application is not held to the types.
    const count: number = args.length
    if (count !== 2 && count !== 3) {
      throw byApplication(START, `startResponse takes two or three arguments, and got ${count}`)
    }
    const hasError = args[2] !== undefined && args[2] !== null
    if (this.#asked && !hasError) {
      throw byApplication(
        START,
        'it called startResponse twice; only an error handler may, with the error as its third argument',
      )
    }
    if (this.#ended && !this.#closed && !hasError) {
      throw byApplication(START, 'it called startResponse after its response had ended')
    }
    this.#asked = true
    if (this.#produced === 0) this.#head = null // should the call be refused
    const head = checkApplicationHead(args[0], args[1])
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
      if (count !== 1) throw byApplication(WRITE, `write() takes one argument, and got ${count}`)
      const data: unknown = args[0]
      if (!(data instanceof Uint8Array)) {
        throw byApplication(
          WRITE,
          `write() takes a Uint8Array, not ${describeValue(data)}${textHint(data)}`,
        )
      }
      // Where the server has closed the body early, it says itself what becomes of write().
      if (!this.#closed) {
        if (this.#ended)
          throw byApplication(WRITE, 'it called write() after its response had ended')
        if (this.#reading) throw byApplication(WRITE, 'it called write() from within its body')
        this.#produce(data)
      }
      const sent: unknown = write(data)
      if (isPromise(sent)) return sent as Promise<void>
      throw byServer(
        WRITE,
        `write() must give a promise of when more can be sent, not ${describeValue(sent)}`,
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

  /** The application has given all of its body. */
  complete(): void {
    if (this.#closed) return // told to end early, it may give less than it has said
    this.#ended = true
    const head = this.#head
    if (head === null) throw this.#noHead('ended its body')
    if (this.#headOnly || isBodiless(head) || !this.#counted) return
    if (head.contentLength > this.#produced) {
      throw byApplication(
        LENGTH,
        `its body has ${this.#produced} bytes, fewer than its Content-Length of ${head.contentLength}`,
      )
    }
  }

  /** The application has failed, and says no more. */
  fail(): void {
    this.#ended = true
  }

  /** The server wants no more. */
  close(): void {
    if (!this.#ended) this.#closed = true
  }

  #produce(data: Uint8Array): void {
    const head = this.#head
    if (head === null) throw this.#noHead('gave a piece of its body')
    if (data.length === 0) return
    this.#produced += data.length
    if (isBodiless(head)) {
      throw byApplication(
        DETAILS,
        `a ${head.status} response has no body (RFC 9110 §6.4.1), but it gave one`,
      )
    }
    if (!head.hasType) {
      throw byApplication(START, 'it gave a body, but no Content-Type (RFC 9110 §8.3)')
    }
    if (this.#headOnly || !this.#counted || head.contentLength === -1) return
    if (this.#produced > head.contentLength) {
      throw byApplication(
        LENGTH,
        `its body has ${this.#produced} bytes or more, its Content-Length says ${head.contentLength}`,
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

/** The rules of a response's head, those that need no server and those that servers let pass. */
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
        'start_response: Status is no header; the status is the first argument',
      )
    }
    if (/[-_]$/.test(name)) {
      throw byApplication(
        START,
        `start_response: the header name ${JSON.stringify(name)} ends in punctuation`,
      )
    }
    if (lower !== 'content-type') continue
    if (hasType)
      throw byApplication(START, 'start_response: Content-Type is given twice (RFC 9110 §5.3)')
    hasType = true
  }
  if (isBodiless(facts) && hasType) {
    throw byApplication(
      START,
      `start_response: Content-Type is given for a ${facts.status} response, which has no body`,
    )
  }
  if (facts.status === 204 && facts.contentLength > 0) {
    throw byApplication(
      LENGTH,
      `start_response: a Content-Length of ${facts.contentLength} is given for a 204 response, which has no body`,
    )
  }
  return { ...facts, hasType }
}

function isBodiless(head: HeadFacts): boolean {
  return head.status === 204 || head.status === 304
}

function textHint(value: unknown): string {
  return typeof value === 'string' ? '; encode text with a TextEncoder' : ''
}
