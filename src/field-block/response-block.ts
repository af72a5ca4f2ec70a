import type { Span } from '../bytes/span.ts'
import { HOP_BY_HOP } from '../semantics/hop-by-hop.ts'
import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TCHAR } from '../semantics/syntax.ts'
import { statusAndFields } from './status-and-fields.ts'

/**
 * The first letters, in lower case, of the names that are looked at (hop-by-hop fields, Date,
 * Server and Content-Length), by the lengths of the names.
 */
const INITIALS: number[][] = []
for (const name of [...HOP_BY_HOP, 'date', 'server', 'content-length']) {
  INITIALS[name.length] ??= []
  INITIALS[name.length].push(name.charCodeAt(0))
}

type Field = readonly [name: string, value: string]

/** A block that must not reach a client. `message` says which rule it breaks. */
export class ResponseBlockError extends Error {
  readonly code = 'bad-response-head'
}

/** What a protocol must know of a block to frame the message. */
export interface BlockFacts {
  /** Status code, 200 to 999. */
  readonly status: number
  /** The declared Content-Length in bytes, or -1. */
  readonly contentLength: number
  readonly hasDate: boolean
  readonly hasServer: boolean
}

/**
 * A response head in the form that workers send: a block of lines, which has been checked. To
 * everything above the protocols it is a `ResponseHead` of `http/response-head.ts`. HTTP/1.x sends
 * the block as it is; the fields are taken apart only if something reads them.
 */
export class ResponseBlock implements BlockFacts {
  readonly status: number
  /** `200 OK\r\nName: value\r\n…` in latin-1, every line ended, no empty line at the end. */
  readonly text: string
  readonly contentLength: number
  readonly hasDate: boolean
  readonly hasServer: boolean
  /** See `ResponseHead.rendered`. */
  rendered: object | null = null
  #fields: readonly Field[] | null = null

  constructor(text: string, facts: BlockFacts) {
    this.text = text
    this.status = facts.status
    this.contentLength = facts.contentLength
    this.hasDate = facts.hasDate
    this.hasServer = facts.hasServer
  }

  get reason(): string {
    return this.text.slice(4, this.text.indexOf('\r\n'))
  }

  get fields(): readonly Field[] {
    this.#fields ??= trimmedFields(this.text)
    return this.#fields
  }
}

const SLOTS = 64
const LONGEST_KEPT = 1024

/**
 * Parses response blocks, and remembers the last ones: most of an application's answers have one
 * of a few heads. To compare a hundred bytes costs a twentieth of checking them and making a
 * string.
 */
export class ResponseBlocks {
  /** The last block of each length, modulo the number of slots. */
  readonly #bytes: (Buffer | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #blocks: (ResponseBlock | undefined)[] = new Array(SLOTS).fill(undefined)

  /**
   * As {@link parseResponseBlock}; equal bytes may give the same object.
   * @throws ResponseBlockError
   */
  parse(lines: Span): ResponseBlock {
    const { bytes, start, end } = lines
    const slot = (end - start) % SLOTS
    const known = this.#bytes[slot]
    if (known !== undefined && known.length === end - start) {
      let i = 0
      while (i < known.length && bytes[start + i] === known[i]) i++
      if (i === known.length) return this.#blocks[slot]!
    }
    const block = parseResponseBlock(lines)
    if (end - start <= LONGEST_KEPT) {
      const kept = known?.length === end - start ? known : Buffer.allocUnsafeSlow(end - start)
      bytes.copy(kept, 0, start, end)
      this.#bytes[slot] = kept
      this.#blocks[slot] = block
    }
    return block
  }
}

/**
 * Parses and checks a response block: status and reason, then field lines. The worker has checked
 * each header already. This second check costs about a nanosecond a byte, and is
 * what guarantees that a response header with CR, LF or NUL never reaches a client, whatever a
 * worker does.
 *
 * @throws ResponseBlockError
 */
export function parseResponseBlock({ bytes, start, end }: Span): ResponseBlock {
  let at = start
  let status = 0
  for (let i = 0; i < 3; i++, at++) {
    const digit = bytes[at] - 48
    if (!(digit >= 0 && digit <= 9))
      throw new ResponseBlockError('the status does not begin with three digits')
    status = status * 10 + digit
  }
  if (status < 200 || bytes[at] !== SP)
    throw new ResponseBlockError(`the status ${status} is not that of a final response`)
  at = endOfLine(bytes, at, end)
  const facts = blockFacts(status, bytes, at, end)
  return new ResponseBlock(bytes.toString('latin1', start, end), facts)
}

/**
 * Parses and checks the fields of an interim response: field lines, as in a response block.
 *
 * @throws ResponseBlockError also for a Content-Length, which it must not have (RFC 9110 §8.6)
 */
export function parseFieldLines({ bytes, start, end }: Span): Field[] {
  if (blockFacts(103, bytes, start, end).contentLength !== -1)
    throw new ResponseBlockError('an interim response has no Content-Length')
  return trimmedFields(`\r\n${bytes.toString('latin1', start, end)}`)
}

/** Checks field lines. @throws ResponseBlockError */
function blockFacts(status: number, bytes: Buffer, start: number, end: number): BlockFacts {
  let at = start
  let contentLength = -1
  let hasDate = false
  let hasServer = false
  while (at < end) {
    const nameStart = at
    while (at < end && TCHAR[bytes[at]] === 1) at++
    const nameEnd = at
    if (nameEnd === nameStart || bytes[at] !== COLON)
      throw new ResponseBlockError('a header name is not a token')
    const valueStart = at + 1
    at = endOfLine(bytes, valueStart, end)
    // Only names that begin like these matter here; the others cost no string.
    if (!INITIALS[nameEnd - nameStart]?.includes(bytes[nameStart] | 0x20)) continue
    const name = bytes.toString('latin1', nameStart, nameEnd).toLowerCase()
    if (name === 'date') hasDate = true
    else if (name === 'server') hasServer = true
    else if (name === 'content-length') {
      if (contentLength !== -1) throw new ResponseBlockError('Content-Length is given twice')
      contentLength = parseLength(bytes, valueStart, at - 2)
    } else if (HOP_BY_HOP.has(name)) {
      throw new ResponseBlockError(`${name} is about the connection, which is the server's`)
    }
  }
  return { status, contentLength, hasDate, hasServer }
}

function trimmedFields(block: string): Field[] {
  return statusAndFields(block).fields.map(
    ([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, '')] as const,
  )
}

/** The index after the CRLF of the line; refuses control characters before it. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && FIELD_VALUE[bytes[at]] === 1) at++
  if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
    throw new ResponseBlockError(
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
  while (at < last && (bytes[at] === SP || bytes[at] === HTAB)) at++
  while (last > at && (bytes[last - 1] === SP || bytes[last - 1] === HTAB)) last--
  let length = at === last ? Number.NaN : 0
  for (; at < last; at++) {
    const digit = bytes[at] - 48
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Number.NaN
  }
  if (!Number.isSafeInteger(length)) {
    const value = JSON.stringify(bytes.toString('latin1', start, end).trim())
    throw new ResponseBlockError(`the Content-Length ${value} is not a number of bytes`)
  }
  return length
}
