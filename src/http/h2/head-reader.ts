import { quoteByte, quoteBytes, quoteText } from '../../bytes/quoted.ts'
import {
  ASTERISK,
  FIELD_VALUE,
  HTAB,
  SLASH,
  SP,
  TARGET,
  TCHAR,
  TOKEN_LOWER,
} from '../../semantics/syntax.ts'
import { authorityHostEnd } from '../authority.ts'
import { contentLength } from '../content-length.ts'
import { HttpError } from '../errors.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  EXPECT,
  type FieldName,
  fieldNames,
  HASH_START,
  HOST,
  hashStep,
  PROXY_CONNECTION,
  SPECIAL_NAMES,
  TRANSFER_ENCODING,
  UPGRADE,
} from '../field-names.ts'
import {
  duplicate,
  fieldTooLong,
  headTooLarge,
  refusedUnderscore,
  requestLineTooLong,
  tooManyFields,
} from '../head-refusals.ts'
import { effectiveLimits, type HeadLimits, isForwarderHeader } from '../limits.ts'
import type { H2RequestHead } from './request-head.ts'

const KEEP_ALIVE = fieldNames.named('keep-alive')
const TE = fieldNames.named('te')

/** How much of a request line is logged if it is refused. */
const LOGGED_CHARACTERS = 128
/** How many names are expected of the next request. */
const EXPECTED_NAMES = 64

/**
 * Makes a request head of the fields of an HTTP/2 request (RFC 9113 §8.3). A connection has one
 * reader, because its next request tends to have the same names.
 *
 * nghttp2 has checked the fields by the rules of RFC 9113 §8.2 before: names in lower case, no
 * control characters, no connection-specific fields, the pseudo-header fields first and each once.
 * What an environ must never see is checked here again, and so is everything that the HTTP/1.x
 * parser refuses beyond the standard, with the same limits and the same answers.
 */
export class HeadReader {
  readonly #limits: HeadLimits
  #expected: readonly FieldName[] = []
  #hasContentType = false

  constructor(limits: HeadLimits) {
    this.#limits = effectiveLimits(limits)
  }

  /**
   * Reads a head.
   *
   * @param head a new one, which is filled as far as it is valid
   * @param raw names and values in turn, each byte as one character
   * @param hasBody whether the client has not ended its side of the stream
   * @throws HttpError when the request is refused
   */
  read(head: H2RequestHead, raw: readonly string[], hasBody: boolean): void {
    let method = ''
    let path = ''
    let authority = ''
    let scheme = ''
    let at = 0
    for (; at < raw.length; at += 2) {
      const name = raw[at]!
      if (name.charCodeAt(0) !== 0x3a) break
      if (name === ':method' && method === '') method = raw[at + 1]!
      else if (name === ':path' && path === '') path = raw[at + 1]!
      else if (name === ':authority' && authority === '') authority = raw[at + 1]!
      else if (name === ':scheme' && scheme === '') scheme = raw[at + 1]!
      else if (name === ':protocol') throw extendedConnect()
      else throw badPseudoField(name)
    }
    const tunnel = method === 'CONNECT'
    const target = tunnel ? authority : path
    const line = `${method} ${target} HTTP/2.0`
    head.method = method
    if (line.length > this.#limits.requestLine) {
      this.#keepLine(head, line.slice(0, LOGGED_CHARACTERS))
      throw requestLineTooLong(this.#limits.requestLine)
    }
    const fieldsFrom = line.length + 2 + authority.length + 2
    const text = this.#fieldText(head, raw, at, fieldsFrom, `${line}\r\n${authority}\r\n`)
    head.bytes = Buffer.from(text, 'latin1')
    head.lineEnd = line.length
    head.targetStart = method.length + 1
    head.targetEnd = head.targetStart + target.length
    head.authorityStart = line.length + 2
    head.authorityEnd = head.authorityStart + authority.length
    this.#checkLine(head, scheme, tunnel)
    this.#takeFields(head)
    if (!head.hasAuthority && head.host < 0 && !tunnel) {
      throw new HttpError(400, 'no-host', 'The request has neither :authority nor Host')
    }
    head.hasBody = hasBody && !tunnel
    head.expectContinue &&= head.hasBody
  }

  #keepLine(head: H2RequestHead, line: string): void {
    head.bytes = Buffer.from(line, 'latin1')
    head.lineEnd = head.bytes.length
  }

