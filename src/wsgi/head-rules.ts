import { HOP_BY_HOP } from '../semantics/hop-by-hop.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, type Rule, WSGIError } from './wsgi-error.ts'

/** The facts of a response's head that decide how its body is sent. */
export interface HeadFacts {
  /** 200 to 999. */
  readonly status: number
  /** The declared Content-Length in bytes, or -1. */
  readonly contentLength: number
}

const START: Rule = 'The start_response() Callable'
/** The reason phrase may be empty, and has no white space around it (PEP 3333). */
const STATUS = /^[2-9]\d\d (?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/
const BEYOND_LATIN1 = /[\u0100-\uffff]/

/** {@link FORBIDDEN} and {@link BEYOND_LATIN1} in one expression. */
const REFUSED = /[^\t\x20-\x7e\x80-\xff]/

/** Names that passed the checks, and whether they are Content-Length. */
const knownNames = new Map<string, boolean>()
const MOST_KNOWN = 512
/** The last status that passed the checks. */
let lastStatus = '200 OK'

/**
 * Whether a header is hop-by-hop: it concerns one connection only, so the server sends it and the
 * application must not (RFC 9110 §7.6.1, PEP 3333 "Other HTTP Features").
 *
 * @param name in any case
 * @example isHopByHop('Transfer-Encoding') // true
 */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase())
}

/**
 * The error for a hop-by-hop header.
 *
 * @param whose the beginning of the message. Defaults to `start_response: `
 */
export function hopByHopError(name: string, whose = 'start_response: '): WSGIError {
  return new WSGIError(
    'Other HTTP Features',
    `${whose}${name} is a hop-by-hop header, which only the server may send; leave it out`,
  )
}

/**
 * Checks the arguments of `startResponse`.
 *
 * @throws WSGIError for the first rule that is broken
 * @example checkHead('200 OK', [['Content-Length', '12']]) // { status: 200, contentLength: 12 }
 */
export function checkHead(status: unknown, headers: unknown): HeadFacts {
  checkStatus(status)
  if (!Array.isArray(headers)) {
    throw new WSGIError(
      START,
      'start_response: the headers must be an array of [name, value], ' +
        `not ${describeValue(headers)}`,
    )
  }
  let contentLength = -1
  for (const header of headers as ResponseHeaders) {
    if (!isContentLength(header)) continue
    if (contentLength !== -1) {
      throw new WSGIError(
        'Handling the Content-Length Header',
        'start_response: Content-Length is given twice; give it once',
      )
    }
    contentLength = parseContentLength(header[1])
  }
  return { status: Number((status as string).slice(0, 3)), contentLength }
}

function checkStatus(status: unknown): asserts status is string {
  if (status === lastStatus) return
  if (typeof status !== 'string') {
    throw new WSGIError(
      START,
      `start_response: the status must be a string such as "200 OK", not ${describeValue(status)}`,
    )
  }
  if (BEYOND_LATIN1.test(status))
    throw new WSGIError(
      'Unicode Issues',
      `start_response: the status ${JSON.stringify(status)} has a character beyond latin-1`,
    )
  if (STATUS.test(status)) {
    lastStatus = status
    return
  }
  let why = 'must be three digits from 200 to 999, a space and a reason phrase, as in "200 OK"'
  if (FORBIDDEN.test(status) || status.includes('\t')) why = 'has a control character'
  else if (/^[2-9]\d\d ( |.* $)/.test(status)) why = 'has white space around its reason phrase'
  else if (/^\d{3}$/.test(status)) why = 'must have a space after its number, as in "200 OK"'
  else if (/^[01]\d\d /.test(status)) why = 'is not final; a final status is 200 or more'
  throw new WSGIError(START, `start_response: the status ${JSON.stringify(status)} ${why}`)
}

/** Checks a header. @returns whether it is Content-Length @throws WSGIError */
function isContentLength(header: [string, string]): boolean {
  // An application uses few names, the same ones in each response. Its values may differ each time.
  if (Array.isArray(header) && header.length === 2) {
    const known = knownNames.get(header[0])
    if (known !== undefined && typeof header[1] === 'string' && !REFUSED.test(header[1]))
      return known
  }
  checkHeader(header)
  const is = header[0].toLowerCase() === 'content-length'
  if (knownNames.size < MOST_KNOWN) knownNames.set(header[0], is)
  return is
}

function checkHeader(header: unknown): asserts header is [string, string] {
  if (!Array.isArray(header) || header.length !== 2) {
    throw new WSGIError(
      START,
      'start_response: each header must be an array of a name and a value, not ' +
        (Array.isArray(header) ? `an array of ${header.length}` : describeValue(header)),
    )
  }
  const [name, value] = header as [unknown, unknown]
  checkField(name, value, 'start_response: ')
  if (isHopByHop(name as string)) throw hopByHopError(name as string)
}

/**
 * Checks one header: its name must be a token, its value latin-1 text without control characters
 * (RFC 9110 §5.1, §5.5).
 *
 * @param whose the beginning of messages, such as `start_response: `. Defaults to `''`
 * @throws WSGIError if it breaks a rule
 */
export function checkField(name: unknown, value: unknown, whose = ''): void {
  if (typeof name !== 'string')
    throw new WSGIError(
      START,
      `${whose}the name of a header must be a string, not ${describeValue(name)}`,
    )
  if (!TOKEN.test(name))
    throw new WSGIError(
      START,
      `${whose}the header name ${JSON.stringify(name)} is not a token (RFC 9110 §5.1)`,
    )
  if (typeof value !== 'string')
    throw new WSGIError(
      START,
      `${whose}the value of ${name} must be a string, not ${describeValue(value)}`,
    )
  if (FORBIDDEN.test(value))
    throw new WSGIError(
      START,
      `${whose}the value of ${name} has a control character: ${JSON.stringify(value)}`,
    )
  if (BEYOND_LATIN1.test(value)) {
    throw new WSGIError(
      'Unicode Issues',
      `${whose}the value of ${name} has a character beyond latin-1: ${JSON.stringify(value)}`,
    )
  }
}

function parseContentLength(value: string): number {
  // Digits only: white space or a sign would be sent too, and recipients read those differently.
  const length = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(length)) return length
  throw new WSGIError(
    'Handling the Content-Length Header',
    `start_response: the Content-Length ${JSON.stringify(value)} is not a number of bytes; ` +
      'it must be digits only',
  )
}
