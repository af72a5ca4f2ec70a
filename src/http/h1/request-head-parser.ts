// This file is longer than others because the scan is one method: a state machine over local
// variables. Split into methods, it would read and write fields for each part, which is slower.

import { quoteBytes } from '../../bytes/quoted.ts'
import type { Span } from '../../bytes/span.ts'
import {
  COLON,
  CR,
  DIGIT,
  FIELD_VALUE,
  HTAB,
  LF,
  SP,
  TARGET,
  TOKEN_LOWER,
} from '../../semantics/syntax.ts'
import type { HttpError } from '../errors.ts'
import {
  CACHED_NAME_BYTES,
  type FieldName,
  fieldNames,
  HASH_START,
  hashStep,
  SPECIAL_NAMES,
} from '../field-names.ts'
import {
  fieldTooLong,
  headTooLarge,
  refusedUnderscore,
  requestLineTooLong,
  tooManyFields,
} from '../head-refusals.ts'
import { effectiveLimits, type HeadLimits, isForwarderHeader } from '../limits.ts'
import { methodName } from '../methods.ts'
import { expectedNames } from './expected-names.ts'
import { FieldLine } from './field-line.ts'
import {
  bareCR,
  refusedFirstByte,
  refusedInName,
  refusedInRequestLine,
  refusedInValue,
  refusedLeadingSpace,
  unsupportedVersion,
} from './head-refusals.ts'
import { H1RequestHead } from './request-head.ts'
import { takeTarget } from './request-target.ts'
import { SpecialFields } from './special-fields.ts'

const NOTHING = Buffer.alloc(0)

// What the next byte belongs to. Plain constants: a switch over small integers is a jump table.
const BEFORE = 0
const EMPTY_LINE_LF = 1
const METHOD = 2
const REQUEST_TARGET = 3
const VERSION = 4
const REQUEST_LINE_LF = 5
const FIELD_START = 6
const NAME = 7
const VALUE = 8
const VALUE_LF = 9
const LAST_LF = 10
const COMPLETE = 11

/** `HTTP/1.1` is as long as every version. */
const VERSION_BYTES = 8
const VERSION_PREFIX = Buffer.from('HTTP/')

/** How many bytes are appended to an incomplete head before they are parsed. */
const PIECE_BYTES = 4096
const SMALLEST_CARRY = 1024
/** How many bytes of an incomplete or refused request line are logged. */
const LOGGED_BYTES = 128

/** The maximum cost of a field in addition to its bytes: four offsets, and an uncached name. */
const FIELD_COST = 256

/**
 * Reads the head of a request: the request line and the fields, up to the empty line (RFC 9112 §2
 * to §5), in one pass over the bytes, fed in any pieces.
 *
 * A head that lies whole in one chunk is read in place and keeps that chunk. A head that is split
 * is collected in a buffer of its own. A bad byte is refused as soon as it is seen, and what is
 * refused, and why, does not depend on how the bytes were split.
 *
 * Node's own parser in strict mode accepts everything that this one accepts, and reads it the same
 * way. The exceptions are required by the standard; `tests/e2e/http-differential.test.ts` lists
 * them, and compares everything else.
 *
 * @example
 * ```ts
 * const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
 * socket.on('data', (bytes) => {
 *   const chunk = new Span().set(bytes, 0, bytes.length)
 *   parser.feed(chunk)
 *   if (parser.complete) begin(parser.head, chunk)
 * })
 * ```
 */
export class RequestHeadParser {
  readonly #requestLineLimit: number
  readonly #fieldsLimit: number
  readonly #fieldSizeLimit: number
  readonly #headLimit: number
  readonly #headerMap: HeadLimits['headerMap']
  readonly #limits: HeadLimits

