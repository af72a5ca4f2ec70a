import { HOP_BY_HOP } from '../semantics/hop-by-hop.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, type Rule, WSGIError } from './wsgi-error.ts'

/** What of a response's head decides about its body. */
export interface HeadFacts {
  /** 200 to 999. */
  readonly status: number
  /** The declared Content-Length in bytes, or -1. */
  readonly contentLength: number
}

const START: Rule = 'The start_response() Callable'
/** The reason may be empty, and has no white space around it (PEP 3333). */
const STATUS = /^[2-9]\d\d (?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/
const BEYOND_LATIN1 = /[\u0100-\uffff]/

/** What no value may have: {@link FORBIDDEN} and {@link BEYOND_LATIN1} in one. */
const REFUSED = /[^\t\x20-\x7e\x80-\xff]/

/** Names that have been checked, and whether they are Content-Length. */
const knownNames = new Map<string, boolean>()
const MOST_KNOWN = 512
/** The last status that was checked and is right. */
let lastStatus = '200 OK'

/**
 * Whether a header is about one connection, and so the server's and not the application's (RFC 9110
 * §7.6.1, PEP 3333 "Other HTTP Features"): one of {@link HOP_BY_HOP}.
 *
 * @param name in any case
 * @example isHopByHop('Transfer-Encoding') // true
 */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase())
}

/** What is wrong with a header of that kind. */
export function hopByHopError(name: string): WSGIError {
  return new WSGIError(
    'Other HTTP Features',
    `start_response: ${name} is about the connection, which is the server's`,
  )
}

/**
 * Checks what `startResponse` was called with.
 *
 * @throws WSGIError that names the first thing that is wrong
 */
export function checkHead(status: unknown, headers: unknown): HeadFacts {
  checkStatus(status)
  if (!Array.isArray(headers)) {
    throw new WSGIError(
      START,
      `start_response: the headers must be an array of [name, value], not ${describeValue(headers)}`,
    )
  }
  let contentLength = -1
  for (const header of headers as ResponseHeaders) {
    if (!isContentLength(header)) continue
    if (contentLength !== -1) {
      throw new WSGIError(
        'Handling the Content-Length Header',
        'start_response: Content-Length is given twice',
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
  let why = 'must be three digits from 200 on, a space and a reason, as in "200 OK"'
  if (FORBIDDEN.test(status) || status.includes('\t')) why = 'has a control character'
  else if (/^[2-9]\d\d ( |.* $)/.test(status)) why = 'has white space around its reason'
  else if (/^\d{3}$/.test(status)) why = 'must have a space behind its number, as in "200 OK"'
  else if (/^[01]\d\d /.test(status)) why = 'is not that of a final response; those begin at 200'
  throw new WSGIError(START, `start_response: the status ${JSON.stringify(status)} ${why}`)
}

/** Checks a header. @returns whether it is Content-Length @throws WSGIError */
function isContentLength(header: [string, string]): boolean {
  // An application's names are few, and come again with each response; its values may be new each
  // time.
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
      `start_response: each header must be an array of a name and a value, not ${Array.isArray(header) ? `one of ${header.length}` : describeValue(header)}`,
    )
  }
  const [name, value] = header as [unknown, unknown]
  checkField(name, value, 'start_response: ')
  if (isHopByHop(name as string)) throw hopByHopError(name as string)
}

/**
 * Checks one header, whatever its meaning: its name a token, its value latin-1 without control
 * characters (RFC 9110 §5.1, §5.5).
 *
 * @param whose what messages begin with, such as `start_response: `
 * @throws WSGIError
 */
export function checkField(name: unknown, value: unknown, whose = ''): void {
  if (typeof name !== 'string')
    throw new WSGIError(
      START,
      `${whose}a header's name must be a string, not ${describeValue(name)}`,
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
  // Digits and nothing else: what surrounds them would be sent as well, and read by others in their
  // own way.
  const length = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(length)) return length
  throw new WSGIError(
    'Handling the Content-Length Header',
    `start_response: the Content-Length ${JSON.stringify(value)} is not a number of bytes`,
  )
}