  /**
   * Puts the fields after each other, and notes where they are. The parts of a Cookie, which a
   * client may split to compress them better, become one field again (RFC 9113 §8.2.3).
   */
  #fieldText(
    head: H2RequestHead,
    raw: readonly string[],
    from: number,
    start: number,
    before: string,
  ): string {
    const { fields: most, fieldSize, head: largest } = this.#limits
    const { fields } = head
    let text = before
    let at = start
    let cookie = ''
    let hasCookie = false
    for (let i = from; i < raw.length; i += 2) {
      const name = raw[i]!
      const value = raw[i + 1]!
      if (name === 'cookie') {
        cookie = hasCookie ? `${cookie}; ${value}` : value
        hasCookie = true
        continue
      }
      if (name.length + value.length + 4 > fieldSize) throw tooLong(head, before, fieldSize, name)
      if (fields.length === most * 4) throw this.#refusedEarly(head, before, tooManyFields(most))
      const valueStart = at + name.length + 2
      const valueEnd = valueStart + value.length
      fields.push(at, at + name.length, valueStart, valueEnd)
      text += `${name}: ${value}\r\n`
      at = valueEnd + 2
      if (at > largest) throw this.#refusedEarly(head, before, headTooLarge(largest, false))
    }
    if (hasCookie) {
      if (cookie.length + 10 > fieldSize) throw tooLong(head, before, fieldSize, 'cookie')
      if (fields.length === most * 4) throw this.#refusedEarly(head, before, tooManyFields(most))
      fields.push(at, at + 6, at + 8, at + 8 + cookie.length)
      text += `cookie: ${cookie}\r\n`
      at += cookie.length + 10
    }
    if (at > largest) throw this.#refusedEarly(head, before, headTooLarge(largest, false))
    return text
  }

  #refusedEarly(head: H2RequestHead, before: string, error: HttpError): HttpError {
    this.#keepLine(head, before.slice(0, before.indexOf('\r\n')))
    return error
  }

  #checkLine(head: H2RequestHead, scheme: string, tunnel: boolean): void {
    const { bytes, method, targetStart, targetEnd } = head
    head.pathStart = targetStart
    head.pathEnd = targetEnd
    head.queryStart = targetEnd
    head.queryEnd = targetEnd
    for (let i = 0; i < method.length; i++) {
      if (TCHAR[bytes[i]!] === 0) {
        throw new HttpError(400, 'bad-method', `The method ${quoteText(method)} is not a token`)
      }
    }
    if (method === '') throw new HttpError(400, 'bad-method', 'The request has no method')
    const { authorityStart, authorityEnd } = head
    head.hasAuthority = authorityEnd > authorityStart && !tunnel
    if (authorityEnd > authorityStart) {
      const hostEnd = authorityHostEnd(bytes, authorityStart, authorityEnd)
      // For CONNECT, both host and port are required (RFC 9113 §8.5).
      if (hostEnd <= authorityStart || (tunnel && hostEnd + 1 >= authorityEnd)) {
        const value = quoteBytes(bytes, authorityStart, authorityEnd)
        throw new HttpError(400, 'bad-host', `:authority is not a host: ${value}`)
      }
    }
    if (tunnel) {
      if (authorityEnd === authorityStart)
        throw new HttpError(400, 'no-host', 'The CONNECT request has no :authority')
      head.targetForm = 'authority'
      head.pathStart = targetEnd
      return
    }
    if (scheme !== 'https' && scheme !== 'http') {
      throw new HttpError(400, 'bad-scheme', `:scheme is not http or https: ${quoteText(scheme)}`)
    }
    this.#checkPath(head)
  }

  #checkPath(head: H2RequestHead): void {
    const { bytes, targetStart, targetEnd } = head
    if (bytes[targetStart] === ASTERISK && targetEnd - targetStart === 1) {
      if (head.method !== 'OPTIONS') throw refusedPath(head, 'is for OPTIONS only')
      head.targetForm = 'asterisk'
      return
    }
    if (targetEnd === targetStart || bytes[targetStart] !== SLASH)
      throw refusedPath(head, 'does not begin with a slash')
    for (let i = targetStart; i < targetEnd; i++) {
      const kind = TARGET[bytes[i]!]!
      if (kind === 1) continue
      if (kind === 0) throw refusedPath(head, `has the byte ${quoteByte(bytes[i]!)}`)
      if (head.hasQuery) continue
      head.hasQuery = true
      head.pathEnd = i
      head.queryStart = i + 1
    }
  }

  /** Finds the names, checks the fields, and takes those that the engine acts upon. */
  #takeFields(head: H2RequestHead): void {
    const { bytes, fields, names } = head
    const { headerMap } = this.#limits
    const expected = this.#expected
    this.#hasContentType = false
    let kept = 0
    for (let at = 0; at < fields.length; at += 4) {
      const start = fields[at]!
      const nameEnd = fields[at + 1]!
      const valueStart = fields[at + 2]!
      const valueEnd = fields[at + 3]!
      const guess = expected[kept]
      const name =
        guess !== undefined && guess.bytes.length === nameEnd - start && guess.isAt(bytes, start)
          ? guess
          : findName(bytes, start, nameEnd)
      checkValue(bytes, valueStart, valueEnd, name)
      if (
        name.hasUnderscore &&
        headerMap !== 'dangerous' &&
        !isForwarderHeader(name, this.#limits)
      ) {
        if (headerMap === 'drop') continue
        throw refusedUnderscore(bytes, { start, nameEnd }, 'has an underscore')
      }
      head.fieldCount = kept
      if (name.id >= 0 && name.id < SPECIAL_NAMES) this.#takeSpecial(head, name, at)
      else if (name === KEEP_ALIVE) throw connectionField(name)
      else if (name === TE && !isTrailers(bytes, valueStart, valueEnd)) throw connectionField(name)
      const place = kept * 4
      if (place !== at) {
        fields[place] = start
        fields[place + 1] = nameEnd
        fields[place + 2] = valueStart
        fields[place + 3] = valueEnd
      }
      names.push(name)
      kept++
    }
    fields.length = kept * 4
    head.fieldCount = kept
    this.#expected = names.length > EXPECTED_NAMES ? names.slice(0, EXPECTED_NAMES) : names
  }

  #takeSpecial(head: H2RequestHead, name: FieldName, at: number): void {
    const { bytes, fields } = head
    const start = fields[at]!
    const nameEnd = fields[at + 1]!
    const valueStart = fields[at + 2]!
    const valueEnd = fields[at + 3]!
    switch (name.id) {
      case HOST:
        if (head.host >= 0) throw duplicate('two-hosts', 'Host')
        if (authorityHostEnd(bytes, valueStart, valueEnd) <= valueStart) {
          const value = quoteBytes(bytes, valueStart, valueEnd)
          throw new HttpError(400, 'bad-host', `Host is not a host: ${value}`)
        }
        // RFC 9113 §8.3.1: two recipients could see two hosts.
        if (head.hasAuthority && !sameAuthority(head, valueStart, valueEnd)) {
          const value = quoteBytes(bytes, valueStart, valueEnd)
          throw new HttpError(400, 'two-hosts', `Host is not the same as :authority: ${value}`)
        }
        head.host = head.fieldCount
        return
      case CONTENT_LENGTH:
        if (head.contentLength >= 0) throw duplicate('two-content-lengths', 'Content-Length')
        head.contentLength = contentLength(bytes, { valueStart, valueEnd, end: valueEnd })
        return
      case CONTENT_TYPE:
        if (this.#hasContentType) throw duplicate('two-content-types', 'Content-Type')
        this.#hasContentType = true
        return
      case EXPECT:
        if (bytes.toString('latin1', valueStart, valueEnd).toLowerCase() !== '100-continue') {
          const value = quoteBytes(bytes, valueStart, valueEnd)
          throw new HttpError(417, 'unknown-expectation', `Unknown expectation: ${value}`)
        }
        head.expectContinue = true
        return
      case TRANSFER_ENCODING:
      case CONNECTION:
      case UPGRADE:
      case PROXY_CONNECTION:
        throw connectionField(name)
      default:
        // As in HTTP/1.x: Content_Length and the like can only be attempts to forge the real field.
        throw refusedUnderscore(bytes, { start, nameEnd }, 'could be taken for another')
    }
  }
}

