import type { Span } from '../bytes/span.ts'
import { fieldsOfLines } from '../semantics/field-lines.ts'
import { HOP_BY_HOP } from '../semantics/hop-by-hop.ts'
import { type Field, type ResponseHead, ResponseHeadError } from './response-head.ts'
import { FIELD_VALUE, TCHAR } from './syntax.ts'

const CR = 13
const LF = 10
const COLON = 58
const SPACE = 32
const TAB = 9

/**
 * The first letters, in lower case, of the names that are looked at (hop-by-hop fields, Date,
 * Server and Content-Length), by the lengths of the names.
 */
const INITIALS: number[][] = []
for (const name of [...HOP_BY_HOP, 'date', 'server', 'content-length']) {
  INITIALS[name.length] ??= []
  INITIALS[name.length].push(name.charCodeAt(0))
}

/**
 * A response head that came as lines, as workers send it. A protocol that sends lines uses them as
 * they are; the fields are taken apart only if something reads them.
 */
export class LinesHead implements ResponseHead {
  readonly status: number
  /** `200 OK\r\nName: value\r\n…` in latin-1, every line ended, no empty line at the end. */
  readonly text: string
  readonly contentLength: number
  readonly hasDate: boolean
  readonly hasServer: boolean
  rendered: object | null = null
  #fields: readonly Field[] | null = null

  constructor(
    status: number,
    text: string,
    contentLength: number,
    hasDate: boolean,
    hasServer: boolean,
  ) {
    this.status = status
    this.text = text
    this.contentLength = contentLength
    this.hasDate = hasDate
    this.hasServer = hasServer
  }

  get reason(): string {
    return this.text.slice(4, this.text.indexOf('\r\n'))
  }

  get fields(): readonly Field[] {
    this.#fields ??= fieldsOfLines(this.text).map(
      ([name, value]): Field => [name, value.replace(/^[ \t]+|[ \t]+$/g, '')],
    )
    return this.#fields
  }
}

const SLOTS = 64
const LONGEST_KEPT = 1024

/**
 * Parses response heads, and remembers the last ones: most of an application's answers have one of
 * a few heads. To compare a hundred bytes costs a twentieth of checking them and making a string.
 */
export class ResponseHeads {
  /** The last head of each length, modulo the number of slots. */
  readonly #bytes: (Buffer | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #heads: (LinesHead | undefined)[] = new Array(SLOTS).fill(undefined)

  /**
   * As {@link parseResponseHead}; equal bytes may give the same object.
   * @throws ResponseHeadError
   */
  parse(lines: Span): LinesHead {
    const { bytes, start, end } = lines
    const slot = (end - start) % SLOTS
    const known = this.#bytes[slot]
    if (known !== undefined && known.length === end - start) {
      let i = 0
      while (i < known.length && bytes[start + i] === known[i]) i++
      if (i === known.length) return this.#heads[slot]!
    }
    const head = parseResponseHead(lines)
    if (end - start <= LONGEST_KEPT) {
      const kept = known?.length === end - start ? known : Buffer.allocUnsafeSlow(end - start)
      bytes.copy(kept, 0, start, end)
      this.#bytes[slot] = kept
      this.#heads[slot] = head
    }
    return head
  }
}

/**
 * Parses and checks a response head: a status line without its version, then field lines. The
 * worker has checked each header already. This second check costs about a nanosecond a byte, and is
 * what guarantees that a response header with CR, LF or NUL never reaches a client, whatever a
 * worker does.
 *
 * @throws ResponseHeadError
 */
export function parseResponseHead({ bytes, start, end }: Span): LinesHead {
  let at = start
  let status = 0
  for (let i = 0; i < 3; i++, at++) {
    const digit = bytes[at] - 48
    if (!(digit >= 0 && digit <= 9))
      throw new ResponseHeadError('the status does not begin with three digits')
    status = status * 10 + digit
  }
  if (status < 200 || bytes[at] !== SPACE)
    throw new ResponseHeadError(`the status ${status} is not that of a final response`)
  at = endOfLine(bytes, at, end)
  let contentLength = -1
  let hasDate = false
  let hasServer = false
  while (at < end) {
    const nameStart = at
    while (at < end && TCHAR[bytes[at]] === 1) at++
    const nameEnd = at
    if (nameEnd === nameStart || bytes[at] !== COLON)
      throw new ResponseHeadError('a header name is not a token')
    const valueStart = at + 1
    at = endOfLine(bytes, valueStart, end)
    // Only names that begin like these matter here; the others cost no string.
    if (!INITIALS[nameEnd - nameStart]?.includes(bytes[nameStart] | 0x20)) continue
    const name = bytes.toString('latin1', nameStart, nameEnd).toLowerCase()
    if (name === 'date') hasDate = true
    else if (name === 'server') hasServer = true
    else if (name === 'content-length') {
      if (contentLength !== -1) throw new ResponseHeadError('Content-Length is given twice')
      contentLength = parseLength(bytes, valueStart, at - 2)
    } else if (HOP_BY_HOP.has(name)) {
      throw new ResponseHeadError(`${name} is about the connection, which is the server's`)
    }
  }
  const text = bytes.toString('latin1', start, end)
  return new LinesHead(status, text, contentLength, hasDate, hasServer)
}

/** From somewhere in a line to behind its CRLF; refuses control characters on the way. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && FIELD_VALUE[bytes[at]] === 1) at++
  if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
    throw new ResponseHeadError(
      at < end
        ? `it has the control character 0x${bytes[at].toString(16).padStart(2, '0')}`
        : 'it ends within a line',
    )
  }
  return at + 2
}

function parseLength(bytes: Buffer, start: number, end: number): number {
  let at = start
  let last = end
  while (at < last && (bytes[at] === SPACE || bytes[at] === TAB)) at++
  while (last > at && (bytes[last - 1] === SPACE || bytes[last - 1] === TAB)) last--
  let length = at === last ? Number.NaN : 0
  for (; at < last; at++) {
    const digit = bytes[at] - 48
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Number.NaN
  }
  if (!Number.isSafeInteger(length)) {
    const value = JSON.stringify(bytes.toString('latin1', start, end).trim())
    throw new ResponseHeadError(`the Content-Length ${value} is not a number of bytes`)
  }
  return length
}