  #current: H1RequestHead
  #phase: number
  /** Whether the one empty line that may precede a request line was there. */
  #emptyLineSeen: boolean
  /** Bytes of an incomplete head, with space to grow. Used only for heads that are split. */
  #carry: Buffer
  #carried: number
  /** Where the head, the current line and the current part of it begin. */
  #headStart: number
  #lineStart: number
  #partStart: number
  #questionMark: number
  #nameEnd: number
  #nameHash: number
  #name: FieldName | null
  #lines: number
  /** What came of a request line that was refused before it was collected in `carry`. */
  #refusedLine: string
  /**
   * The names of the request before: on a connection the next request tends to have the same, in
   * the same order.
   */
  #expectedNames: readonly FieldName[]
  /** Bytes of the names in this head that are too long to be shared. */
  #longNameBytes: number
  readonly #special = new SpecialFields()
  readonly #line: FieldLine

  constructor(limits: HeadLimits) {
    const effective = effectiveLimits(limits)
    this.#requestLineLimit = effective.requestLine
    this.#fieldsLimit = effective.fields
    this.#fieldSizeLimit = effective.fieldSize
    this.#headLimit = effective.head
    this.#headerMap = effective.headerMap
    this.#limits = effective
    this.#current = new H1RequestHead()
    this.#phase = BEFORE
    this.#emptyLineSeen = false
    this.#carry = NOTHING
    this.#carried = 0
    this.#headStart = 0
    this.#lineStart = 0
    this.#partStart = 0
    this.#questionMark = -1
    this.#nameEnd = 0
    this.#nameHash = 0
    this.#name = null
    this.#lines = 0
    this.#refusedLine = ''
    this.#expectedNames = []
    this.#longNameBytes = 0
    this.#line = new FieldLine(fieldNames.named('host'))
  }

  /** The head has been read to its end. Call {@link reset} before you feed the next one. */
  get complete(): boolean {
    return this.#phase === COMPLETE
  }

  /**
   * The head: whole once `complete`, before that as far as it was read. Each request has a new one.
   */
  get head(): H1RequestHead {
    return this.#current
  }

  /**
   * A byte of a request has been taken. (An empty line before the request line does not count: a
   * connection with nothing else is idle.)
   */
  get begun(): boolean {
    return this.#phase > EMPTY_LINE_LF
  }