function findName(bytes: Buffer, start: number, end: number): FieldName {
  let hash = HASH_START
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const lower = TOKEN_LOWER[byte]!
    if (lower !== byte || lower === 0) throw badName(bytes, start, end)
    hash = hashStep(hash, lower)
  }
  if (end === start) throw badName(bytes, start, end)
  return fieldNames.find(bytes, start, end, hash)
}

function checkValue(bytes: Buffer, start: number, end: number, name: FieldName): void {
  let i = start
  while (i < end && FIELD_VALUE[bytes[i]!] === 1) i++
  const field = name.lower.slice(0, 64)
  if (i < end) {
    const text = `The value of the field ${field} has the byte ${quoteByte(bytes[i]!)}`
    throw new HttpError(400, 'bad-field-value', text)
  }
  if (end > start && (isSpace(bytes[start]!) || isSpace(bytes[end - 1]!))) {
    const text = `The value of the field ${field} has white space around it (RFC 9113 §8.2.1)`
    throw new HttpError(400, 'bad-field-value', text)
  }
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB
}

function sameAuthority(head: H2RequestHead, start: number, end: number): boolean {
  const { bytes, authorityStart, authorityEnd } = head
  if (end - start !== authorityEnd - authorityStart) return false
  for (let i = 0; i < end - start; i++) {
    const a = bytes[start + i]!
    const b = bytes[authorityStart + i]!
    if (a !== b && (TOKEN_LOWER[a] === 0 || TOKEN_LOWER[a] !== TOKEN_LOWER[b])) return false
  }
  return true
}

function tooLong(head: H2RequestHead, before: string, limit: number, name: string): HttpError {
  head.bytes = Buffer.from(before, 'latin1')
  head.lineEnd = before.indexOf('\r\n')
  return fieldTooLong(limit, quoteText(name))
}

function isTrailers(bytes: Buffer, start: number, end: number): boolean {
  return bytes.toString('latin1', start, end).toLowerCase() === 'trailers'
}

function connectionField({ lower }: FieldName): HttpError {
  const text = `The field ${lower} has no meaning in HTTP/2 (RFC 9113 §8.2.2)`
  return new HttpError(400, 'connection-field', text)
}

function badName(bytes: Buffer, start: number, end: number): HttpError {
  const name = quoteBytes(bytes, start, end)
  return new HttpError(400, 'bad-field-name', `${name} is not a field name of HTTP/2`)
}

function badPseudoField(name: string): HttpError {
  const text = `Unknown or repeated pseudo-header field: ${quoteText(name)}`
  return new HttpError(400, 'bad-pseudo-field', text)
}

/** RFC 8441 (WebSocket in HTTP/2) is not announced, so no client may use it. */
function extendedConnect(): HttpError {
  return new HttpError(501, 'extended-connect', 'Extended CONNECT (RFC 8441) is not supported')
}

function refusedPath(head: H2RequestHead, why: string): HttpError {
  const target = quoteBytes(head.bytes, head.targetStart, head.targetEnd)
  return new HttpError(400, 'bad-target', `The request target ${target} ${why}`)
}