  /**
   * How many bytes of memory a head that came in pieces keeps, at most: the buffer that it is
   * collected in, with its space to grow, and what was made of its fields. 0 for a head that came
   * at once, which lies in what was read. It does not change until {@link reset}.
   */
  get held(): number {
    if (this.#carried === 0) return 0
    return this.#carry.length + this.#current.fieldCount * FIELD_COST + 2 * this.#longNameBytes
  }

  /** Gets ready for the next request. The head of the last one does not change. */
  reset(): void {
    this.#expectedNames = expectedNames(this.#current.names)
    this.#longNameBytes = 0
    this.#current = new H1RequestHead()
    this.#phase = BEFORE
    this.#emptyLineSeen = false
    this.#carry = NOTHING
    this.#carried = 0
    this.#questionMark = -1
    this.#lines = 0
    this.#special.reset()
  }

  /**
   * Reads from the beginning of `chunk`, and moves its `start` past what was taken: all of it, or
   * up to and with the empty line that ends the head. The memory must not be written to afterwards,
   * since the head may refer to it.
   *
   * @throws HttpError when the request is refused; the parser is of no use after it
   */
  feed(chunk: Span): void {
    const { bytes, start, end } = chunk
    try {
      chunk.start = start + this.#take(bytes, start, end)
    } catch (error) {
      if (this.#phase <= VERSION) this.#noteRefusedLine(bytes, start, end)
      throw error
    }
  }

  /**
   * The request line for logs, each byte as one character: as {@link H1RequestHead.requestLine} has
   * it, or as much as came of one that is not complete or was refused, up to 128 bytes. Those may
   * be any bytes but CR and LF.
   */
  requestLine(): string {
    if (this.#phase > VERSION) return this.#current.requestLine()
    return this.#refusedLine || lineFrom(this.#carry, 0, this.#carried)
  }

  #noteRefusedLine(chunk: Buffer, start: number, end: number): void {
    if (this.#carried > 0) return // it is there
    let from = this.begun ? this.#headStart : start
    while (from < end && (chunk[from] === CR || chunk[from] === LF)) from++
    this.#refusedLine = lineFrom(chunk, from, end)
  }

  #take(chunk: Buffer, start: number, end: number): number {
    if (this.#phase === COMPLETE) return 0
    if (this.#carried === 0) {
      const stop = this.#scan(chunk, start, end)
      if (this.#phase !== COMPLETE && this.begun) this.#keep(chunk, end)
      return stop - start
    }
    // Copied in pieces, because most of the chunk may be body.
    for (let at = start; at < end; ) {
      const piece = Math.min(end - at, PIECE_BYTES)
      const before = this.#carried
      this.#append(chunk, at, piece)
      const stop = this.#scan(this.#carry, before, this.#carried)
      if (this.#phase === COMPLETE) return at - start + stop - before
      at += piece
    }
    return end - start
  }

  /**
   * Moves an incomplete head out of the chunk that it began in, whose memory must not be kept until
   * the rest comes.
   */
  #keep(chunk: Buffer, end: number): void {
    const shift = this.#headStart
    this.#append(chunk, shift, end - shift)
    this.#headStart = 0
    this.#lineStart -= shift
    this.#partStart -= shift
    this.#nameEnd -= shift
    if (this.#questionMark >= 0) this.#questionMark -= shift
    const head = this.#current
    head.lineStart = 0
    head.lineEnd = this.#phase > VERSION ? head.lineEnd - shift : 0
    if (this.#phase > METHOD) {
      head.targetStart -= shift
      head.targetEnd -= shift
    }
    if (this.#phase > REQUEST_LINE_LF) {
      head.pathStart -= shift
      head.pathEnd -= shift
      head.queryStart -= shift
      head.queryEnd -= shift
      head.authorityStart -= shift
      head.authorityEnd -= shift
    }
    const fields = head.fields
    for (let i = 0; i < fields.length; i++) fields[i]! -= shift
  }

  #append(chunk: Buffer, at: number, length: number): void {
    const needed = this.#carried + length
    if (needed > this.#carry.length) {
      // Doubled, so that a head that arrives byte by byte is copied twice on average, not once per
      // byte. Not from Node's pool, of which a small buffer would keep 8 KiB.
      const most = this.#headLimit + PIECE_BYTES
      const larger = Buffer.allocUnsafeSlow(
        Math.max(needed, SMALLEST_CARRY, Math.min(needed * 2, most)),
      )
      this.#carry.copy(larger, 0, 0, this.#carried)
      this.#carry = larger
      this.#current.bytes = larger
    }
    chunk.copy(this.#carry, this.#carried, at, at + length)
    this.#carried = needed
  }

  /**
   * Reads from `from` on until the head is complete or `available` is reached; returns where it
   * stopped.
   */
  #scan(bytes: Buffer, from: number, available: number): number {
    // No byte beyond the limit of the head is read.
    let end = this.begun ? Math.min(available, this.#headStart + this.#headLimit) : available
    let i = from
    while (i < end) {
      switch (this.#phase) {
        case BEFORE: {
          const byte = bytes[i]!
          if (byte === CR && !this.#emptyLineSeen) {
            this.#emptyLineSeen = true
            this.#phase = EMPTY_LINE_LF
            i++
            break
          }
          if (TOKEN_LOWER[byte] === 0) throw refusedFirstByte(byte)
          this.#headStart = i
          end = Math.min(end, i + this.#headLimit)
          this.#lineStart = i
          this.#current.bytes = bytes
          this.#current.lineStart = i
          this.#current.lineEnd = i
          this.#phase = METHOD
          break
        }

        case EMPTY_LINE_LF:
          if (bytes[i] !== LF) throw bareCR('the empty line before the request line', bytes[i]!)
          this.#phase = BEFORE
          i++
          break

        case METHOD: {
          const limit = this.#lineStart + this.#requestLineLimit
          const stop = Math.min(end, limit)
          while (i < stop && TOKEN_LOWER[bytes[i]!] !== 0) i++
          if (i === limit) throw requestLineTooLong(this.#requestLineLimit)
          if (i === end) break
          if (bytes[i] !== SP) {
            throw refusedInRequestLine(
              bytes[i]!,
              `The method ${quoteBytes(bytes, this.#lineStart, i)}`,
            )
          }
          this.#current.method = methodName(bytes, this.#lineStart, i)
          i++
          this.#partStart = i
          this.#current.targetStart = i
          this.#current.targetEnd = i
          this.#phase = REQUEST_TARGET
          break
        }

        case REQUEST_TARGET: {
          const limit = this.#lineStart + this.#requestLineLimit
          const stop = Math.min(end, limit)
          let kind = 1
          while (i < stop) {
            kind = TARGET[bytes[i]!]!
            if (kind !== 1) {
              if (kind === 0) break
              if (this.#questionMark < 0) this.#questionMark = i
            }
            i++
          }
          if (i === limit) throw requestLineTooLong(this.#requestLineLimit)
          if (i === end) break
          if (bytes[i] !== SP || i === this.#partStart) {
            throw refusedInRequestLine(
              bytes[i]!,
              `The request target ${quoteBytes(bytes, this.#partStart, i)}`,
            )
          }
          this.#current.targetEnd = i
          i++
          this.#partStart = i
          // The CR after the version is the first byte that may stand at the limit.
          if (i + VERSION_BYTES > limit) throw requestLineTooLong(this.#requestLineLimit)
          this.#phase = VERSION
          break
        }

        case VERSION: {
          const start = this.#partStart
          for (; i < end && i - start < VERSION_BYTES; i++) {
            const at = i - start
            const byte = bytes[i]!
            if (at < 5 ? byte === VERSION_PREFIX[at] : at === 6 ? byte === 0x2e : DIGIT[byte] === 1)
              continue
            throw refusedInRequestLine(byte, `The version ${quoteBytes(bytes, start, i)}`)
          }
          if (i === end) break
          if (bytes[i] !== CR) {
            throw refusedInRequestLine(bytes[i]!, `The version ${quoteBytes(bytes, start, i)}`)
          }
          // RFC 9110 §2.5: a higher minor version is served as the highest one that is known, a
          // higher major one is another protocol.
          if (bytes[start + 5] !== 0x31) {
            throw unsupportedVersion(quoteBytes(bytes, start, i))
          }
          this.#current.minorVersion = bytes[start + 7] === 0x30 ? 0 : 1
          this.#current.lineEnd = i
          i++
          this.#phase = REQUEST_LINE_LF
          break
        }

        case REQUEST_LINE_LF:
          if (bytes[i] !== LF) throw bareCR('the request line', bytes[i]!)
          takeTarget(this.#current, this.#questionMark)
          i++
          this.#phase = FIELD_START
          break

        case FIELD_START: {
          const byte = bytes[i]!
          if (byte === CR) {
            i++
            this.#phase = LAST_LF
            break
          }
          if (byte === SP || byte === HTAB)
            throw refusedLeadingSpace(this.#lines === 0 ? null : this.#name)
          if (this.#lines === this.#fieldsLimit) {
            throw tooManyFields(this.#fieldsLimit)
          }
          this.#lines++
          this.#lineStart = i
          const expected = this.#expectedNames[this.#current.fieldCount]
          if (expected !== undefined) {
            const nameEnd = i + expected.bytes.length
            const limit = i + this.#fieldSizeLimit - 2
            // One comparison instead of hashing, finding and comparing. Equal to a name, it needs
            // no other check.
            if (
              nameEnd < end &&
              nameEnd < limit &&
              bytes[nameEnd] === COLON &&
              expected.isAt(bytes, i)
            ) {
              this.#name = expected
              this.#nameEnd = nameEnd
              i = nameEnd + 1
              this.#phase = VALUE
              break
            }
          }
          this.#nameHash = HASH_START
          this.#phase = NAME
          break
        }

        case NAME: {
          const limit = this.#lineStart + this.#fieldSizeLimit - 2
          const stop = Math.min(end, limit)
          let hash = this.#nameHash
          while (i < stop) {
            const lower = TOKEN_LOWER[bytes[i]!]!
            if (lower === 0) break
            hash = hashStep(hash, lower)
            i++
          }
          if (i >= limit) throw this.#fieldTooLong(bytes, i)
          if (i === end) {
            this.#nameHash = hash
            break
          }
          if (bytes[i] !== COLON || i === this.#lineStart)
            throw refusedInName(bytes, this.#lineStart, i)
          this.#name = fieldNames.find(bytes, this.#lineStart, i, hash)
          if (i - this.#lineStart > CACHED_NAME_BYTES) this.#longNameBytes += i - this.#lineStart
          this.#nameEnd = i
          i++
          this.#phase = VALUE
          break
        }

        case VALUE: {
          const limit = this.#lineStart + this.#fieldSizeLimit - 2
          const stop = Math.min(end, limit)
          while (i < stop && FIELD_VALUE[bytes[i]!] === 1) i++
          if (i === end) break
          if (bytes[i] !== CR) {
            if (i >= limit) throw this.#fieldTooLong(bytes, this.#nameEnd)
            throw refusedInValue(this.#name!, bytes[i]!)
          }
          i++
          this.#phase = VALUE_LF
          break
        }

        case VALUE_LF:
          if (bytes[i] !== LF) throw bareCR(`the field ${this.#name!.lower}`, bytes[i]!)
          this.#finishField(bytes, i - 1)
          i++
          this.#phase = FIELD_START
          break

        case LAST_LF:
          if (bytes[i] !== LF) throw bareCR('the empty line after the fields', bytes[i]!)
          this.#special.finish(this.#current)
          this.#phase = COMPLETE
          return i + 1
      }
    }
    if (i < available) throw headTooLarge(this.#headLimit, this.#phase <= VERSION)
    return i
  }

  /** Takes a whole field line; `carriageReturn` is where it ends. */
  #finishField(bytes: Buffer, carriageReturn: number): void {
    let start = this.#nameEnd + 1
    let end = carriageReturn
    while (start < end && (bytes[start] === SP || bytes[start] === HTAB)) start++
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--
    const name = this.#name!
    if (
      name.hasUnderscore &&
      this.#headerMap !== 'dangerous' &&
      !isForwarderHeader(name, this.#limits)
    ) {
      if (this.#headerMap === 'drop') return
      throw refusedUnderscore(
        bytes,
        { start: this.#lineStart, nameEnd: this.#nameEnd },
        'has an underscore',
      )
    }
    const head = this.#current
    if (name.id >= 0 && name.id < SPECIAL_NAMES) {
      const line = this.#line
      line.name = name
      line.start = this.#lineStart
      line.nameEnd = this.#nameEnd
      line.valueStart = start
      line.valueEnd = end
      line.end = carriageReturn
      this.#special.take(line, head)
    }
    head.fields.push(this.#lineStart, this.#nameEnd, start, end)
    head.names.push(name)
    head.fieldCount++
  }

  #fieldTooLong(bytes: Buffer, nameEnd: number): HttpError {
    return fieldTooLong(this.#fieldSizeLimit, quoteBytes(bytes, this.#lineStart, nameEnd))
  }
}

function lineFrom(bytes: Buffer, start: number, end: number): string {
  const stop = Math.min(end, start + LOGGED_BYTES)
  let i = start
  while (i < stop && bytes[i] !== CR && bytes[i] !== LF) i++
  return bytes.toString('latin1', start, i)
}
